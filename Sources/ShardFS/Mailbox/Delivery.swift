import DurableFiles

/// Delivers one message to several mailboxes as one step.
public enum Delivery {
    /// A mailbox to deliver to, and the message's flags in it.
    public struct Target: Sendable {
        public var mailbox: Mailbox
        public var flags: MessageFlags

        public init(_ mailbox: Mailbox, flags: MessageFlags = []) {
            self.mailbox = mailbox
            self.flags = flags
        }
    }

    /// Delivers a finished message to every target: the bytes are written once and linked into each mailbox. All or
    /// none: when it returns, every mailbox has the message durably; when it throws, none shows it.
    ///
    /// One exception: a process killed between the done records of two mailboxes leaves the message in the first only.
    /// It was never reported as accepted, so the sender tries again.
    /// - Returns: the results in the order of `targets`; a mailbox named twice gets the message once, with the flags of
    ///   its first target.
    /// - Throws: the errors of `Mailbox.append`; the message of `overQuota` names the account.
    public static func deliver(_ message: FinishedMessage, to targets: [Target]) throws(StoreError) -> [AppendResult] {
        // A message staged in the store has not prepared any account's quota yet.
        for target in targets { try target.mailbox.context.prepareQuota() }
        if targets.count == 1 { return [try targets[0].mailbox.append(message, flags: targets[0].flags)] }
        var byPlace: [FileIdentity: Target] = [:]
        for target in targets where byPlace[target.mailbox.place] == nil { byPlace[target.mailbox.place] = target }
        return try deliver(message, byPlace.values.sorted { $0.mailbox.order < $1.mailbox.order }, as: targets)
    }

    /// Like `deliver(_:to:)`, with the same flags in every mailbox.
    public static func deliver(
        _ message: FinishedMessage, to mailboxes: [Mailbox], flags: MessageFlags = []
    ) throws(StoreError) -> [AppendResult] {
        try deliver(message, to: mailboxes.map { Target($0, flags: flags) })
    }

    private static func deliver(
        _ message: FinishedMessage, _ deliveries: [Target], as asked: [Target]
    ) throws(StoreError) -> [AppendResult] {
        for delivery in deliveries { try delivery.mailbox.checkFlags(delivery.flags) }
        let targets = deliveries.map(\.mailbox)
        while true {
            var undo: [(Mailbox, UID)] = []
            let outcome: Attempt
            do throws(StoreError) {
                outcome = try attempt(message, deliveries, &undo)
            } catch {
                for (mailbox, uid) in undo {
                    _ = try? mailbox.expunge([uid], onlyDeleted: false, durable: false)
                }
                throw error
            }
            switch outcome {
            case .done(let results, let logs):
                try settle(targets, results, logs)
                return asked.map { results[$0.mailbox.place]! }
            case .raise(let mailbox): try mailbox.raiseCeilings(uids: 1, records: 4, always: true)
            case .recount(let mailbox): try mailbox.context.recountQuota()
            case .overQuota(let mailbox):
                throw StoreError(.overQuota, "the quota of \(mailbox.context.name) is used up")
            }
        }
    }

    private enum Attempt {
        /// The results and the logs with the done records, both by the mailbox's directory.
        case done([FileIdentity: AppendResult], [FileIdentity: LogFile])
        case raise(Mailbox)
        case recount(Mailbox)
        case overQuota(Mailbox)
    }

    private static func attempt(
        _ message: FinishedMessage, _ deliveries: [Target], _ undo: inout [(Mailbox, UID)]
    ) throws(StoreError) -> Attempt {
        let targets = deliveries.map(\.mailbox)
        return try AccountContext.lockedAll(targets[...]) { () throws(StoreError) -> Attempt in
            for mailbox in targets where !mailbox.hasRoom(uids: 1, records: 4) { return .raise(mailbox) }
            var writers: [SetWriter] = []
            var results: [FileIdentity: AppendResult] = [:]
            do throws(StoreError) {
                // All reservations first: an unnamed file that was linked and unlinked cannot be linked again.
                for delivery in deliveries {
                    let mailbox = delivery.mailbox
                    let member = SetMember(message, flags: delivery.flags, time: mailbox.context.now)
                    var writer = SetWriter(mailbox: mailbox)
                    if let refused = try writer.prepare([member]) {
                        for writer in writers { writer.rollBack() }
                        if case .overQuota = refused { return .overQuota(mailbox) }
                        return .recount(mailbox)
                    }
                    writers.append(writer)
                }
                for i in writers.indices { try writers[i].link() }
                for i in writers.indices { results[targets[i].place] = try writers[i].commit().first }
                let logs = writers.compactMap { writer in writer.log.map { (writer.mailbox.place, $0) } }
                return .done(results, Dictionary(uniqueKeysWithValues: logs))
            } catch {
                // Mailboxes with a done record are undone by an expunge, once the locks are released.
                for (mailbox, writer) in zip(targets, writers) where results[mailbox.place] == nil { writer.rollBack() }
                undo = targets.compactMap { mailbox in results[mailbox.place].map { (mailbox, $0.uid) } }
                throw error
            }
        }
    }

    /// After the locks are released, makes the done records and the directories above the shards durable.
    private static func settle(
        _ targets: [Mailbox], _ results: [FileIdentity: AppendResult], _ logs: [FileIdentity: LogFile]
    ) throws(StoreError) {
        for mailbox in targets {
            guard let result = results[mailbox.place] else { continue }
            if mailbox.options.durability != .none {
                do throws(StoreError) {
                    try logs[mailbox.place]?.syncData()
                    if let shard = try mailbox.shard(result.uid.shard) { try mailbox.syncNames(above: shard) }
                } catch {
                    for other in targets {
                        if let uid = results[other.place]?.uid {
                            _ = try? other.expunge([uid], onlyDeleted: false, durable: false)
                        }
                    }
                    throw mailbox.breakMailbox(error)
                }
            }
        }
        for mailbox in targets {
            mailbox.raiseCeilingsAhead()
            mailbox.compactIfNeeded()
        }
    }
}
