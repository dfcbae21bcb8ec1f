import DurableFiles
import Glibc
import Primitives

// Opening: the log yields the view, and an exact listing of every shard confirms it.

extension Mailbox {
    /// Shards listed each time the lock is held.
    private static let shardsPerRound = 8

    /// Opens the mailbox in `path` (below the account's directory), recovering it after a reboot.
    /// - Throws: `notFound` if there is no mailbox, `damaged`, `busy`, `system`.
    static func open(_ context: AccountContext, path: String) throws(StoreError) -> Mailbox {
        let directory: Int32
        do {
            directory = try context.system.openDirectory(context.directory, path)
        } catch .notFound {
            throw StoreError(.notFound, "there is no mailbox at \(path)")
        } catch {
            throw StoreError.system(error, "open the mailbox at \(path)")
        }
        let result: Result<(Mailbox, wasCut: Bool), StoreError>
        do throws(StoreError) {
            result = .success(try open(context, path, directory))
        } catch { result = .failure(error) }
        switch result {
        case .success((let mailbox, let wasCut)):
            // From here on the mailbox owns the descriptor.
            if wasCut { try mailbox.locked(exclusive: true) { () throws(StoreError) in try mailbox.beginAnew() } }
            guard try mailbox.listOrRead() else {
                // Its files are judged anew, and it may become another mailbox by that.
                let epoch = mailbox.state.withLock { $0.log.epoch }
                try Recovery(context: context, directory: directory, path: path).run(mailbox.locks, doubted: epoch)
                // The descriptor is the mailbox's.
                return try withExtendedLifetime(mailbox) { () throws(StoreError) in try open(context, path: path) }
            }
            mailbox.notePlace()
            return mailbox
        case .failure(let error):
            context.system.close(directory)
            throw error
        }
    }

    private static func open(
        _ context: AccountContext, _ path: String, _ directory: Int32
    ) throws(StoreError) -> (Mailbox, wasCut: Bool) {
        let locks = MailboxLocks(
            system: context.system, directory: directory, wait: context.options.lockWait,
            waiters: context.options.lockWaiters)
        let recovery = Recovery(context: context, directory: directory, path: path)
        if !context.options.readOnly {
            do throws(StoreError) { try recovery.separateCopy(locks) } catch {
                guard error.code == .noSpace || error.code == .readOnly else { throw error }
            }
        }
        var found = try recovery.inspect()
        var obstacle: StoreError?
        if case .needed = found {
            if context.options.readOnly {
                throw StoreError(
                    .readOnly, "the mailbox at \(path) must be recovered first; open the store for writing once")
            }
            do throws(StoreError) {
                try recovery.run(locks)
                found = try recovery.inspect()
            } catch {
                // To be read all the same; the next opening tries again.
                guard error.code == .noSpace || error.code == .readOnly, let (status, log) = try recovery.unrecovered()
                else { throw error }
                context.options.notice?("the mailbox at \(path) of \(context.name) is not recovered: \(error.message)")
                found = .current(status, log)
                obstacle = StoreError(
                    .readOnly, "the mailbox must be recovered first (\(error.message))", errno: error.errno)
            }
        }
        guard case .current(let status, let log) = found else {
            throw StoreError(.damaged, "the mailbox at \(path) could not be recovered")
        }
        let place = try doing("stat the mailbox at \(path)") { () throws(Errno) in
            try context.system.status(directory).identity
        }
        var state = State(
            log: log, view: MailboxView(log.openedHeader, uidFloor: status.uidFloor), status: status, path: path,
            logPath: context.logPath(path))
        var wasCut = false
        if let obstacle = obstacle ?? log.obstacle {
            state.broken = obstacle
            state.isUnrecovered = true
            state.view.raiseNextUID(max(status.uidCeiling, log.openedHeader.uidCeiling))
        } else {
            switch try cachedView(context, log, status) {
            case .none: break
            case .usable(let view, let parts, let lastChecksum):
                state.view = view
                state.parts = parts
                state.lastChecksum = lastChecksum
            case .logWasCut: wasCut = !context.options.readOnly
            }
        }
        return (Mailbox(context: context, directory: directory, place: place, locks: locks, state: state), wasCut)
    }

    /// Lists the shards; a mailbox that cannot be locked is read all the same.
    private func listOrRead() throws(StoreError) -> Bool {
        do throws(StoreError) {
            return try list()
        } catch {
            guard error.code == .readOnly, !options.readOnly else { throw error }
            state.withLock { s in
                s.broken = error
                s.isUnrecovered = true
            }
            return try list()
        }
    }

    /// Compares every shard with the log, newest first, a few each time the lock is held.
    /// - Returns: false, with nothing listed, if the log is older than the names.
    private func list() throws(StoreError) -> Bool {
        if options.readOnly || state.withLock({ $0.isUnrecovered }) {
            try listReadOnly()
            return true
        }
        // The bulk of the log needs no lock.
        let log = state.withLock { $0.log }
        if try catchUp(to: LogFile.records(in: log.size())) != .end {
            try locked(exclusive: true) { () throws(StoreError) in }
        }
        if try isOlderThanNames() { return false }
        keepView(afterListing: try listTouched())
        return true
    }

    /// Whether a name has a UID that the log has not given out. UIDs and mod-sequences of the time since would be given
    /// out again.
    private func isOlderThanNames() throws(StoreError) -> Bool {
        func isOutnumbered() throws(StoreError) -> Bool {
            let (next, status) = state.withLock { ($0.view.nextUID, $0.status) }
            let end = status.uidCeiling + UsedUIDs.handmade
            let used = UsedUIDs(system: system, directory: directory)
            return try used.highest(status.uidValidity, from: next, below: end, passing: isAsListed) >= next
        }
        // A writer's message may have its name before this view has its intent.
        guard try isOutnumbered() else { return false }
        return try locked(exclusive: true, isOutnumbered)
    }

    /// Compares the shards that are not known to agree with the log; returns their number.
    ///
    /// A shard with an unchanged stamp needs no lock: no name in it has changed since it was listed.
    @discardableResult
    func listTouched() throws(StoreError) -> Int {
        state.withLock { s in
            if s.parts.listed.isEmpty, s.parts.stored.isEmpty { s.parts.place = s.view.applied }
        }
        try noteTouched()
        var numbers = try shardNumbers()
        numbers.removeAll(where: isAsListed)
        let count = numbers.count
        while !numbers.isEmpty {
            let round = Array(numbers.prefix(Self.shardsPerRound))
            numbers.removeFirst(round.count)
            var short: [UInt32] = []
            try locked(exclusive: true) { () throws(StoreError) in
                for number in round where try !listShard(number) { short.append(number) }
            }
            for number in short { try listFullShard(number) }
        }
        return count
    }

    /// Lists a shard with more unlogged messages than the ceilings leave room for. If the mailbox has no UIDs left for
    /// them, they are left alone.
    private func listFullShard(_ number: UInt32) throws(StoreError) {
        for _ in 0..<8 {
            do throws(StoreError) {
                try raiseCeilings(uids: 2 * Int(UID.perShard), records: 4 * Int(UID.perShard), always: true)
            } catch {
                guard error.code == .exhausted else { throw error }
                return
            }
            if try locked(exclusive: true, { () throws(StoreError) in try listShard(number) }) { return }
        }
    }

    /// The shards in the directory or in the view, newest first.
    func shardNumbers() throws(StoreError) -> [UInt32] {
        var numbers = Set(state.withLock { $0.view.list.shards.map(\.number) })
        try system.files.forEach(directory, ".") { name, _ in
            if let number = ShardName.parse(name) { numbers.insert(number) }
        }
        return numbers.sorted(by: >)
    }

    /// Compares one shard with the view, which is at the log's end, and logs changes by other programs. Exclusive lock.
    /// False if the ceilings left no room for the messages found.
    private func listShard(_ number: UInt32) throws(StoreError) -> Bool {
        let known = state.withLock { s in s.view.list.shardIndex(number).map { s.view.list.shards[$0] } }
        let name = ShardName.string(number)
        let fd: Int32
        do {
            fd = try system.openDirectory(directory, name)
        } catch .notFound where known == nil {
            return true
        } catch .notFound {
            return try reconcile(number, nil, known)
        } catch .notDirectory {
            // Not a directory: reported by fsck, never touched.
            return true
        } catch {
            throw StoreError.system(error, "open the shard directory \(name)")
        }
        defer { system.close(fd) }
        // Before the first name is read: a concurrent change then shows in a later stamp.
        let status = options.viewCache == nil ? nil : try? system.status(fd)
        var listing = try ShardListing(system, directory: fd, number: number)
        if listing.agrees(with: known) {
            noteListed(number, status)
            return true
        }
        listing.prefer(known)
        return try reconcile(number, listing, known)
    }

    /// Logs changes made by other programs: the names win, with new mod-sequences. Exclusive lock. False if the
    /// ceilings left no room.
    private func reconcile(_ number: UInt32, _ listing: ShardListing?, _ known: ShardTable?) throws(StoreError) -> Bool
    {
        var records: [LogRecord] = []
        var strays: [ListedMessage] = listing?.nonCanonical ?? []
        var uids: Set<UInt32> = []
        if let known { for i in 0..<known.count { uids.insert(known.uid(i)) } }
        var nonCanonicalFlags: [UInt32: ListedMessage] = [:]
        for (i, nonCanonical) in strays.enumerated().reversed()
        where listing?.flags(Int(nonCanonical.uid % UID.perShard)) == nil && nonCanonicalFlags[nonCanonical.uid] == nil
            && uids.contains(nonCanonical.uid)
        {
            // The only name of a known message, in non-canonical form: it is renamed to the canonical one.
            nonCanonicalFlags[nonCanonical.uid] = nonCanonical
            strays.remove(at: i)
        }
        for (uid, nonCanonical) in nonCanonicalFlags {
            guard let shard = try shard(number) else { continue }
            do {
                try MessageFileName.with(uid, nonCanonical.flags) { (name) throws(Errno) in
                    try renameChecked(shard.descriptor, nonCanonical.name, shard.descriptor, name)
                }
            } catch .exists {
                // By something that is no message: it stays under the name it has.
            } catch {
                throw StoreError.system(error, "rename \(nonCanonical.name)")
            }
        }
        for uid in uids.sorted() {
            let entry = state.withLock { $0.view.list.entry(of: UID(uid)) }
            let now = listing?.flags(Int(uid % UID.perShard)) ?? nonCanonicalFlags[uid]?.flags
            guard let now else {
                records.append(
                    LogRecord(.expunge, done: true, uid: uid, flags: entry?.flags ?? [], size: entry?.size ?? 0))
                continue
            }
            if now != entry?.flags { records.append(LogRecord(.flags, done: true, uid: uid, flags: now)) }
        }
        if let listing {
            for uid in UID.inShard(number) {
                if let flags = listing.flags(Int(uid % UID.perShard)), !uids.contains(uid) {
                    strays.append(ListedMessage(uid: uid, flags: flags))
                }
            }
        }
        let time = context.now
        for i in records.indices {
            records[i].token = context.tokens.take()
            records[i].time = time
        }
        if records.contains(where: { $0.kind == .expunge }) {
            try context.ledger.markRecount { () throws(StoreError) in try write(records) }
        } else {
            try write(records)
        }
        guard hasRoom(uids: strays.count, records: 2 * strays.count) else {
            return false
        }
        return try adopt(strays.sorted { $0.uid < $1.uid }, shard: number)
    }

    /// Appends unlogged messages under new UIDs: the UID in the name may have belonged to another message. False if the
    /// ceilings left no room for all.
    private func adopt(_ strays: [ListedMessage], shard number: UInt32) throws(StoreError) -> Bool {
        for stray in strays {
            guard let shard = try shard(number) else { return true }
            let status: FileStatus
            do { status = try system.status(shard.descriptor, stray.name) } catch .notFound { continue } catch {
                throw StoreError.system(error, "stat \(stray.name)")
            }
            guard status.isRegularFile, status.size <= Int64(UInt32.max) else { continue }
            if let twin = try shard.names(of: stray.uid).first(where: { $0.name != stray.name }),
                try doing(
                    "stat \(twin.name)", { () throws(Errno) in try system.status(shard.descriptor, twin.name) }
                )
                .identity == status.identity
            {
                // A second name of the same message, left by an interrupted rename.
                try remove(stray.name, in: shard.descriptor)
                continue
            }
            guard try adopt(stray, UInt32(status.size), in: shard) else { return false }
        }
        return true
    }

    private func adopt(_ stray: ListedMessage, _ size: UInt32, in shard: ShardDirectory) throws(StoreError) -> Bool {
        // The next UID that no other stray's name uses; this one's name may use it already.
        let (next, ceiling) = state.withLock { ($0.view.nextUID, $0.status.uidCeiling) }
        guard next < ceiling else { return false }
        var uid = UInt32(next)
        while try self.shard(uid / UID.perShard)?.names(of: uid).contains(where: { $0.name != stray.name }) ?? false {
            uid += 1
            guard UInt64(uid) < ceiling else { return false }
        }
        var record = LogRecord(
            .append, done: false, uid: uid, flags: stray.flags, token: context.tokens.take(), time: context.now,
            size: size)
        let intent = record
        try context.ledger.markRecount { () throws(StoreError) in try write(intent) }
        record.isDone = true
        if stray.name != MessageFileName.string(UID(uid), stray.flags) {
            do {
                _ = try publish(uid, stray.flags, moving: true) { (target, name) throws(Errno) in
                    try renameChecked(shard.descriptor, stray.name, target.descriptor, name)
                }
            } catch {
                try? write(LogRecord(.void, done: true, uid: uid, token: record.token))
                throw error
            }
        }
        try write(record)
        return true
    }

    /// Lists without locks and without writing: as exact as possible that way.
    private func listReadOnly() throws(StoreError) {
        let log = state.withLock { $0.log }
        _ = try catchUp(to: LogFile.records(in: log.size()))
        try noteTouched()
        for number in try shardNumbers() where !isAsListed(number) {
            let fd: Int32
            do { fd = try system.openDirectory(directory, ShardName.string(number)) } catch { continue }
            defer { system.close(fd) }
            let listing = try ShardListing(system, directory: fd, number: number)
            state.withLock { s in
                s.view.replaceShard(number, listing) { uid, flags in
                    let name = MessageFileName.string(UID(uid), flags)
                    return (try? system.status(fd, name)).map { UInt32(clamping: $0.size) } ?? 0
                }
            }
        }
        // The names win, whatever became of the change; so does keywords.json.
        state.withLock { $0.extraKeywords = $0.keywordFile.shown($0.status.uidValidity, pending: [:]) }
    }
}

extension MailboxView {
    /// Replaces a shard's names by the listed ones, with sizes and mod-sequences from the log where known.
    mutating func replaceShard(
        _ number: UInt32, _ listing: ShardListing, size: (UInt32, MessageFlags) -> UInt32
    ) {
        let known = list.shardIndex(number).map { list.shards[$0] }
        if listing.agrees(with: known) { return }
        let absent = known.map { k in (0..<k.count).map(k.uid).filter { listing.flags(Int($0 % UID.perShard)) == nil } }
        for uid in absent ?? [] { remove(uid) }
        for offset in 0..<Int(UID.perShard) {
            guard let flags = listing.flags(offset) else { continue }
            let uid = number * UID.perShard + UInt32(offset)
            show(uid, flags, size: list.entry(of: UID(uid))?.size ?? size(uid, flags))
        }
    }
}
