package import NIOCore

/// The settings of an SMTP server; a change applies to later connections.
package struct SMTPServerConfiguration: Sendable {
    /// The session settings; `offersTLS` is overridden according to the server's certificates.
    package var session: SMTPSessionConfiguration
    /// The maximum length of a command line in octets, including CRLF (`limits.smtp_line`).
    package var maxLineLength = 4096
    /// The maximum length of an address with its angle brackets (`limits.smtp_path`).
    package var maxPathLength = 256
    /// The idle time after which the connection ends with 421 (RFC 5321 section 4.5.3.2).
    package var idleTimeout = TimeAmount.minutes(5)
    /// Time that a client of a submission port has to log in, whatever it says until then (`limits.login_timeout`). On
    /// port 25, where nobody has to, it is the time between two messages, five minutes at least.
    package var loginTimeout = TimeAmount.minutes(3)
    /// The time a client gets to read the last reply and close, before it is disconnected.
    package var closeTimeout = TimeAmount.seconds(2)

    package init(session: SMTPSessionConfiguration) {
        self.session = session
    }
}
