import DurableFiles
import Glibc
import Primitives

/// The result of an append.
public struct AppendResult: Hashable, Sendable {
    public var uidValidity: UInt32
    public var uid: UID
    public var modSeq: ModSeq
}

extension Mailbox {
    /// Appends a finished message to the mailbox under the next UID.
    ///
    /// When it returns, the message survives `kill -9` and power loss (except with `durability: none`); when it throws,
    /// the message is not in the mailbox. UIDs become visible in ascending order.
    /// - Throws: `overQuota`, `noSpace`, `busy`, `gone`, `exhausted`, `needsReopen`, `system`.
    public func append(_ message: FinishedMessage, flags: MessageFlags = []) throws(StoreError) -> AppendResult {
        // Without a generation there is always a result.
        try append(message, flags: flags, generation: nil)!
    }

    /// As ``append(_:flags:)``. A keyword that goes beyond the limits of the mailbox is left out: no message is refused
    /// for one.
    public func append(_ message: FinishedMessage, flags: NamedFlags) throws(StoreError) -> AppendResult {
        while true {
            let letters = try letters(of: flags.keywords, create: true)
            let bits = letters.flags(of: flags)
            let result = try append(
                message, flags: bits, extra: letters.extra(of: flags.keywords), generation: letters.generation)
            if let result { return result }
        }
    }

    /// Nil when letters were freed since they were looked up.
    private func append(
        _ message: FinishedMessage, flags: MessageFlags, extra: [String] = [], generation: UInt64?
    ) throws(StoreError) -> AppendResult? {
        let result = try append(
            size: message.size, digest: message.digest, flags: flags, extra: extra, generation: generation
        ) { (shard, name) throws(Errno) in try message.staged.link(shard.descriptor, name) }
        guard let result else { return nil }
        message.staged.share?.end()
        noteDates([(result.uid, message.date)])
        return result
    }

    /// Appends one message whose bytes are durable already: `link` names them. Returns nil if letters were freed since
    /// those in `flags` were looked up, under `generation`. `extra` are keywords without a letter.
    func append(
        size: UInt32, digest: ContentDigest, flags: MessageFlags, extra: [String], generation: UInt64?,
        _ link: (ShardDirectory, UnsafePointer<CChar>) throws(Errno) -> Void
    ) throws(StoreError) -> AppendResult? {
        try checkFlags(flags)
        while true {
            try syncAboveAhead()
            let outcome = try locked(exclusive: true, uids: 1, records: 2) { () throws(StoreError) in
                guard isCurrent(generation) else { return AppendOutcome.lettersFreed }
                return try appendLocked(size: size, digest: digest, flags: flags, extra: extra, link)
            }
            switch outcome {
            case .lettersFreed: return nil
            case .needsRecount: try context.recountQuota()
            case .overQuota: throw StoreError(.overQuota, "the quota of \(context.name) is used up")
            case .done(let result, let shard):
                try makeDurable([shard], appended: [result.uid])
                raiseCeilingsAhead()
                compactIfNeeded()
                return result
            }
        }
    }

    private enum AppendOutcome {
        case done(AppendResult, ShardDirectory)
        case overQuota, needsRecount, lettersFreed
    }

    /// Rejects flags that a file name cannot carry.
    func checkFlags(_ flags: MessageFlags) throws(StoreError) {
        if flags.rawValue >> 62 != 0 { throw StoreError(.invalidArgument, "no such flag") }
    }

    /// Appends under the exclusive lock.
    private func appendLocked(
        size: UInt32, digest: ContentDigest, flags: MessageFlags, extra: [String],
        _ link: (ShardDirectory, UnsafePointer<CChar>) throws(Errno) -> Void
    ) throws(StoreError) -> AppendOutcome {
        let uid = state.withLock { UInt32($0.view.nextUID) }
        var record = LogRecord(
            .append, done: false, uid: uid, flags: flags, token: context.tokens.take(), time: context.now, size: size,
            digest: digest, changesKeywords: !extra.isEmpty)
        try write(record)
        do {
            switch try context.reserve(bytes: UInt64(size), messages: 1) {
            case .granted: break
            case .overQuota:
                try write(LogRecord(.void, done: true, uid: uid, token: record.token))
                return .overQuota
            case .needsRecount:
                try write(LogRecord(.void, done: true, uid: uid, token: record.token))
                return .needsRecount
            }
        } catch {
            try? write(LogRecord(.void, done: true, uid: uid, token: record.token))
            throw error
        }
        let shard: ShardDirectory
        do {
            try publishKeywords(of: [(uid, extra)])
            shard = try publish(uid, flags, link)
        } catch {
            // After an ambiguous error (EIO, a timeout) the name may exist.
            if error.errno != .exists, let shard = try? self.shard(uid / UID.perShard) {
                try? MessageFileName.with(uid, flags) { (name) throws(Errno) in
                    try system.unlink(shard.descriptor, name)
                }
            }
            do {
                // If the release fails, the intent stays open, and settling it triggers a recount of the ledger.
                try context.ledger.release(bytes: UInt64(size), messages: 1)
                try write(LogRecord(.void, done: true, uid: uid, token: record.token))
            } catch {}
            throw error
        }
        record.isDone = true
        do {
            try write(record)
        } catch {
            // Without a done record nobody has seen the name: remove it, and the intent is settled as void.
            do {
                try MessageFileName.with(uid, flags) { (name) throws(Errno) in try system.unlink(shard.descriptor, name)
                }
                try? context.ledger.release(bytes: UInt64(size), messages: 1)
            } catch {}
            throw error
        }
        let (validity, modSeq) = state.withLock { s in
            (s.status.uidValidity, s.view.list.entry(of: UID(uid))?.modSeq ?? s.view.highestModSeq)
        }
        return .done(AppendResult(uidValidity: validity, uid: UID(uid), modSeq: modSeq), shard)
    }

    /// Links a message under its final name, creating the shard directory if it is missing.
    /// - Parameter moving: for a rename, which takes the old name away: the shard's own name is made durable first.
    func publish(
        _ uid: UInt32, _ flags: MessageFlags, moving: Bool = false,
        _ link: (ShardDirectory, UnsafePointer<CChar>) throws(Errno) -> Void
    ) throws(StoreError) -> ShardDirectory {
        let number = uid / UID.perShard
        for attempt in 0..<3 {
            guard let shard = try shard(number, create: true) else { continue }
            if moving, options.durability != .none {
                do { try syncNames(above: shard) } catch { throw breakMailbox(error) }
            }
            do {
                try MessageFileName.with(uid, flags) { (name) throws(Errno) in try link(shard, name) }
                return shard
            } catch .notFound where attempt < 2 {
                // Another process removed the directory as empty: open it again.
                forgetShard(number)
            } catch {
                throw StoreError.system(error, "publish message \(uid)")
            }
        }
        throw StoreError(.system, "could not publish message \(uid): its shard directory keeps disappearing")
    }

    /// Makes names in shards durable before they are acknowledged; called without the lock.
    ///
    /// A failed sync removes the appended messages and closes the mailbox for writing.
    func makeDurable(_ shards: [ShardDirectory], appended: [UID]) throws(StoreError) {
        guard options.durability != .none else { return }
        do {
            for shard in shards {
                try shard.sync()
                try syncNames(above: shard)
            }
        } catch {
            _ = try? expunge(appended, onlyDeleted: false, durable: false)
            throw breakMailbox(error)
        }
    }
}
