package import MailAccounts
package import MailDelivery
package import NIOCore
package import SMTPCodec

/// The mail host behind an SMTP server: who may log in, who gets mail, and where the bytes go.
///
/// Calls come from many connections at once. A connection makes one at a time and reads nothing from its client
/// meanwhile, so a slow answer slows that client alone; work that blocks belongs on a pool of the implementation's.
package protocol SMTPBackend: Sendable {
    var logins: any LoginChecker { get }

    /// Begins a transaction: judges the sender. The envelope has no recipients yet.
    /// - Throws: the refusal of the sender.
    func begin(_ envelope: SMTPEnvelope) async throws(Refusal) -> any SMTPTransaction
}

/// A transaction, from MAIL on. Its calls come one after the other.
package protocol SMTPTransaction: Sendable {
    /// Judges a recipient; `envelope` holds the ones accepted before it.
    /// - Returns: The places that its mail goes to.
    func recipient(_ path: SMTPForwardPath, in envelope: SMTPEnvelope) async throws(Refusal) -> [Destination]

    /// Opens a message; at least one recipient was accepted.
    /// - Throws: the failure that the client is told of; nothing is open then.
    func beginMessage(_ envelope: SMTPEnvelope) async throws(Refusal) -> any SMTPIncomingMessage
}

/// A message on its way in. Its calls come one after the other, ending with ``commit(_:)`` or ``discard()``, once.
package protocol SMTPIncomingMessage: Sendable {
    /// Takes the next bytes, in wire form: trace fields first, lines ending in CRLF, dots already taken out. More are
    /// read from the client when this returns. When it throws, ``discard()`` is called next.
    func append(_ bytes: ByteBuffer) async throws(Refusal)

    /// Delivers to every recipient of `envelope`, or to none. What is reported as delivered is durable: the client is
    /// told so next. Of what is refused nothing is visible or stays.
    /// - Returns: The outcome for each recipient, in the envelope's order.
    func commit(_ envelope: SMTPEnvelope) async -> [RecipientOutcome]

    /// Gives the message up; nothing of it stays.
    func discard() async
}
