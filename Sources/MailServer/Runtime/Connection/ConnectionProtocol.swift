package import NIOCore

/// A protocol as a ``ConnectionServer`` serves it: what it has to say where the server does not know.
package protocol ConnectionProtocol: Sendable {
    associatedtype Role: ListenerRole
    associatedtype Settings: ConnectionSettings

    /// The service that its connections count as.
    static var service: LimitedService { get }

    /// The one line for clients that are turned away.
    func refusal(_ settings: Settings) -> ByteBuffer

    /// The driver of a new connection; called on its event loop.
    func makeDriver(for accepted: AcceptedConnection<Role>, _ settings: Settings) -> any ConnectionDriver
}

/// What a listener is for: protocols may treat clients differently by the port they came to.
package protocol ListenerRole: Sendable {
    /// Connections begin with a TLS handshake.
    var usesImplicitTLS: Bool { get }
}

/// What a server of any protocol is set to.
package protocol ConnectionSettings: Sendable {
    /// Time that a client has to take the last answer and to close before it is cut off.
    var closeTimeout: TimeAmount { get }
}

/// A connection that was let in.
package struct AcceptedConnection<Role: ListenerRole> {
    package let channel: any Channel
    /// The client's IP address; an IPv4 address on an IPv6 socket is given as IPv4.
    package let remoteAddress: String
    package let role: Role
    /// TLS can be started on it later.
    package let offersTLS: Bool
}
