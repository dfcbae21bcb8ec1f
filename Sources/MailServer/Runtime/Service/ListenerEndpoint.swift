package import Logging
package import NIOCore
package import ServerConfiguration

/// An address on which a service listens.
package struct ListenerEndpoint: Sendable, Equatable {
    /// What the log calls it: `smtp`, `submission`, `imaps`.
    package let name: String
    /// The configuration key of its port, and that of its host.
    package let portKey: String
    package let hostKey: String
    package let host: String
    /// 0 takes a free port.
    package let port: Port

    /// nil when `port` is nil: the listener is off.
    package init?(_ name: String, host: String, hostKey: String, port: Port?, portKey: String) {
        guard let port else { return nil }
        self.name = name
        self.host = host
        self.hostKey = hostKey
        self.port = port
        self.portKey = portKey
    }

    /// `0.0.0.0:25`, `[::]:25`.
    package var address: String { address(port: Int(port)) }

    fileprivate func address(port: Int) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A component with listeners.
package protocol ListeningComponent: ServerComponent {
    /// The listeners to open, those that are off left out.
    var endpoints: [ListenerEndpoint] { get }

    /// Opens one of `endpoints`.
    /// - Throws: what the bind failed with.
    func listen(_ endpoint: ListenerEndpoint) async throws -> SocketAddress
}

extension ListeningComponent {
    package func start(_ logger: Logger) async throws(StartError) {
        for endpoint in endpoints {
            do {
                let port = try await listen(endpoint).port
                logger.info("listening \(endpoint.name) \(endpoint.address(port: port ?? Int(endpoint.port)))")
            } catch {
                throw BindFailure.describe(error, endpoint)
            }
        }
    }
}
