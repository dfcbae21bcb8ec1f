public import NIOCore

/// An address on which a service listens.
public struct ListenerEndpoint: Sendable, Equatable {
    /// What the log calls it: `smtp`, `submission`, `imaps`.
    public let name: String
    /// The configuration key of its port, and that of its host.
    public let portKey: String
    public let hostKey: String
    public let host: String
    /// 0 takes a free port.
    public let port: Port

    /// nil when `port` is nil: the listener is off.
    public init?(_ name: String, host: String, hostKey: String, port: Port?, portKey: String) {
        guard let port else { return nil }
        self.name = name
        self.host = host
        self.hostKey = hostKey
        self.port = port
        self.portKey = portKey
    }

    /// `0.0.0.0:25`, `[::]:25`.
    var address: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A protocol's server, as the application starts, reloads and stops it.
public protocol MailService: Sendable {
    /// The listeners to open, those that are off left out.
    var endpoints: [ListenerEndpoint] { get }

    /// Opens one of `endpoints`.
    /// - Throws: what the bind failed with.
    func listen(_ endpoint: ListenerEndpoint) async throws -> SocketAddress

    /// Takes new settings for what comes; must not block.
    func reload(_ configuration: Configuration)

    /// Stops listening, lets work under way end for at most `grace`, and returns when no connection is left.
    func shutdown(grace: TimeAmount) async
}

/// Why the server did not start or stopped: one plain sentence that says what to do.
public struct StartError: Error, Sendable, CustomStringConvertible {
    public let description: String
    /// The configuration is to blame.
    public let isConfiguration: Bool

    public init(_ description: String, isConfiguration: Bool = false) {
        self.description = description
        self.isConfiguration = isConfiguration
    }
}
