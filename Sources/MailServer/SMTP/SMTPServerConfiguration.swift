package import NIOCore

/// What an SMTP server is set to; a change counts for connections that come later.
package struct SMTPServerConfiguration: Sendable {
    /// The rules of the dialogue; whether TLS is offered is set from the server's certificates.
    package var session: SMTPSessionConfiguration
    /// Octets of a command line with its CRLF (`limits.smtp_line`).
    package var maxLineLength = 4096
    /// Time without a byte from the client after which the connection ends with 421 (RFC 5321 section 4.5.3.2).
    package var idleTimeout = TimeAmount.minutes(5)
    /// Time that a client has to take the last reply and to close before it is cut off.
    package var closeTimeout = TimeAmount.seconds(2)

    package init(session: SMTPSessionConfiguration) {
        self.session = session
    }
}
