import MailAccess
import SMTPCodec
package import ServerRuntime
package import ShardFS

/// A check of incoming mail: of the sender at MAIL, and of the whole message before it is visible in any mailbox.
///
/// This is the interface for SPF, DKIM, DMARC and milters; ``OwnSenderCheck`` implements it. Checks run in list order,
/// off the event loops; the first refusal is the answer, and later checks do not run.
package protocol MailCheck: Sendable {
    /// Begins the check of one transaction at MAIL. It may keep its findings about the sender for the content.
    func begin() -> any TransactionCheck
}

/// The check of one transaction, called one method at a time. The default implementations accept everything.
package protocol TransactionCheck: Sendable {
    /// Checks the sender; the envelope has no recipients yet.
    func sender(_ envelope: SMTPEnvelope) async -> CheckDecision

    /// Checks the whole message before it is in any mailbox.
    func content(_ content: StagedContent, _ envelope: SMTPEnvelope) async -> CheckDecision
}

extension TransactionCheck {
    package func sender(_ envelope: SMTPEnvelope) async -> CheckDecision { .accept }
    package func content(_ content: StagedContent, _ envelope: SMTPEnvelope) async -> CheckDecision { .accept }
}

/// The result of a check.
package enum CheckDecision: Hashable, Sendable {
    /// Accepts, with changes to the message.
    case accepted(MessageChanges)
    case refused(Refusal)

    /// Accepts without changes.
    package static let accept = CheckDecision.accepted(MessageChanges())
}

/// The changes to a message requested by checks.
package struct MessageChanges: Hashable, Sendable {
    /// Delivery to another mailbox in every local destination account, created if missing.
    package struct Redirection: Hashable, Sendable {
        package var mailbox: MailboxName
        /// Added to the message's other flags.
        package var flags: MessageFlags

        package init(to mailbox: MailboxName, flags: MessageFlags = []) {
            self.mailbox = mailbox
            self.flags = flags
        }
    }

    /// Header fields to prepend to the message, topmost first; each is folded if long and ends in CRLF.
    package var fields: [String]
    package var redirection: Redirection?

    package init(fields: [String] = [], redirection: Redirection? = nil) {
        self.fields = fields
        self.redirection = redirection
    }

    /// Adds the changes of a later check: its fields go on top, and its redirection takes precedence.
    package mutating func add(_ later: MessageChanges) {
        fields = later.fields + fields
        redirection = later.redirection ?? redirection
    }

    /// Applies the redirection to local destinations.
    package func redirected(_ destinations: [Destination]) -> [Destination] {
        guard let redirection else { return destinations }
        return destinations.map { destination in
            guard case .local(let account, _, let flags) = destination else { return destination }
            return .local(account, redirection.mailbox, flags.union(redirection.flags))
        }
    }
}

/// The content of a completely received message: trace fields first, lines ending in CRLF.
package struct StagedContent: Sendable {
    package let staged: StagedMessage
    package let pool: BlockingPool

    /// The size in octets.
    package var size: UInt64 { staged.size }

    /// Reads up to `count` octets at `offset`; fewer only at the end.
    package func read(at offset: UInt64, count: Int) async throws(PoolError<StoreError>) -> [UInt8] {
        let staged = staged
        return try await pool.run { () throws(StoreError) in try staged.read(at: offset, count: count) }
    }
}

/// The check that an authenticated user's sender address is one of their own, or the null path, which read receipts must
/// have (RFC 8098 section 3). The From field is checked with the content.
package struct OwnSenderCheck: MailCheck, TransactionCheck {
    package init() {}

    package func begin() -> any TransactionCheck { self }

    package func sender(_ envelope: SMTPEnvelope) async -> CheckDecision { Self.decision(envelope) }

    package static func decision(_ envelope: SMTPEnvelope) -> CheckDecision {
        guard let user = envelope.user else { return .accept }
        guard let address = envelope.sender.address else { return .accept }
        return user.owns(address) ? .accept : .refused(.notYourAddress)
    }
}
