import DurableFiles
import Glibc
import Primitives

/// The result of a flag change.
public struct FlagResult: Sendable {
    /// The messages after the change, in the requested order; unchanged ones included.
    public var changed: [MessageEntry] = []
    /// UIDs that do not exist (any more).
    public var missing: [UID] = []
    /// UIDs changed after `unchangedSince`, and therefore skipped.
    public var modified: [UID] = []
}

extension Mailbox {
    /// Messages changed each time the lock is held.
    static let flagRound = 256
    /// Attempts to rename a message whose name keeps changing.
    private static let flagTries = 32
    /// Directory listings that must lack a message before it counts as gone.
    private static let listingTries = 4

    /// Changes the flags of messages. Concurrent changes never lose each other's result, nor the message.
    ///
    /// Durable on return with `durability: full`; otherwise with the file system's next commit.
    /// - Parameter unchangedSince: skips messages changed after this mod-sequence (RFC 7162, 3.1.3).
    /// - Throws: the first failure; changes made before it remain, and are in the log.
    public func changeFlags(
        _ uids: [UID], _ change: FlagChange, unchangedSince: ModSeq? = nil
    ) throws(StoreError) -> FlagResult {
        var result = FlagResult()
        var at = 0
        _ = try changeFlags(uids, from: &at, change, nil, unchangedSince: unchangedSince, generation: nil, &result)
        return result
    }

    /// As ``changeFlags(_:_:unchangedSince:)``, with keywords by name; those without a letter are kept in
    /// keywords.json. Which letters they had is in the change returned.
    /// - Throws: `limit` when the mailbox has no room for more keywords; the change ends there.
    public func changeFlags(
        _ uids: [UID], _ operation: FlagOperation, _ flags: NamedFlags, unchangedSince: ModSeq? = nil
    ) throws(StoreError) -> (result: FlagResult, change: FlagChange) {
        var result = FlagResult()
        var at = 0
        while true {
            let letters = try letters(of: flags.keywords, create: operation != .remove)
            let extra = ExtraChange(operation, flags.keywords, withoutRoom: letters.extra(of: flags.keywords))
            let change = FlagChange(operation, letters.flags(of: flags))
            let isDone = try changeFlags(
                uids, from: &at, change, extra, unchangedSince: unchangedSince, generation: letters.generation, &result)
            if isDone { return (result, change) }
        }
    }

    /// Changes the messages from index `at` on. False when letters were freed since they were looked up: `at` is then
    /// the first that was not changed.
    private func changeFlags(
        _ uids: [UID], from at: inout Int, _ change: FlagChange, _ extra: ExtraChange?, unchangedSince: ModSeq?,
        generation: UInt64?, _ result: inout FlagResult
    ) throws(StoreError) -> Bool {
        try checkFlags(change.add)
        result.changed.reserveCapacity(uids.count)
        var touched: [ShardDirectory] = []
        var isCurrent = true
        // Names alone are subject to ABA, so a conditional change reads the log to its end under the exclusive lock;
        // and keywords.json is written under it.
        var isExclusive = unchangedSince != nil
        while at < uids.count {
            let round = uids[at..<min(at + Self.flagRound, uids.count)]
            let before = result
            var isDone = true
            do throws(StoreError) {
                try locked(exclusive: isExclusive, uids: 0, records: 2 * round.count) { () throws(StoreError) in
                    isCurrent = self.isCurrent(generation)
                    guard isCurrent else { return }
                    let extra = extra.flatMap { e in e.concerns(state.withLock { $0.extraKeywords }, round) ? e : nil }
                    if extra != nil, !isExclusive {
                        (isDone, isExclusive) = (false, true)
                    } else if round.count == 1, !isExclusive {
                        try changeOne(round.first!, change, &result, &touched)
                    } else {
                        try changeRound(
                            round, change, extra, unchangedSince, isExclusive: isExclusive, &result, &touched)
                    }
                }
            } catch {
                // A conditional change would find its own.
                guard change.add.contains(.deleted), unchangedSince == nil, context.room.canRetry(error) else {
                    throw error
                }
                result = before
                continue
            }
            guard isCurrent else { break }
            if isDone { at = round.endIndex }
        }
        if options.durability == .full {
            do {
                for shard in touched {
                    try shard.sync()
                }
            } catch {
                throw breakMailbox(error)
            }
        }
        if at > 0 {
            raiseCeilingsAhead()
            compactIfNeeded()
        }
        return isCurrent
    }

    /// The point of no return. On a thread that must not wait, a change begins only if nothing has to be synced or
    /// tidied up after it.
    private func beginChange() throws(StoreError) {
        guard Waiting.isForbidden else { return }
        if options.durability == .full || isUpkeepDue { try context.mayWait() }
        do throws(Errno) { try Waiting.commit() } catch { throw StoreError.system(error, "go on without waiting") }
    }

    /// The common case of one message, without arrays.
    private func changeOne(
        _ uid: UID, _ change: FlagChange, _ result: inout FlagResult, _ touched: inout [ShardDirectory]
    ) throws(StoreError) {
        let (log, known) = state.withLock { ($0.log, $0.view.list.entry(of: uid)) }
        guard let known else {
            result.missing.append(uid)
            return
        }
        if change.applied(to: known.flags) == known.flags {
            result.changed.append(known)
            return
        }
        guard let shard = try shard(uid.shard) else {
            result.missing.append(uid)
            return
        }
        try beginChange()
        var record = LogRecord(.flags, done: false, uid: uid.rawValue, token: context.tokens.take(), time: context.now)
        try log.append(record)
        let flags: MessageFlags?
        do {
            flags = try rename(uid.rawValue, known.flags, change, in: shard)
        } catch {
            try? write(LogRecord(.void, done: true, uid: uid.rawValue, token: record.token))
            throw error
        }
        guard let flags else {
            // It has no name: removed by an expunge, which has its own record, or by another program.
            try write(LogRecord(.void, done: true, uid: uid.rawValue, token: record.token))
            result.missing.append(uid)
            return
        }
        record.isDone = true
        record.flags = flags
        try write(record)
        if let now = state.withLock({ $0.view.list.entry(of: uid) }) { result.changed.append(now) }
        if options.durability == .full { touched.append(shard) }
    }

    private func changeRound(
        _ uids: ArraySlice<UID>, _ change: FlagChange, _ extra: ExtraChange?, _ unchangedSince: ModSeq?,
        isExclusive: Bool, _ result: inout FlagResult, _ touched: inout [ShardDirectory]
    ) throws(StoreError) {
        let (log, list) = state.withLock { ($0.log, $0.view.list) }
        let time = context.now
        // keywords.json is synced.
        if extra != nil { try context.mayWait() }
        var keywords = try extra.map { (extra) throws(StoreError) in try KeywordChange(extra, in: self) }
        var records: [LogRecord] = []
        var known: [MessageFlags] = []
        for uid in uids {
            guard let entry = list.entry(of: uid) else {
                result.missing.append(uid)
                continue
            }
            if let unchangedSince, entry.modSeq > unchangedSince {
                result.modified.append(uid)
                continue
            }
            let changesKeywords = keywords?.apply(to: uid.rawValue) ?? false
            if !changesKeywords, change.applied(to: entry.flags) == entry.flags { continue }
            records.append(
                LogRecord(.flags, done: false, uid: uid.rawValue, time: time, changesKeywords: changesKeywords))
            known.append(entry.flags)
        }
        var failure: StoreError?
        if !records.isEmpty {
            try beginChange()
            context.tokens.number(&records)
            let file = try keywords?.file(token: records[0].token)
            // An exclusive holder counts the log's records by its own writes.
            if isExclusive { try write(records) } else { try log.append(records) }
            do throws(StoreError) { if let file { try publish(file) } } catch { failure = error }
            for i in records.indices {
                records[i].isDone = true
                guard failure == nil else {
                    records[i].endUnchanged(known[i])
                    continue
                }
                do {
                    let shard = try shard(records[i].uid / UID.perShard)
                    if let shard, let now = try rename(records[i].uid, known[i], change, in: shard) {
                        records[i].flags = now
                        if options.durability == .full, touched.last !== shard { touched.append(shard) }
                    } else {
                        records[i].kind = .void
                    }
                } catch {
                    records[i].endUnchanged(known[i])
                    failure = error
                }
            }
            try write(records)
        }
        if let failure { throw failure }
        let gone = Set(records.lazy.filter { $0.kind == .void }.map(\.uid))
        let now = state.withLock { $0.view.list }
        for uid in uids {
            guard let before = list.entry(of: uid), before.modSeq <= unchangedSince ?? .max else { continue }
            if !gone.contains(uid.rawValue), let entry = now.entry(of: uid) {
                result.changed.append(entry)
            } else {
                result.missing.append(uid)
            }
        }
    }

    /// The keywords of a round of messages, being changed. Exclusive lock.
    private struct KeywordChange {
        let change: ExtraChange
        let mailbox: Mailbox
        private var table: ExtraKeywords
        private var undo = KeywordFile.Change(token: 0)

        init(_ change: ExtraChange, in mailbox: Mailbox) throws(StoreError) {
            self.change = change
            self.mailbox = mailbox
            table = try mailbox.extraKeywordsToChange()
        }

        /// Changes a message's; false if it has them already.
        mutating func apply(to uid: UInt32) -> Bool {
            let before = table.names(of: UID(uid))
            guard change.apply(to: &table, uid) else { return false }
            undo.uids.insert(uid)
            for name in before { undo.before.insert(name, uid) }
            return true
        }

        /// The file to be published; nil if no message's keywords change.
        /// - Throws: `limit` if they are too many.
        func file(token: UInt64) throws(StoreError) -> KeywordFile? {
            if undo.uids.isEmpty { return nil }
            var undo = undo
            undo.token = token
            return try mailbox.keywordFile(with: table, undo)
        }
    }

    /// Renames a message to its changed flags. Returns the resulting flags, or nil if the message has no name.
    ///
    /// Tries the last known name first. ENOENT means that someone else changed it: look it up, apply the change to the
    /// flags found, and try again.
    func rename(
        _ uid: UInt32, _ known: MessageFlags, _ change: FlagChange, in shard: ShardDirectory
    ) throws(StoreError) -> MessageFlags? {
        var flags = known
        var nonCanonical: String?
        var misses = 0
        for _ in 0..<Self.flagTries {
            let wanted = change.applied(to: flags)
            if wanted == flags, nonCanonical == nil { return flags }
            do {
                try renameOnce(uid, flags, nonCanonical, wanted, in: shard)
                return wanted
            } catch .notFound {
            } catch .exists {
                // Two names of one UID: left for fsck to judge, and this name stays unchanged.
                throw StoreError(.damaged, "message \(uid) of \(path) has two names")
            } catch {
                // The rename may have succeeded anyway (a timeout, EIO): check.
                if try shard.lookUp(uid, lastKnown: wanted)?.flags == wanted { return wanted }
                throw StoreError.system(error, "change the flags of message \(uid)")
            }
            guard let now = try shard.lookUp(uid, lastKnown: nil) else {
                // A listing concurrent with renames may miss an existing name.
                misses += 1
                if misses < Self.listingTries { continue }
                return nil
            }
            flags = now.flags
            nonCanonical = now.name == MessageFileName.string(UID(uid), now.flags) ? nil : now.name
        }
        throw StoreError(.busy, "the name of message \(uid) keeps changing")
    }

    @inline(__always)
    private func renameOnce(
        _ uid: UInt32, _ flags: MessageFlags, _ nonCanonical: String?, _ wanted: MessageFlags, in shard: ShardDirectory
    ) throws(Errno) {
        try MessageFileName.with(uid, wanted) { (new) throws(Errno) in
            if let nonCanonical {
                try renameChecked(shard.descriptor, nonCanonical, shard.descriptor, new)
            } else {
                try MessageFileName.with(uid, flags) { (old) throws(Errno) in
                    try renameChecked(shard.descriptor, old, shard.descriptor, new)
                }
            }
        }
    }

    /// Checks after an ambiguous error whether a rename happened: the new name exists and the old one does not.
    func renameHappened(_ fromDirectory: Int32, _ from: String, _ toDirectory: Int32, _ to: String) -> Bool {
        guard (try? system.status(toDirectory, to)) != nil else { return false }
        do { _ = try system.status(fromDirectory, from) } catch .notFound { return true } catch {}
        return false
    }

    /// See ``AccountContext/renameChecked(_:_:_:_:)``.
    func renameChecked(
        _ fromDirectory: Int32, _ from: UnsafePointer<CChar>, _ toDirectory: Int32, _ to: UnsafePointer<CChar>
    ) throws(Errno) {
        try context.renameChecked(fromDirectory, from, toDirectory, to)
    }
}

extension AccountContext {
    /// Renames without replacing. If the file system cannot guarantee that, looks up the new name and then renames
    /// plainly (never link and unlink, which can leave two names when three writers meet).
    func renameChecked(
        _ fromDirectory: Int32, _ from: UnsafePointer<CChar>, _ toDirectory: Int32, _ to: UnsafePointer<CChar>
    ) throws(Errno) {
        if can(.renameNoReplace) {
            try system.rename(fromDirectory, from, toDirectory, to, replacing: false)
            return
        }
        do {
            _ = try system.status(toDirectory, to)
        } catch .notFound {
            try system.rename(fromDirectory, from, toDirectory, to, replacing: true)
            return
        }
        throw .exists
    }
}

extension LogRecord {
    /// Ends an intent whose change failed. What keywords.json tells stands, whatever became of its publication.
    fileprivate mutating func endUnchanged(_ known: MessageFlags) {
        if changesKeywords { flags = known } else { kind = .void }
    }
}
