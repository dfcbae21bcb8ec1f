import MailAccess
import SMTPCodec
package import ServerRuntime
package import ShardFS

/// A check of mail on its way in: of its sender at MAIL, and of its content at the end, before it is visible anywhere.
///
/// SPF, DKIM, DMARC and milters are such checks; ``OwnSenderCheck`` is one. Checks run in the order of their list, off
/// the event loops; the first refusal ends the transaction's step, and no later check is asked.
package protocol MailCheck: Sendable {
    /// The check of one transaction, which begins with MAIL. What it learns of the sender it may keep for the content.
    func begin() -> any TransactionCheck
}

/// A check of one transaction: its calls come one after the other. It accepts everything unless it says otherwise.
package protocol TransactionCheck: Sendable {
    /// Judges the sender; the envelope has no recipients yet.
    func sender(_ envelope: SMTPEnvelope) async -> CheckDecision

    /// Judges the whole message, which no mailbox has yet.
    func content(_ content: StagedContent, _ envelope: SMTPEnvelope) async -> CheckDecision
}

extension TransactionCheck {
    package func sender(_ envelope: SMTPEnvelope) async -> CheckDecision { .accept }
    package func content(_ content: StagedContent, _ envelope: SMTPEnvelope) async -> CheckDecision { .accept }
}

/// The answer of a check.
package enum CheckDecision: Hashable, Sendable {
    /// Goes on, with changes to the message.
    case accepted(MessageChanges)
    case refused(Refusal)

    /// Goes on, with nothing changed.
    package static let accept = CheckDecision.accepted(MessageChanges())
}

/// The changes that checks make to a message.
package struct MessageChanges: Hashable, Sendable {
    /// Another mailbox of every local account that the message goes to, made when it is missing.
    package struct Redirection: Hashable, Sendable {
        package var mailbox: MailboxName
        /// Added to the flags that the message has anyway.
        package var flags: MessageFlags

        package init(to mailbox: MailboxName, flags: MessageFlags = []) {
            self.mailbox = mailbox
            self.flags = flags
        }
    }

    /// Header fields to be put in front of the message, the topmost first: folded where they are long, each with CRLF
    /// at its end.
    package var fields: [String]
    package var redirection: Redirection?

    package init(fields: [String] = [], redirection: Redirection? = nil) {
        self.fields = fields
        self.redirection = redirection
    }

    /// Adds the changes of a later check, which stand above those of the ones before and count more.
    package mutating func add(_ later: MessageChanges) {
        fields = later.fields + fields
        redirection = later.redirection ?? redirection
    }

    /// The places that mail goes to after a redirection.
    package func redirected(_ destinations: [Destination]) -> [Destination] {
        guard let redirection else { return destinations }
        return destinations.map { destination in
            guard case .local(let account, _, let flags) = destination else { return destination }
            return .local(account, redirection.mailbox, flags.union(redirection.flags))
        }
    }
}

/// The content of a message that has come in whole: trace fields first, lines ending in CRLF.
package struct StagedContent: Sendable {
    package let staged: StagedMessage
    package let pool: BlockingPool

    /// Octets.
    package var size: UInt64 { staged.size }

    /// At most `count` octets from `offset` on; fewer only at the end.
    package func read(at offset: UInt64, count: Int) async throws(PoolError<StoreError>) -> [UInt8] {
        let staged = staged
        return try await pool.run { () throws(StoreError) in try staged.read(at: offset, count: count) }
    }
}

/// The check that a user who has logged in sends from addresses of his own.
package struct OwnSenderCheck: MailCheck, TransactionCheck {
    package init() {}

    package func begin() -> any TransactionCheck { self }

    package func sender(_ envelope: SMTPEnvelope) async -> CheckDecision { Self.decision(envelope) }

    package static func decision(_ envelope: SMTPEnvelope) -> CheckDecision {
        guard let user = envelope.user else { return .accept }
        guard let address = envelope.sender.address, user.owns(address) else { return .refused(.notYourAddress) }
        return .accept
    }
}
