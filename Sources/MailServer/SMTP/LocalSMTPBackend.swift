package import MailAccounts
package import MailDelivery
import NIOCore
import SMTPCodec

/// The SMTP backend for the accounts of this host: logins and local delivery.
package final class LocalSMTPBackend: SMTPBackend {
    package let logins: any LoginChecker
    private let delivery: LocalDelivery

    package init(logins: any LoginChecker, delivery: LocalDelivery) {
        self.logins = logins
        self.delivery = delivery
    }

    package func begin(_ envelope: SMTPEnvelope) async throws(Refusal) -> any SMTPTransaction {
        LocalSMTPTransaction(transaction: try await delivery.begin(envelope))
    }
}

/// Adapts a transaction of the local delivery to SMTP.
private struct LocalSMTPTransaction: SMTPTransaction {
    let transaction: InboundTransaction

    func recipient(_ path: SMTPForwardPath, in envelope: SMTPEnvelope) async throws(Refusal) -> [Destination] {
        try await transaction.recipient(path, in: envelope)
    }

    func beginMessage(_ envelope: SMTPEnvelope) async throws(Refusal) -> any SMTPIncomingMessage {
        LocalSMTPMessage(message: try await transaction.beginMessage(envelope))
    }
}

private struct LocalSMTPMessage: SMTPIncomingMessage {
    let message: InboundMessage

    func append(_ bytes: ByteBuffer) async throws(Refusal) { try await message.append(bytes) }

    /// Delivers to all recipients or none: SMTP has one reply for all.
    func commit(_ envelope: SMTPEnvelope) async -> [RecipientOutcome] {
        await message.deliver(envelope, .allOrNone)
    }

    /// Does nothing: releasing the last reference removes the file.
    func discard() async {}
}
