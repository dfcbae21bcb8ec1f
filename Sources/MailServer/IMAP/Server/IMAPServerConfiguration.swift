package import NIOCore

/// The settings of an IMAP server; a change applies to later connections.
package struct IMAPServerConfiguration: Sendable {
    /// The settings of each session; whether TLS is offered is set from the server's certificates.
    package var session: IMAPSessionConfiguration
    /// Time that a client has to log in, whatever it says until then (`limits.login_timeout`).
    package var loginTimeout = TimeAmount.minutes(3)
    /// Time without a byte from a client after login, after which the connection is closed (`imap.idle_timeout`); RFC 9051 section 5.4 requires at least 30 minutes.
    package var idleTimeout = TimeAmount.minutes(30)
    /// Time that a client may leave responses unread before it is disconnected.
    package var sendTimeout = TimeAmount.minutes(5)
    /// Interval between keep-alive responses during IDLE.
    package var keepAlive = TimeAmount.minutes(2)
    /// Interval between checks for other processes' changes, during IDLE and with NOTIFY.
    package var pollInterval = TimeAmount.seconds(1)
    /// Time that a client has to read the last response and close before it is disconnected.
    package var closeTimeout = TimeAmount.seconds(2)

    package init(session: IMAPSessionConfiguration) {
        self.session = session
    }
}
