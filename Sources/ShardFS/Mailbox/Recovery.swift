import Glibc

/// What stands in a mailbox's directory before it is open: whether status.json and the log belong together, and the
/// making of new ones when they do not. May be killed anywhere and run again: a log of another epoch does not exist.
struct Recovery {
    enum Reason: Equatable {
        /// The machine was restarted since, and the mailbox was not closed in good order.
        case restart
        /// status.json and log are not of one epoch, or one of them is missing or damaged.
        case mismatch
        /// A store of the old program: no epoch and no log.
        case adoption
    }

    enum Found {
        case current(MailboxStatus, LogFile)
        case needed(Reason)
    }

    let context: AccountContext
    let directory: Int32
    let path: String

    private var system: System { context.system }

    /// The status, nil when it is missing or damaged.
    private func status() throws(StoreError) -> MailboxStatus? {
        do {
            guard let bytes = try context.publisher.read(MailboxStatus.fileName, in: directory) else { return nil }
            return try MailboxStatus(JSONValue.parse(bytes, name: MailboxStatus.fileName))
        } catch {
            // Bytes that mean nothing are like none; a file that cannot be read at all is an error.
            if error.code == .damaged, error.errno == nil { return nil }
            throw error
        }
    }

    func inspect() throws(StoreError) -> Found {
        let log = try LogFile.open(system, in: directory, readOnly: context.options.readOnly)
        if log == nil, try isDeleted() { throw StoreError(.notFound, "there is no mailbox at \(path)") }
        guard let status = try status() else {
            if log == nil, try !isMailbox() { throw StoreError(.notFound, "there is no mailbox at \(path)") }
            return .needed(.mismatch)
        }
        guard let epoch = status.epoch else { return .needed(log == nil ? .adoption : .mismatch) }
        guard let log, log.epoch == epoch, log.openedHeader.mailboxID == status.mailboxID else {
            return .needed(.mismatch)
        }
        if context.options.readOnly || status.boots[context.options.node] == context.bootID {
            return .current(status, log)
        }
        return .needed(.restart)
    }

    /// Whether the directory holds what is left of a mailbox that was deleted while others stand below it.
    private func isDeleted() throws(StoreError) -> Bool {
        do {
            _ = try system.status(directory, AccountContext.deletionMark)
            return true
        } catch .notFound {
            return false
        } catch {
            throw StoreError.system(error, "look at \(AccountContext.deletionMark)")
        }
    }

    /// Without status.json and log: whether there are shards, so that it is a mailbox all the same.
    private func isMailbox() throws(StoreError) -> Bool {
        var found = false
        try DirectoryListing.forEach(system, directory, ".") { name, _ in
            if ShardName.parse(name) != nil { found = true }
        }
        return found
    }

    /// Recovers under the exclusive lock, unless somebody else did meanwhile.
    func run(_ reason: Reason, _ locks: MailboxLocks) throws(StoreError) {
        // The account's lock comes before a mailbox's: a new UIDVALIDITY is fetched first, used or not.
        var spare: UInt32?
        if try status() == nil, try LogFile.open(system, in: directory) == nil {
            spare = try context.nextUIDValidity()
        }
        let hold = try locks.acquire(exclusive: true)
        defer { locks.release(hold) }
        guard case .needed(let reason) = try inspect() else { return }
        if reason == .restart, try resumeClean() { return }
        try rebuild(reason, spareUIDValidity: spare)
    }

    /// A mailbox closed in good order goes on with its log.
    private func resumeClean() throws(StoreError) -> Bool {
        guard var status = try status(), let mark = status.clean,
            let log = try LogFile.open(system, in: directory), log.epoch == status.epoch
        else { return false }
        let size = try log.size()
        let records = LogFile.records(in: size)
        guard !LogFile.isTorn(size), records > 0, let last = try log.record(at: records - 1), last.kind == .clean,
            last.isDone, log.base + UInt64(records) == mark
        else { return false }
        status.boots[context.options.node] = context.bootID
        _ = try publish(status)
        return true
    }

    /// Makes a new epoch from the names. Exclusive lock.
    func rebuild(_ reason: Reason, spareUIDValidity: UInt32? = nil) throws(StoreError) {
        let oldStatus = try status()
        var oldLog = try LogFile.open(system, in: directory)
        // Its records may be of no account, but what its head says was given out was given out.
        let header = try oldLog?.header()
        if let log = oldLog, let epoch = oldStatus?.epoch, log.epoch != epoch { oldLog = nil }
        if oldStatus != nil, oldStatus?.epoch == nil { oldLog = nil }
        let contents = try RecoveredContents(
            context: context, directory: directory, log: oldLog,
            // A name that gets a new UID here must get one that nobody ever saw.
            floor: max(oldStatus?.uidFloor ?? 1, oldStatus?.uidCeiling ?? 1, header?.uidCeiling ?? 1),
            uidValidity: oldStatus?.uidValidity ?? header?.uidValidity ?? 0)

        var status = oldStatus ?? MailboxStatus()
        if let header {
            status.keywords.merge(header.keywords)
            if oldStatus == nil { status.uidValidity = header.uidValidity }
            if status.mailboxID.isEmpty { status.mailboxID = header.mailboxID }
            status.uidCeiling = max(status.uidCeiling, header.nextUID)
            status.modSeqCeiling = max(status.modSeqCeiling, header.oldestAnswerable)
            status.uidCeiling = max(status.uidCeiling, header.uidCeiling)
            status.modSeqCeiling = max(status.modSeqCeiling, header.modSeqCeiling)
        }
        if status.uidValidity == 0 {
            guard let spareUIDValidity else { throw StoreError(.damaged, "no UIDVALIDITY for \(path)") }
            status.uidValidity = spareUIDValidity
        }
        if status.mailboxID.isEmpty { status.mailboxID = MailboxStatus.randomID() }
        // The ceilings are above everything that was ever given out.
        status.uidFloor = min(max(status.uidCeiling, contents.nextUID, 1), MailboxStatus.uidEnd)
        status.modSeqFloor = min(max(status.modSeqCeiling, contents.highestModSeq + 1, 1), MailboxStatus.modSeqEnd)
        status.uidCeiling = min(status.uidFloor + MailboxStatus.uidStep, MailboxStatus.uidEnd)
        status.modSeqCeiling = min(
            status.modSeqFloor + MailboxStatus.modSeqStep + UInt64(contents.messages.count), MailboxStatus.modSeqEnd)
        let epoch = System.random(UInt64.self)
        status.epoch = epoch
        status.boots[context.options.node] = context.bootID
        status.clean = nil
        // Before all: killed behind it, a recount finds nothing; killed without it, a wrong count stays.
        try context.ledger.markRecount()
        // First the status: from here on the old log does not exist.
        status = try publish(status)
        try LogWriter(system: system, directory: directory).publish(
            LogHeader(
                epoch: epoch, base: status.modSeqFloor, nextUID: status.uidFloor, oldestAnswerable: status.modSeqFloor,
                uidValidity: status.uidValidity, mailboxID: status.mailboxID, keywords: status.keywords,
                uidCeiling: status.uidCeiling, modSeqCeiling: status.modSeqCeiling,
                recentUID: contents.recentUID),
            contents.messages, floor: status.modSeqFloor)
    }

    /// Replaces status.json under its lock, with what others added to it since it was read. Ceilings never go down.
    private func publish(_ status: MailboxStatus) throws(StoreError) -> MailboxStatus {
        try LockFile.hold(system, in: directory, Mailbox.statusLockName, until: context.deadline) { () throws(StoreError) in
            var status = status
            if let now = try self.status(), now.uidValidity == status.uidValidity {
                status.keywords.merge(now.keywords)
                status.uidCeiling = max(status.uidCeiling, now.uidCeiling)
                status.modSeqCeiling = max(status.modSeqCeiling, now.modSeqCeiling)
            }
            try context.publisher.publish(status.json.serialized(), as: MailboxStatus.fileName, in: directory)
            return status
        }
    }

    /// The view of a store that is only read, when status and log do not fit: the names alone.
    func readOnlyMailbox(_ locks: MailboxLocks) throws(StoreError) -> Mailbox {
        throw StoreError(
            .readOnly, "the mailbox at \(path) has to be recovered first; open the store for writing once")
    }
}

/// The messages that recovery found, each with one name.
struct RecoveredContents {
    var messages: [LogRecord] = []
    var nextUID: UInt64 = 1
    var highestModSeq: ModSeq = 0
    var recentUID: UInt32 = 1

    private let context: AccountContext
    private let directory: Int32
    private let uidValidity: UInt32
    /// What the old log says of a message: digest, size, time.
    private var known: [UInt32: LogRecord] = [:]

    private var system: System { context.system }

    init(
        context: AccountContext, directory: Int32, log: LogFile?, floor: UInt64, uidValidity: UInt32
    ) throws(StoreError) {
        self.context = context
        self.directory = directory
        self.uidValidity = uidValidity
        nextUID = floor
        if let log { try read(log) }
        try readShards()
    }

    /// Takes digests and unfinished sets from whatever records check; a power cut may have torn any that were not
    /// synced.
    private mutating func read(_ log: LogFile) throws(StoreError) {
        var sets: [UInt64: LogRecord] = [:]
        var appended: [UInt64: UInt32] = [:]
        var known = self.known
        var highest: ModSeq = log.openedHeader.oldestAnswerable
        var next = max(nextUID, try log.header().nextUID)
        var recent = try log.header().recentUID
        let count = LogFile.records(in: try log.size())
        var at = 0
        while at < count {
            let end = try log.scan(from: at, to: count) { record, place in
                highest = max(highest, record.modSeq, log.base + UInt64(place) + 1)
                switch (record.kind, record.isDone) {
                case (.set, false):
                    sets[record.token] = record
                    next = max(next, UInt64(record.uid) + UInt64(record.messageSize))
                case (.set, true), (.void, true): sets[record.token] = nil
                case (.append, true) where sets[record.token] != nil:
                    appended[record.token, default: 0] += 1
                    known[record.uid] = record
                    next = max(next, UInt64(record.uid) + 1)
                case (.append, _), (.kept, _):
                    known[record.uid] = record
                    next = max(next, UInt64(record.uid) + 1)
                case (.recent, true): recent = max(recent, record.uid)
                default: break
                }
            }
            if case .bad(let place) = end { at = place + 1 } else { at = count }
        }
        self.known = known
        highestModSeq = highest
        nextUID = next
        recentUID = recent
        // A set whose appends are all in the log had all its names durable before; only its end is missing.
        for (token, set) in sets where appended[token] != set.messageSize { try rollBack(set) }
    }

    /// A set that was never acknowledged leaves no name.
    private func rollBack(_ set: LogRecord) throws(StoreError) {
        guard set.messageSize > 0 else { return }
        let last = UInt64(set.uid) + UInt64(set.messageSize) - 1
        let numbers = set.uid / UID.perShard...UInt32(last / UInt64(UID.perShard))
        // By the shards that are there: the set may be as large as the space of UIDs.
        for shard in try DirectoryListing.names(system, directory, ".") {
            guard let number = ShardName.parse(shard), numbers.contains(number) else { continue }
            let names = try DirectoryListing.names(system, directory, shard).filter {
                MessageFileName.parse($0).map { $0.uid >= set.uid && UInt64($0.uid) <= last } ?? false
            }
            for name in names { try remove("\(shard)/\(name)") }
            // Without names too: who removed them may have died before its sync.
            if try exists(shard) { try sync(shard) }
        }
        for hour in try DirectoryListing.names(system, directory, ExpungedName.directory)
        where ExpungedName.isHour(hour) {
            let path = "\(ExpungedName.directory)/\(hour)"
            for name in try DirectoryListing.names(system, directory, path) {
                guard let file = ExpungedName(name), file.uidValidity == uidValidity, file.uid >= set.uid,
                    UInt64(file.uid) <= last
                else { continue }
                try remove("\(path)/\(name)")
            }
        }
    }

    private func remove(_ path: String) throws(StoreError) {
        do { try system.unlink(directory, path) } catch .notFound {} catch {
            throw StoreError.system(error, "remove \(path)")
        }
    }

    private func exists(_ path: String) throws(StoreError) -> Bool {
        do { return try system.status(directory, path).isDirectory } catch .notFound { return false } catch {
            throw StoreError.system(error, "look at \(path)")
        }
    }

    private func sync(_ path: String) throws(StoreError) {
        let fd = try doing("open \(path)") { () throws(Errno) in try system.openDirectory(directory, path) }
        defer { system.close(fd) }
        try doing("sync \(path)") { () throws(Errno) in try system.sync(fd) }
    }

    private mutating func readShards() throws(StoreError) {
        var numbers: [UInt32] = []
        try DirectoryListing.forEach(system, directory, ".") { name, kind in
            if let number = ShardName.parse(name), kind == .directory || kind == .unknown { numbers.append(number) }
        }
        let expunged = try expungedIdentities()
        var strays: [(shard: UInt32, name: String, flags: MessageFlags)] = []
        for number in numbers.sorted() {
            let name = ShardName.string(number)
            let fd: Int32
            do { fd = try system.openDirectory(directory, name) } catch .notDirectory { continue } catch {
                throw StoreError.system(error, "open the shard directory \(name)")
            }
            defer { system.close(fd) }
            let listing = try ShardListing(system, directory: fd, number: number)
            try readShard(number, fd, listing, expunged, &strays)
        }
        messages.sort { $0.uid < $1.uid }
        for stray in strays { try renumber(stray) }
    }

    private mutating func readShard(
        _ number: UInt32, _ fd: Int32, _ listing: ShardListing, _ expunged: [UInt32: Set<FileIdentity>],
        _ strays: inout [(shard: UInt32, name: String, flags: MessageFlags)]
    ) throws(StoreError) {
        var names: [UInt32: [ListedMessage]] = [:]
        for odd in listing.odd { names[odd.uid, default: []].append(odd) }
        for uid in UID.inShard(number) {
            var all = names[uid] ?? []
            if let flags = listing.flags(Int(uid % UID.perShard)) { all.insert(ListedMessage(uid: uid, flags: flags), at: 0) }
            guard !all.isEmpty else { continue }
            var kept: (message: ListedMessage, status: FileStatus)?
            for candidate in all {
                let status: FileStatus
                do { status = try system.status(fd, candidate.name) } catch .notFound { continue } catch {
                    // Left out here, an acknowledged message would lose its UID.
                    throw StoreError.system(error, "look at \(candidate.name)")
                }
                guard status.isRegularFile else { continue }
                if expunged[uid]?.contains(status.identity) == true {
                    // In a shard and in `.expunged/`: the expunge wins.
                    try removeName(candidate.name, fd)
                    continue
                }
                guard let current = kept else {
                    kept = (candidate, status)
                    continue
                }
                // The same message twice: the name with more flags stays. Another message: the newer gets a new UID.
                let same = current.status.identity == status.identity
                let candidateWins =
                    same
                    ? candidate.flags.rawValue.nonzeroBitCount > current.message.flags.rawValue.nonzeroBitCount
                    : isOlder(status, than: current.status, uid)
                let loser = candidateWins ? current.message : candidate
                if candidateWins { kept = (candidate, status) }
                if same {
                    try removeName(loser.name, fd)
                } else {
                    strays.append((number, loser.name, loser.flags))
                }
            }
            guard let kept else { continue }
            if kept.message.oddName != nil {
                try doing("rename \(kept.message.name)") { () throws(Errno) in
                    try MessageFileName.with(uid, kept.message.flags) { (name) throws(Errno) in
                        try system.rename(fd, kept.message.name, fd, name, replacing: true)
                    }
                }
            }
            add(uid, kept.message.flags, kept.status)
        }
    }

    /// Which of two messages had the UID first: the one whose size the log knows, else by the time of the last change.
    private func isOlder(_ a: FileStatus, than b: FileStatus, _ uid: UInt32) -> Bool {
        if let size = known[uid]?.messageSize, a.size != b.size, a.size == Int64(size) || b.size == Int64(size) {
            return a.size == Int64(size)
        }
        return a.changed < b.changed
    }

    private func removeName(_ name: String, _ fd: Int32) throws(StoreError) {
        do { try system.unlink(fd, name) } catch .notFound {} catch { throw StoreError.system(error, "remove \(name)") }
    }

    private mutating func add(_ uid: UInt32, _ flags: MessageFlags, _ status: FileStatus) {
        nextUID = max(nextUID, UInt64(uid) + 1)
        let old = known[uid]
        messages.append(
            LogRecord(
                .kept, done: true, uid: uid, flags: flags, time: old?.time ?? 0, size: UInt32(clamping: status.size),
                digest: old.map { $0.messageSize == UInt32(clamping: status.size) ? $0.digest : .unknown } ?? .unknown))
    }

    private mutating func renumber(
        _ stray: (shard: UInt32, name: String, flags: MessageFlags)
    ) throws(StoreError) {
        guard nextUID < MailboxStatus.uidEnd else { return }
        let uid = UInt32(nextUID)
        let target = ShardName.string(uid / UID.perShard)
        do { try system.makeDirectory(directory, target) } catch .exists {} catch {
            throw StoreError.system(error, "make the shard directory \(target)")
        }
        let from = "\(ShardName.string(stray.shard))/\(stray.name)"
        let to = "\(target)/\(MessageFileName.string(UID(uid), stray.flags))"
        let status = try doing("renumber \(from)") { () throws(Errno) in
            try system.rename(directory, from, directory, to, replacing: true)
            return try system.status(directory, to)
        }
        add(uid, stray.flags, status)
        try sync(target)
    }

    private func expungedIdentities() throws(StoreError) -> [UInt32: Set<FileIdentity>] {
        var found: [UInt32: Set<FileIdentity>] = [:]
        for hour in try DirectoryListing.names(system, directory, ExpungedName.directory)
        where ExpungedName.isHour(hour) {
            let path = "\(ExpungedName.directory)/\(hour)"
            let names: [String]
            do { names = try DirectoryListing.names(system, directory, path) } catch {
                // A file of that name is nobody's; a directory that cannot be read may hold what was expunged.
                if error.errno == .notDirectory { continue }
                throw error
            }
            for name in names {
                guard let file = ExpungedName(name), file.uidValidity == uidValidity else { continue }
                do {
                    found[file.uid, default: []].insert(try system.status(directory, "\(path)/\(name)").identity)
                } catch .notFound {
                } catch {
                    throw StoreError.system(error, "look at \(path)/\(name)")
                }
            }
        }
        return found
    }
}
