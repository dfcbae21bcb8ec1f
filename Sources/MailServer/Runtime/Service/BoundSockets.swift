import Glibc
import NIOCore
import Primitives

/// Sockets that were opened before the process gave up the privilege to do so, each taken once by its listener.
package final class BoundSockets: Sendable {
    private let sockets = Locked<[String: CInt]>([:])

    /// None: listeners open their own.
    package init() {}

    /// Opens those of all endpoints with a port of their own.
    /// - Throws: what kept the first one from opening; none stays open then.
    package init(_ endpoints: [ListenerEndpoint]) throws(StartError) {
        for endpoint in endpoints where endpoint.port != 0 {
            do {
                let socket = try Self.open(endpoint)
                sockets.withLock { $0[endpoint.address] = socket }
            } catch {
                throw BindFailure.describe(error, endpoint)
            }
        }
    }

    deinit { sockets.withLock { $0.values.forEach { _ = Glibc.close($0) } } }

    /// The endpoint's socket, which is the caller's from then on; nil when there is none.
    package func take(_ endpoint: ListenerEndpoint) -> CInt? {
        sockets.withLock { $0.removeValue(forKey: endpoint.address) }
    }

    private static func open(_ endpoint: ListenerEndpoint) throws -> CInt {
        let address = try SocketAddress.makeAddressResolvingHost(endpoint.host, port: Int(endpoint.port))
        let family = CInt(address.protocol.rawValue)
        let descriptor = socket(family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
        let result = address.withSockAddr { raw, size in bind(descriptor, raw, socklen_t(size)) }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw IOError(errnoCode: code, reason: "bind")
        }
        return descriptor
    }
}
