import DurableFiles
import Glibc
import Primitives

extension Mailbox {
    /// The lock file in `.expunged/`, held while a message is undeleted.
    static let undeleteLock = ".lock"
    /// Messages expunged or moved each time the lock is held.
    static let expungeRound = 256

    /// Expunges the messages among `uids` (nil: all messages) that have \Deleted at that moment; returns the expunged
    /// UIDs.
    ///
    /// The files are kept in `.expunged/` until their retention ends. Durable on return (except with `durability:
    /// none`).
    public func expunge(_ uids: [UID]? = nil) throws(StoreError) -> [UID] {
        let wanted: [UID]
        if let uids {
            wanted = uids
        } else {
            try refresh()
            var marked: [UID] = []
            state.withLock { $0.view.list }.forEach { if $0.flags.contains(.deleted) { marked.append($0.uid) } }
            wanted = marked
        }
        return try expunge(wanted, onlyDeleted: true, durable: true)
    }

    /// Removes messages in the same way, whatever their flags.
    public func remove(_ uids: [UID]) throws(StoreError) -> [UID] {
        try expunge(uids, onlyDeleted: false, durable: true)
    }

    func expunge(_ uids: [UID], onlyDeleted: Bool, durable: Bool) throws(StoreError) -> [UID] {
        var gone: [UID] = []
        var touched: Set<UInt32> = []
        var at = 0
        let hour = ExpungedName.hour(context.now)
        while at < uids.count {
            let round = uids[at..<min(at + Self.expungeRound, uids.count)]
            do throws(StoreError) {
                try locked(exclusive: true, uids: 0, records: 2 * round.count) { () throws(StoreError) in
                    try expungeRound(round, onlyDeleted, hour, durable, &gone, &touched)
                }
            } catch {
                // What has gone is not in the round any more.
                if context.room.canRetry(error) { continue }
                throw error
            }
            at = round.endIndex
        }
        guard !gone.isEmpty else { return gone }
        if durable, options.durability != .none {
            do {
                // The new names before the old ones go.
                try syncBelow("\(ExpungedName.directory)/\(hour)")
                for number in touched {
                    guard let shard = try shard(number) else { continue }
                    try shard.sync()
                }
            } catch {
                throw breakMailbox(error)
            }
        }
        // An empty directory left behind is harmless.
        try? removeEmptyShards(touched)
        raiseCeilingsAhead()
        compactIfNeeded()
        if durable { context.purgeIfMuchIsKept() }
        return gone
    }

    /// Syncs a directory below the mailbox's.
    func syncBelow(_ name: String) throws(StoreError) {
        let fd = try doing("open \(name)") { () throws(Errno) in try system.openDirectory(directory, name) }
        defer { system.close(fd) }
        try doing("sync \(name)") { () throws(Errno) in try system.sync(fd) }
    }

    private func expungeRound(
        _ uids: ArraySlice<UID>, _ onlyDeleted: Bool, _ hour: String, _ durable: Bool, _ gone: inout [UID],
        _ touched: inout Set<UInt32>
    ) throws(StoreError) {
        let (list, validity) = state.withLock { ($0.view.list, $0.status.uidValidity) }
        let time = context.now
        var records: [LogRecord] = []
        for uid in uids {
            guard let entry = list.entry(of: uid), !onlyDeleted || entry.flags.contains(.deleted) else { continue }
            records.append(
                LogRecord(.expunge, done: false, uid: uid.rawValue, flags: entry.flags, time: time, size: entry.size))
        }
        guard !records.isEmpty else { return }
        context.tokens.number(&records)
        let bin = try openExpunged(hour, durable: durable && options.durability != .none)
        defer { system.close(bin) }
        try write(records)
        var failure: StoreError?
        var freed: UInt64 = 0
        var count = 0
        for i in records.indices {
            records[i].isDone = true
            guard failure == nil else {
                records[i].kind = .void
                continue
            }
            do {
                if try moveToExpunged(records[i], validity, bin, onlyDeleted) {
                    freed += UInt64(records[i].messageSize)
                    count += 1
                    touched.insert(records[i].uid / UID.perShard)
                } else {
                    // Another program removed the file: a lookup under this lock shows that it is gone.
                    try context.ledger.markRecount()
                }
            } catch {
                records[i].kind = .void
                failure = error
            }
        }
        // Between change and done record: a kill here can only leave the usage too high.
        context.noteKept(bytes: freed)
        try context.ledger.release(bytes: freed, messages: count)
        try write(records)
        gone.append(contentsOf: records.lazy.filter { $0.kind == .expunge }.map { UID($0.uid) })
        if let failure { throw failure }
    }

    /// Moves a message to `.expunged/`; false if it has no name.
    private func moveToExpunged(
        _ record: LogRecord, _ validity: UInt32, _ bin: Int32, _ onlyDeleted: Bool
    ) throws(StoreError) -> Bool {
        guard let shard = try shard(record.uid / UID.perShard) else { return false }
        var flags = record.flags
        var nonCanonical: String?
        for _ in 0..<3 {
            let name = nonCanonical ?? MessageFileName.string(UID(record.uid), flags)
            do {
                try renameChecked(
                    shard.descriptor, name, bin, ExpungedName.string(validity, UID(record.uid), flags))
                return true
            } catch .notFound {
            } catch {
                let gone = ExpungedName.string(validity, UID(record.uid), flags)
                if renameHappened(shard.descriptor, name, bin, gone) { return true }
                throw StoreError.system(error, "expunge message \(record.uid)")
            }
            guard let now = try shard.lookUp(record.uid, lastKnown: nil) else { return false }
            flags = now.flags
            nonCanonical = now.name
        }
        // It has a name, so no record may report it as gone.
        throw StoreError(
            .system, "could not expunge message \(record.uid): \(ExpungedName.directory) keeps disappearing")
    }

    /// Opens the directory of this hour, creating it if it is missing. Its name is durable before a message is renamed
    /// into it, whoever created it.
    private func openExpunged(_ hour: String, durable: Bool) throws(StoreError) -> Int32 {
        let path = "\(ExpungedName.directory)/\(hour)"
        for path in [ExpungedName.directory, path] {
            do { try system.makeDirectory(directory, path) } catch .exists {} catch {
                throw StoreError.system(error, "create \(path)")
            }
        }
        let fd = try doing("open \(path)") { () throws(Errno) in try system.openDirectory(directory, path) }
        guard durable else { return fd }
        do throws(StoreError) {
            let identity = try doing("stat \(path)") { () throws(Errno) in try system.status(fd).identity }
            if state.withLock({ $0.expungedSynced }) == identity { return fd }
            try syncExpunged()
            state.withLock { $0.expungedSynced = identity }
            return fd
        } catch {
            system.close(fd)
            throw error
        }
    }

    private func syncExpunged() throws(StoreError) {
        do {
            try doing("sync the mailbox directory") { () throws(Errno) in try system.sync(directory) }
            try syncBelow(ExpungedName.directory)
        } catch {
            throw breakMailbox(error)
        }
    }

    /// Removes shard directories left empty by an expunge or a move, except the newest.
    func removeEmptyShards(_ numbers: Set<UInt32>) throws(StoreError) {
        let list = state.withLock { $0.view.list }
        let newest = state.withLock { UInt32(clamping: max($0.view.nextUID, 1) - 1) } / UID.perShard
        let empty = numbers.filter { list.shardIndex($0) == nil && $0 < newest }
        guard !empty.isEmpty else { return }
        try locked(exclusive: true) { () throws(StoreError) in
            for number in empty {
                forgetShard(number)
                // A directory with foreign files is kept.
                do throws(Errno) {
                    try system.removeDirectory(directory, ShardName.string(number))
                } catch .notEmpty {
                } catch .notFound {
                } catch {
                    throw StoreError.system(error, "remove an empty shard directory")
                }
            }
        }
    }

    // MARK: undelete and purge

    /// An expunged message kept in `.expunged/`.
    public struct ExpungedMessage: Hashable, Sendable {
        /// Its former UID, under `uidValidity`.
        public var uid: UID
        public var uidValidity: UInt32
        public var flags: MessageFlags
        /// The UTC hour of the expunge, `yyyymmddhh`.
        public var hour: String
    }

    /// Returns the messages that can be undeleted, oldest expunge first.
    public func recoverableMessages() throws(StoreError) -> [ExpungedMessage] {
        var found: [ExpungedMessage] = []
        try forEachExpunged { (hour, file) throws(StoreError) in
            found.append(
                ExpungedMessage(uid: UID(file.uid), uidValidity: file.uidValidity, flags: file.flags, hour: hour))
        }
        return found
    }

    /// Restores an expunged message as a new message without \Deleted; its old UID never returns.
    public func undelete(_ message: ExpungedMessage) throws(StoreError) -> AppendResult {
        try checkWritable()
        // Two concurrent calls would both find the file and restore it twice.
        do {
            return try system.files.hold(
                "\(ExpungedName.directory)/\(Self.undeleteLock)", in: directory, until: context.deadline
            ) { () throws(StoreError) in try undeleteLocked(message) }
        } catch {
            // Nothing was ever expunged here.
            guard error.errno == .notFound, error.code == .gone else { throw error }
            throw StoreError(.notFound, "message \(message.uid) is not in \(ExpungedName.directory)")
        }
    }

    private func undeleteLocked(_ message: ExpungedMessage) throws(StoreError) -> AppendResult {
        // Before the file is opened: as long as it stands there its letters are not freed.
        try refresh()
        let (generation, keywords) = state.withLock {
            ($0.letterGeneration, $0.keywordFile.keywords[message.uidValidity])
        }
        let extra = keywords?.names(of: message.uid) ?? []
        let name = ExpungedName.string(message.uidValidity, message.uid, message.flags)
        let source = "\(ExpungedName.directory)/\(message.hour)/\(name)"
        let file = try MessageFile.open(system, directory, source, uid: message.uid)
        guard let file else {
            throw StoreError(.notFound, "message \(message.uid) is not in \(ExpungedName.directory)")
        }
        let digest = try file.digest()
        let copy = context.can(.hardLinks) ? nil : try stage(copyOf: file)
        let result: AppendResult?
        do {
            result = try append(
                size: file.size, digest: digest, flags: message.flags.subtracting(.deleted), extra: extra,
                generation: generation
            ) {
                (shard, target) throws(Errno) in
                if let copy { return try copy.staged.link(shard.descriptor, target) }
                try system.link(directory, source, shard.descriptor, target)
            }
        } catch {
            guard error.errno == .notFound else { throw error }
            throw StoreError(.notFound, "message \(message.uid) has been restored or purged", errno: .notFound)
        }
        guard let result else {
            // Letters were freed since, including this message's if it was purged: look the name up again.
            return try undeleteLocked(message)
        }
        // The message is restored, whatever happens to its old name: that one is removed with its hour.
        try? remove(source, in: directory)
        return result
    }

    /// Permanently removes the messages expunged in an hour before `before` (`yyyymmddhh`, UTC); returns the number of
    /// files.
    public func purgeExpunged(before: String) throws(StoreError) -> Int {
        var count = 0
        for hour in try system.files.names(directory, ExpungedName.directory) where hour < before {
            guard ExpungedName.isHour(hour) else { continue }
            let path = "\(ExpungedName.directory)/\(hour)"
            for name in try system.files.names(directory, path) where ExpungedName(name) != nil {
                try remove("\(path)/\(name)", in: directory)
                count += 1
            }
            do { try system.removeDirectory(directory, path) } catch .notEmpty {} catch .notFound {} catch {
                throw StoreError.system(error, "remove \(path)")
            }
        }
        return count
    }

    /// Permanently removes expunged messages past the store's retention; returns the number of files.
    @discardableResult
    public func purgeExpunged() throws(StoreError) -> Int {
        try purgeExpunged(
            before: ExpungedName.hour(context.now - context.retentionSeconds))
    }
}
