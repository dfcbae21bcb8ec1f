package import NIOCore

/// What an IMAP server is set to; a change counts for connections that come later.
package struct IMAPServerConfiguration: Sendable {
    /// The rules of the dialogue; whether TLS is offered is set from the server's certificates.
    package var session: IMAPSessionConfiguration
    /// Time without a byte from a client that has not logged in, after which the connection ends.
    package var loginTimeout = TimeAmount.minutes(2)
    /// The same for one that has; 30 minutes are the least that RFC 9051 section 5.4 allows (`imap.idle_timeout`).
    package var idleTimeout = TimeAmount.minutes(30)
    /// Time that a client may take no answers before it is cut off.
    package var sendTimeout = TimeAmount.minutes(5)
    /// Between signs of life while a client idles.
    package var keepAlive = TimeAmount.minutes(2)
    /// How often an idling client's mailbox is looked at for changes of other processes.
    package var pollInterval = TimeAmount.seconds(1)
    /// Time that a client has to take the last answer and to close before it is cut off.
    package var closeTimeout = TimeAmount.seconds(2)

    package init(session: IMAPSessionConfiguration) {
        self.session = session
    }
}
