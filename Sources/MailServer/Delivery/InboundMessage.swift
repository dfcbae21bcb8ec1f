import Logging
package import MailAccess
import MailAccounts
package import NIOCore
import ServerRuntime
import ShardFS
import ShardIndex

/// A durable message ready for delivery, and its content, whose summary goes into the read cache.
private struct FinishedContent {
    let content: IncomingContent
    let message: FinishedMessage

    /// Makes the content durable.
    init(_ content: IncomingContent) throws(StoreError) {
        self.content = content
        message = try content.staged.finish()
    }
}

/// An incoming message, staged in the store without a file name until it is delivered. One call at a time.
package final class InboundMessage: Sendable {
    /// The dependency between the recipients of one message.
    package enum Atomicity {
        /// All recipients get the message or none: SMTP has one reply for all.
        case allOrNone
        /// Each recipient is independent: LMTP has one reply for each.
        case each
    }

    private static let pieceSize = 1 << 18

    private let delivery: LocalDelivery
    private let settings: LocalDelivery.Settings
    private let checks: [any TransactionCheck]
    private let changes: MessageChanges
    private let content: IncomingContent

    package init(
        delivery: LocalDelivery, settings: LocalDelivery.Settings, checks: [any TransactionCheck],
        changes: MessageChanges, content: IncomingContent
    ) {
        self.delivery = delivery
        self.settings = settings
        self.checks = checks
        self.changes = changes
        self.content = content
    }

    /// Stages an empty message, not yet tied to any account. Blocks.
    package static func stage(
        in delivery: LocalDelivery, _ settings: LocalDelivery.Settings
    ) throws(DeliveryError) -> IncomingContent {
        try storing { () throws(StoreError) in
            IncomingContent(
                try delivery.store.stage(), limits: delivery.index == nil ? nil : settings.parseLimits,
                memory: settings.memory)
        }
    }

    package func append(_ bytes: ByteBuffer) async throws(Refusal) {
        let content = content
        do {
            try await delivery.pool.run { () throws(DeliveryError) in
                let result: Result<Void, StoreError> = bytes.withUnsafeReadableBytes { raw in
                    do throws(StoreError) { return .success(try content.write(raw)) } catch { return .failure(error) }
                }
                try storing { () throws(StoreError) in try result.get() }
            }
        } catch {
            throw delivery.refusal(for: error, "a message was not stored")
        }
    }

    /// Runs the checks and delivers the message.
    /// - Returns: The outcome for each recipient, in the envelope's order. A delivered message is durable.
    package func deliver(_ envelope: SMTPEnvelope, _ atomicity: Atomicity) async -> [RecipientOutcome] {
        @Sendable func all(_ outcome: RecipientOutcome) -> [RecipientOutcome] {
            envelope.recipients.map { _ in outcome }
        }
        var changes = changes
        let staged = StagedContent(staged: content.staged, pool: delivery.pool)
        for check in checks {
            switch await check.content(staged, envelope) {
            case .accepted(let more): changes.add(more)
            case .refused(let refusal): return all(.refused(refusal))
            }
        }
        let (delivery, settings, content, final) = (delivery, settings, content, changes)
        let recipients = envelope.recipients.map { final.redirected($0.destinations) }
        do {
            return try await delivery.pool.run { () throws(DeliveryError) in
                let finished = try Self.finish(content, fields: final.fields, delivery, settings)
                var recipients = recipients
                do throws(DeliveryError) {
                    do throws(DeliveryError) {
                        try Self.deliver(finished, to: recipients.joined().unique(), delivery, settings)
                    } catch {
                        let able = Self.withoutFailing(recipients, envelope, delivery, size: finished.message.size)
                        guard able != recipients else { throw error }
                        recipients = able
                        try Self.deliver(finished, to: recipients.joined().unique(), delivery, settings)
                    }
                    delivery.noteDelivery(of: envelope, to: recipients.joined().unique(), size: finished.message.size)
                    return all(.delivered)
                } catch {
                    guard recipients.count > 1 else { throw error }
                    if atomicity == .each {
                        return Self.deliverEach(finished, to: recipients, envelope, delivery, settings)
                    }
                    guard let refusal = Self.blame(finished, recipients, envelope, delivery) else { throw error }
                    return all(.refused(refusal))
                }
            }
        } catch {
            let refusal = delivery.refusal(
                for: error, "a message was not delivered", accounts: Self.names(recipients.joined()))
            return all(.refused(refusal))
        }
    }

    // MARK: - On a thread of the pool

    /// Makes the message durable, with `fields` in front; if there are any, the content is copied once.
    private static func finish(
        _ content: IncomingContent, fields: [String], _ delivery: LocalDelivery, _ settings: LocalDelivery.Settings
    ) throws(DeliveryError) -> FinishedContent {
        guard !fields.isEmpty else {
            return try storing { () throws(StoreError) in try FinishedContent(content) }
        }
        let copy = try stage(in: delivery, settings)
        return try storing { () throws(StoreError) in
            try copy.write(Array(fields.joined().utf8))
            var offset: UInt64 = 0
            while offset < content.staged.size {
                let piece = try content.staged.read(at: offset, count: pieceSize)
                guard !piece.isEmpty else { throw .shortMessage }
                try copy.write(piece)
                offset += UInt64(piece.count)
            }
            return try FinishedContent(copy)
        }
    }

    /// The destinations of each recipient without those that cannot take the message now, as long as another of the same
    /// recipient can: a full account of one administrator must not keep a message from the others.
    private static func withoutFailing(
        _ recipients: [[Destination]], _ envelope: SMTPEnvelope, _ delivery: LocalDelivery, size: UInt32
    ) -> [[Destination]] {
        zip(envelope.recipients, recipients).map { recipient, destinations in
            guard destinations.count > 1 else { return destinations }
            let failures = destinations.map { delivery.failure(of: $0, size: UInt64(size)) }
            let able = zip(destinations, failures).filter { $1 == nil }.map(\.0)
            guard !able.isEmpty else { return destinations }
            for (destination, failure) in zip(destinations, failures) {
                guard let failure else { continue }
                delivery.logOmitted(destination, of: "\(recipient.path)", from: envelope, because: failure.text)
            }
            return able
        }
    }

    /// Delivers to one recipient after another: to all of a recipient's destinations or none. A shared destination gets
    /// the message once.
    private static func deliverEach(
        _ finished: FinishedContent, to recipients: [[Destination]], _ envelope: SMTPEnvelope,
        _ delivery: LocalDelivery, _ settings: LocalDelivery.Settings
    ) -> [RecipientOutcome] {
        var done: [Destination] = []
        return recipients.map { destinations in
            // Completed destinations come first, so that `unique` drops their repetitions.
            let left = Array((done + destinations).unique().dropFirst(done.count))
            do throws(DeliveryError) {
                if !left.isEmpty { try deliver(finished, to: left, delivery, settings) }
            } catch {
                let refusal = delivery.refusal(
                    for: .work(error), "a message was not delivered", accounts: names(left))
                return .refused(refusal == .aMailboxFull ? .mailboxFull : refusal)
            }
            done += left
            delivery.noteDelivery(of: envelope, to: left, size: finished.message.size)
            return .delivered
        }
    }

    /// Finds the recipients that caused a message to be refused for all, and records their accounts for the next attempt.
    /// - Returns: The refusal naming them, or nil if it was none of them or all of them.
    private static func blame(
        _ finished: FinishedContent, _ recipients: [[Destination]], _ envelope: SMTPEnvelope, _ delivery: LocalDelivery
    ) -> Refusal? {
        let size = UInt64(finished.message.size)
        var failures: [Destination: Refusal] = [:]
        for destination in recipients.joined().unique() {
            failures[destination] = delivery.failure(of: destination, size: size)
        }
        let blamed = zip(envelope.recipients, recipients).filter { $1.contains { failures[$0] != nil } }
        guard !blamed.isEmpty, blamed.count < recipients.count else { return nil }
        for case .local(let account, _, _) in failures.keys {
            delivery.refused.note(envelope.sender, account, size: size)
        }
        let paths = blamed.map(\.0.path)
        let areFull = failures.values.allSatisfy { $0 == .aMailboxFull }
        let refusal: Refusal = areFull ? .mailboxesFull(paths) : .mailboxesFail(paths)
        delivery.logger.warning(
            "a message was delivered to nobody because of some recipients",
            metadata: [
                "from": "\(envelope.sender)", "because": "\(names(failures.keys))", "size": "\(size)",
                "client": "\(envelope.remoteAddress)", "reply": "\(refusal.text)",
            ])
        return refusal
    }

    /// Links the message into every mailbox in one step.
    private static func deliver(
        _ finished: FinishedContent, to destinations: [Destination], _ delivery: LocalDelivery,
        _ settings: LocalDelivery.Settings
    ) throws(DeliveryError) {
        try storing { () throws(StoreError) in
            var targets: [(account: AccountAddress, target: Delivery.Target)] = []
            for case .local(let account, let name, let flags) in destinations {
                targets.append((account, .init(try delivery.mailbox(name, of: account), flags: flags)))
            }
            let results = try Delivery.deliver(finished.message, to: targets.map(\.target))
            for ((account, target), result) in zip(targets, results) {
                let index = delivery.index?.account(storeID: delivery.store.id, account)
                finished.content.keepSummary(in: index, of: target.mailbox, result, limits: settings.parseLimits)
            }
        }
    }

    private static func names(_ destinations: some Sequence<Destination>) -> String {
        destinations.unique().map(\.description).joined(separator: ", ")
    }
}

extension LocalDelivery {
    /// The reason why a destination could not take a message of `size` octets now, or nil. Blocks.
    func failure(of destination: Destination, size: UInt64) -> Refusal? {
        guard case .local(let account, let name, _) = destination else { return .relayNotPermitted }
        do throws(StoreError) {
            _ = try mailbox(name, of: account)
            return try store.account(account).hasRoom(for: size) ? nil : .aMailboxFull
        } catch {
            return error.refusal
        }
    }

    /// Logs that one of several destinations of a recipient does not get a message.
    func logOmitted(
        _ destination: Destination, of recipient: String, from envelope: SMTPEnvelope, because reason: String
    ) {
        logger.warning(
            "one of several destinations does not get a message",
            metadata: [
                "recipient": "\(recipient)", "to": "\(destination)", "from": "\(envelope.sender)",
                "because": "\(reason)",
            ])
    }

    /// Opens a mailbox, creating it if missing: accounts made by the old program or by hand may lack an INBOX.
    fileprivate func mailbox(_ name: MailboxName, of address: AccountAddress) throws(StoreError) -> Mailbox {
        let account = try store.account(address)
        do throws(StoreError) {
            return try account.mailbox(name)
        } catch {
            guard error.code == .notFound else { throw error }
            try account.create(name)
            return try account.mailbox(name)
        }
    }

    fileprivate func noteDelivery(of envelope: SMTPEnvelope, to destinations: [Destination], size: UInt32) {
        logger.info(
            "delivered",
            metadata: [
                "from": "\(envelope.sender)", "to": "\(destinations.map(\.description).joined(separator: " "))",
                "size": "\(size)", "client": "\(envelope.remoteAddress)",
            ])
    }
}
