package import NIOCore

/// The protocol-specific parts of a ``ConnectionServer``.
package protocol ConnectionProtocol: Sendable {
    associatedtype Role: ListenerRole
    associatedtype Settings: ConnectionSettings

    /// The service that its connections count towards.
    static var service: LimitedService { get }

    /// The line sent to a client that is not admitted.
    func refusal(_ settings: Settings) -> ByteBuffer

    /// Makes the driver of a new connection; called on its event loop.
    func makeDriver(for accepted: AcceptedConnection<Role>, _ settings: Settings) -> any ConnectionDriver
}

/// The role of a listener; a protocol may treat clients differently by port.
package protocol ListenerRole: Sendable {
    /// True if connections begin with a TLS handshake.
    var usesImplicitTLS: Bool { get }
}

/// The settings common to all protocols.
package protocol ConnectionSettings: Sendable {
    /// The time a client gets to read the last answer and close, before it is disconnected.
    var closeTimeout: TimeAmount { get }
}

/// An admitted connection.
package struct AcceptedConnection<Role: ListenerRole> {
    package let channel: any Channel
    /// The client's IP address as text; an IPv4-mapped IPv6 address is given as IPv4.
    package let remoteAddress: String
    package let role: Role
    /// True if the server has TLS, so that STARTTLS can be offered.
    package let offersTLS: Bool
    /// The connection's place among all, which a login makes its account's.
    package let place: ConnectionPlace
}

/// A connection's place, as its driver sees it.
package struct ConnectionPlace: Sendable {
    private let ticket: ConnectionLimits.Ticket
    private let onRevoke: @Sendable () -> Void

    /// - Parameter onRevoke: tells the connection that its account may no longer be used.
    package init(_ ticket: ConnectionLimits.Ticket, onRevoke: @escaping @Sendable () -> Void) {
        self.ticket = ticket
        self.onRevoke = onRevoke
    }

    /// Makes the connection the account's; false when the account has as many as it may have.
    package func logIn(_ account: String) -> Bool { ticket.logIn(account, onRevoke: onRevoke) }
}
