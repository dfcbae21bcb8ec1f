package import Logging
package import NIOCore
package import ServerConfiguration

/// The listening address of a service.
package struct ListenerEndpoint: Sendable, Equatable {
    /// The name in the log: `smtp`, `submission`, `imaps`.
    package let name: String
    /// The configuration key of the port.
    package let portKey: String
    /// The configuration key of the host.
    package let hostKey: String
    package let host: String
    /// 0 picks a free port.
    package let port: Port

    /// Returns nil if `port` is nil, that is, the listener is off.
    package init?(_ name: String, host: String, hostKey: String, port: Port?, portKey: String) {
        guard let port else { return nil }
        self.name = name
        self.host = host
        self.hostKey = hostKey
        self.port = port
        self.portKey = portKey
    }

    /// Host and port, such as `0.0.0.0:25` or `[::]:25`.
    package var address: String { address(port: Int(port)) }

    fileprivate func address(port: Int) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A component with listeners.
package protocol ListeningComponent: ServerComponent {
    /// The listeners to open, without those that are off.
    var endpoints: [ListenerEndpoint] { get }

    /// Opens one of `endpoints`.
    /// - Throws: The error of a failed bind.
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
