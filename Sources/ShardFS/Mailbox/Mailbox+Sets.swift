import DurableFiles
import Glibc
import Primitives

/// One message of a set: its bytes, durable already, and the closure that names them.
struct SetMember {
    var size: UInt32
    var digest: ContentDigest
    var flags: MessageFlags
    /// Keywords without a letter.
    var extra: [String] = []
    var time: Int64
    var link: (ShardDirectory, UnsafePointer<CChar>) throws(Errno) -> Void
}

extension SetMember {
    init(_ message: FinishedMessage, flags: MessageFlags, extra: [String] = [], time: Int64) {
        let staged = message.staged
        self.init(size: message.size, digest: message.digest, flags: flags, extra: extra, time: time) {
            (shard, name) throws(Errno) in try staged.link(shard.descriptor, name)
        }
    }
}

extension Mailbox {
    /// Appends several finished messages under consecutive UIDs: all or none, despite errors, kills and power cuts.
    /// - Throws: the errors of `append`; then nothing was added.
    public func append(_ messages: [(message: FinishedMessage, flags: MessageFlags)]) throws(StoreError)
        -> [AppendResult]
    {
        if messages.count == 1 { return [try append(messages[0].message, flags: messages[0].flags)] }
        // Without a generation there is always a result.
        return try append(messages.map { ($0.message, $0.flags, []) }, generation: nil)!
    }

    /// As ``append(_:)-([(FinishedMessage,MessageFlags)])``. A keyword that goes beyond the limits of the mailbox is
    /// left out.
    public func append(_ messages: [(message: FinishedMessage, flags: NamedFlags)]) throws(StoreError)
        -> [AppendResult]
    {
        if messages.count == 1 { return [try append(messages[0].message, flags: messages[0].flags)] }
        while true {
            let letters = try letters(of: Array(Set(messages.flatMap(\.flags.keywords))), create: true)
            let members = messages.map {
                ($0.message, letters.flags(of: $0.flags), letters.extra(of: $0.flags.keywords))
            }
            if let results = try append(members, generation: letters.generation) { return results }
        }
    }

    /// Nil when letters were freed since they were looked up.
    private func append(
        _ messages: [(message: FinishedMessage, flags: MessageFlags, extra: [String])], generation: UInt64?
    ) throws(StoreError) -> [AppendResult]? {
        var members: [SetMember] = []
        let now = context.now
        for (message, flags, extra) in messages {
            try checkFlags(flags)
            members.append(SetMember(message, flags: flags, extra: extra, time: now))
        }
        guard !members.isEmpty else { return [] }
        while true {
            let outcome = try locked(exclusive: true, uids: members.count, records: members.count + 2) {
                () throws(StoreError) -> SetWriter.Outcome? in
                guard isCurrent(generation) else { return nil }
                return try SetWriter(mailbox: self).run(members)
            }
            guard let outcome else { return nil }
            guard let results = try finishSet(outcome) else { continue }
            for (message, _, _) in messages { message.staged.share?.end() }
            noteDates(zip(results, messages).map { ($0.uid, $1.message.date) })
            return results
        }
    }

    /// After the lock is released, makes the log's done records durable and acknowledges the set. Nil: reserve again.
    func finishSet(_ outcome: SetWriter.Outcome) throws(StoreError) -> [AppendResult]? {
        switch outcome {
        case .recount:
            try context.recountQuota()
            return nil
        case .overQuota:
            throw StoreError(.overQuota, "the quota of \(context.name) is used up")
        case .done(let results, let shards, let log):
            if options.durability != .none {
                do {
                    try log?.syncData()
                    for shard in shards { try syncNames(above: shard) }
                } catch {
                    _ = try? expunge(results.map(\.uid), onlyDeleted: false, durable: false)
                    throw breakMailbox(error)
                }
            }
            raiseCeilingsAhead()
            compactIfNeeded()
            return results
        }
    }
}

/// Writes a set while the lock is held exclusively once: intent, fdatasync of the log, links, fsync of every shard,
/// done records.
///
/// `prepare`, `link` and `commit` are separate so that one delivery to several mailboxes can interleave them.
struct SetWriter {
    enum Outcome {
        /// The log is the one with the done records: compaction may have replaced it since.
        case done([AppendResult], [ShardDirectory], LogFile?)
        case overQuota
        case recount
    }

    let mailbox: Mailbox
    private var first: UInt32 = 0
    private var token: UInt64 = 0
    private var bytes: UInt64 = 0
    private var count = 0
    private var shards: [ShardDirectory] = []
    private var members: [SetMember] = []
    private(set) var log: LogFile?

    init(mailbox: Mailbox) { self.mailbox = mailbox }

    /// All steps, for one mailbox.
    func run(_ members: [SetMember]) throws(StoreError) -> Outcome {
        var writer = self
        if let refused = try writer.prepare(members) { return refused }
        do {
            try writer.link()
            return .done(try writer.commit(), writer.shards, writer.log)
        } catch {
            writer.rollBack()
            throw error
        }
    }

    /// Writes the intent durably and reserves quota. Nil: continue; otherwise nothing was done.
    mutating func prepare(_ members: [SetMember]) throws(StoreError) -> Outcome? {
        try mailbox.syncAboveAhead()
        self.members = members
        count = members.count
        bytes = members.reduce(0) { $0 + UInt64($1.size) }
        token = mailbox.context.tokens.take()
        let log = mailbox.state.withLock { $0.log }
        self.log = log
        first = mailbox.state.withLock { UInt32($0.view.nextUID) }
        let intent = LogRecord(
            .set, done: false, uid: first, token: token, time: mailbox.context.now, size: UInt32(count))
        try mailbox.write(intent)
        do throws(StoreError) {
            if mailbox.options.durability != .none {
                do {
                    // The intent must be found after a power cut that keeps some of the links.
                    if !mailbox.state.withLock({ $0.logNameSynced }) {
                        try doing("sync the mailbox directory") { () throws(Errno) in
                            try mailbox.system.sync(mailbox.directory)
                        }
                        mailbox.state.withLock { $0.logNameSynced = true }
                    }
                    try log.syncData()
                } catch {
                    throw mailbox.breakMailbox(error)
                }
            }
            let outcome = try mailbox.context.reserve(bytes: bytes, messages: count)
            if outcome == .granted { return nil }
            try mailbox.write(void)
            return outcome == .overQuota ? .overQuota : .recount
        } catch {
            try? mailbox.write(void)
            throw error
        }
    }

    private var void: LogRecord { LogRecord(.void, done: true, uid: first, token: token) }

    /// Links every member under its name and makes the names durable.
    mutating func link() throws(StoreError) {
        try mailbox.publishKeywords(of: members.enumerated().map { (first + UInt32($0), $1.extra) })
        for (i, member) in members.enumerated() {
            let shard = try mailbox.publish(first + UInt32(i), member.flags, member.link)
            if shards.last !== shard { shards.append(shard) }
        }
        guard mailbox.options.durability != .none else { return }
        do {
            for shard in shards {
                try shard.sync()
                if !shard.nameSynced.withLock({ $0 }) {
                    try doing("sync the mailbox directory") { () throws(Errno) in
                        try mailbox.system.sync(mailbox.directory)
                    }
                    shard.nameSynced.withLock { $0 = true }
                }
            }
        } catch {
            throw mailbox.breakMailbox(error)
        }
    }

    /// Writes the done records, which make the set visible to readers.
    mutating func commit() throws(StoreError) -> [AppendResult] {
        var records: [LogRecord] = []
        records.reserveCapacity(count + 1)
        for (i, member) in members.enumerated() {
            records.append(
                LogRecord(
                    .append, done: true, uid: first + UInt32(i), flags: member.flags, token: token, time: member.time,
                    size: member.size, digest: member.digest, changesKeywords: !member.extra.isEmpty))
        }
        records.append(
            LogRecord(.set, done: true, uid: first, token: token, time: mailbox.context.now, size: UInt32(count)))
        try mailbox.write(records)
        let (validity, list) = mailbox.state.withLock { ($0.status.uidValidity, $0.view.list) }
        return (0..<count).map { i in
            let uid = UID(first + UInt32(i))
            return AppendResult(uidValidity: validity, uid: uid, modSeq: list.entry(of: uid)?.modSeq ?? 0)
        }
    }

    /// Removes all names while the lock is still held. Names that cannot be removed now are settled by the next holder.
    func rollBack() {
        do {
            try mailbox.rollBack(first: first, count: UInt32(count))
            // If the release fails, the intent stays open, and settling it triggers a recount of the ledger.
            try mailbox.context.ledger.release(bytes: bytes, messages: count)
            try mailbox.write(void)
        } catch {}
    }
}
