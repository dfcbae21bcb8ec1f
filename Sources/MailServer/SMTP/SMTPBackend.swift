package import MailAccounts
package import MailDelivery
package import NIOCore
package import SMTPCodec

/// The mail host behind an SMTP server: logins, recipients and message storage.
///
/// Called from many connections concurrently. Each connection makes one call at a time and does not read from its
/// client until it returns, so a slow call delays only that client. Run blocking work on a separate pool.
package protocol SMTPBackend: Sendable {
    var logins: any LoginChecker { get }

    /// Begins a transaction and checks its sender. The envelope has no recipients yet.
    /// - Throws: The refusal of the sender.
    func begin(_ envelope: SMTPEnvelope) async throws(Refusal) -> any SMTPTransaction
}

/// A transaction, from MAIL on. One call at a time.
package protocol SMTPTransaction: Sendable {
    /// Checks a recipient; `envelope` holds those accepted so far.
    /// - Returns: The destinations of its mail.
    func recipient(_ path: SMTPForwardPath, in envelope: SMTPEnvelope) async throws(Refusal) -> [Destination]

    /// Opens a message. Requires at least one accepted recipient.
    /// - Throws: The refusal to send to the client; no message is open then.
    func beginMessage(_ envelope: SMTPEnvelope) async throws(Refusal) -> any SMTPIncomingMessage
}

/// An incoming message. One call at a time; the last is either ``commit(_:)`` or ``discard()``, once.
package protocol SMTPIncomingMessage: Sendable {
    /// Appends bytes in wire form: trace fields first, lines ending in CRLF, dot-stuffing removed. More bytes are read
    /// from the client once this returns. If it throws, ``discard()`` is called next.
    func append(_ bytes: ByteBuffer) async throws(Refusal)

    /// Delivers to every recipient of `envelope` or to none. A message reported as delivered is durable, since the
    /// reply to the client follows. A refused message leaves nothing behind.
    /// - Returns: The outcome for each recipient, in the envelope's order.
    func commit(_ envelope: SMTPEnvelope) async -> [RecipientOutcome]

    /// Discards the message completely.
    func discard() async
}
