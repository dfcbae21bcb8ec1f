import DurableFiles
import Glibc

/// The messages found by recovery, each with one name.
struct RecoveredContents {
    var messages: [LogRecord] = []
    var nextUID: UInt64 = 1
    var highestModSeq: ModSeq = 0
    var recentUID: UInt32 = 1

    private let context: AccountContext
    private let directory: Int32
    private let plan: RecoveryPlan
    /// The UIDVALIDITY of the names in `.expunged/` that were expunged from this mailbox as it was.
    private let uidValidity: UInt32
    /// The old log's records of messages: digest, size, time.
    private var known: [UInt32: LogRecord] = [:]

    /// Messages to be renamed.
    private struct Stray {
        var shard: UInt32
        var name: String
        var flags: MessageFlags
        var uid: UInt32 = 0
        var path: String { "\(ShardName.string(shard))/\(name)" }
    }
    private var strays: [Stray] = []
    private var nonCanonical: [Stray] = []

    private var system: SystemCalls { context.system }

    init(context: AccountContext, directory: Int32, plan: RecoveryPlan) throws(StoreError) {
        self.context = context
        self.directory = directory
        self.plan = plan
        uidValidity = plan.status?.uidValidity ?? plan.header?.uidValidity ?? 0
        // A message renumbered here must get a UID that nobody has ever seen.
        nextUID = plan.ceiling
        if let log = plan.log { try read(log) }
        try readShards()
    }

    /// Takes digests and unfinished sets from all valid records; a power cut may have torn any that were not synced.
    private mutating func read(_ log: LogFile) throws(StoreError) {
        var sets: [UInt64: (record: LogRecord, place: Int)] = [:]
        var begun: Set<UInt64> = []
        var known = self.known
        var highest: ModSeq = log.openedHeader.oldestAnswerable
        var next = max(nextUID, try log.header().nextUID)
        var recent = try log.header().recentUID
        let size = try log.size()
        let count = LogFile.records(in: size)
        // Behind this place nothing unreadable stands.
        var readable = LogFile.isTorn(size) ? Int.max : -1
        var at = 0
        while at < count {
            let end = try log.scan(from: at, to: count) { record, place in
                highest = max(highest, record.modSeq, log.base + UInt64(place) + 1)
                switch (record.kind, record.isDone) {
                case (.set, false):
                    sets[record.token] = (record, place)
                    next = max(next, UInt64(record.uid) + UInt64(record.messageSize))
                case (.set, true), (.void, true): sets[record.token] = nil
                case (.append, _), (.kept, _):
                    if record.isDone { begun.insert(record.token) }
                    known[record.uid] = record
                    next = max(next, UInt64(record.uid) + 1)
                case (.recent, true): recent = max(recent, record.uid)
                default: break
                }
            }
            guard case .bad(let place) = end else { break }
            readable = max(readable, place)
            at = place + 1
        }
        highestModSeq = highest
        nextUID = next
        // A UID is one message's under its UIDVALIDITY, in whatever epoch.
        if log.openedHeader.uidValidity == uidValidity {
            self.known = known
            // Of an epoch whose recovery was cut off, too.
            recentUID = recent
        }
        guard plan.isLogCurrent else { return }
        // Whatever follows its intent was written with all its names durable: such a set may have been acknowledged.
        guard plan.status != nil else { return }
        for (token, set) in sets where !begun.contains(token) && readable < set.place { try rollBack(set.record) }
    }

    /// Removes every name of a set that was never acknowledged.
    private func rollBack(_ set: LogRecord) throws(StoreError) {
        guard set.messageSize > 0 else { return }
        let last = UInt64(set.uid) + UInt64(set.messageSize) - 1
        let numbers = set.uid / UID.perShard...UInt32(last / UInt64(UID.perShard))
        // Over existing shards only: the set may be as large as the UID space.
        for shard in try system.files.names(directory, ".") {
            guard let number = ShardName.parse(shard), numbers.contains(number) else { continue }
            let names = try system.files.names(directory, shard).filter {
                MessageFileName.parse($0).map { $0.uid >= set.uid && UInt64($0.uid) <= last } ?? false
            }
            for name in names { try remove("\(shard)/\(name)") }
            // Even without names: whoever removed them may have died before the sync.
            if try exists(shard) { try sync(shard) }
        }
        for hour in try system.files.names(directory, ExpungedName.directory)
        where ExpungedName.isHour(hour) {
            let path = "\(ExpungedName.directory)/\(hour)"
            for name in try system.files.names(directory, path) {
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
            throw StoreError.system(error, "stat \(path)")
        }
    }

    private func sync(_ path: String) throws(StoreError) {
        let fd = try doing("open \(path)") { () throws(Errno) in try system.openDirectory(directory, path) }
        defer { system.close(fd) }
        try doing("sync \(path)") { () throws(Errno) in try system.sync(fd) }
    }

    private mutating func readShards() throws(StoreError) {
        var numbers: [UInt32] = []
        try system.files.forEach(directory, ".") { name, kind in
            if let number = ShardName.parse(name), kind == .directory || kind == .unknown { numbers.append(number) }
        }
        let expunged = try expungedIdentities()
        for number in numbers.sorted() {
            let name = ShardName.string(number)
            let fd: Int32
            do { fd = try system.openDirectory(directory, name) } catch .notDirectory { continue } catch {
                throw StoreError.system(error, "open the shard directory \(name)")
            }
            defer { system.close(fd) }
            let listing = try ShardListing(system, directory: fd, number: number)
            try readShard(number, fd, listing, expunged)
        }
        messages.sort { $0.uid < $1.uid }
    }

    /// Whether there are messages that need another UID.
    var hasStrays: Bool { !strays.isEmpty }

    /// Gives each message the name that it is to have.
    mutating func settleNames() throws(StoreError) {
        // First those that may stand under the canonical name of another.
        for stray in strays { try renumber(stray) }
        for message in nonCanonical { try makeCanonical(message) }
    }

    private mutating func readShard(
        _ number: UInt32, _ fd: Int32, _ listing: ShardListing, _ expunged: [UInt32: Set<FileIdentity>]
    ) throws(StoreError) {
        var names: [UInt32: [ListedMessage]] = [:]
        for nonCanonical in listing.nonCanonical { names[nonCanonical.uid, default: []].append(nonCanonical) }
        for uid in UID.inShard(number) {
            var all = names[uid] ?? []
            if let flags = listing.flags(Int(uid % UID.perShard)) {
                all.insert(ListedMessage(uid: uid, flags: flags), at: 0)
            }
            guard !all.isEmpty else { continue }
            var kept: (message: ListedMessage, status: FileStatus)?
            for candidate in all {
                let status: FileStatus
                do { status = try system.status(fd, candidate.name) } catch .notFound { continue } catch {
                    // If it were skipped here, an acknowledged message would lose its UID.
                    throw StoreError.system(error, "stat \(candidate.name)")
                }
                guard status.isRegularFile else { continue }
                if expunged[uid]?.contains(status.identity) == true {
                    // Both in a shard and in `.expunged/`: the expunge wins.
                    try removeName(candidate.name, fd)
                    continue
                }
                guard let current = kept else {
                    kept = (candidate, status)
                    continue
                }
                // The same message twice: keep the name with more flags. Another message: the newer one gets a new UID.
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
                    strays.append(Stray(shard: number, name: loser.name, flags: loser.flags))
                }
            }
            guard let kept else { continue }
            if UInt64(uid) >= plan.handmade ?? .max {
                strays.append(Stray(shard: number, name: kept.message.name, flags: kept.message.flags))
                continue
            }
            if kept.message.nonCanonicalName != nil {
                nonCanonical.append(Stray(shard: number, name: kept.message.name, flags: kept.message.flags, uid: uid))
            }
            add(uid, kept.message.flags, kept.status)
        }
    }

    /// Decides which of two messages had the UID first: the one whose size matches the log, else the one with the older
    /// change time.
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

    private mutating func renumber(_ stray: Stray) throws(StoreError) {
        while nextUID < MailboxStatus.uidEnd {
            let uid = UInt32(nextUID)
            let target = ShardName.string(uid / UID.perShard)
            do { try system.makeDirectory(directory, target) } catch .exists {} catch {
                throw StoreError.system(error, "create the shard directory \(target)")
            }
            // Before a message is renamed into it, whoever created it.
            try doing("sync the mailbox directory") { () throws(Errno) in try system.sync(directory) }
            let to = "\(target)/\(MessageFileName.string(UID(uid), stray.flags))"
            do {
                try context.renameChecked(directory, stray.path, directory, to)
            } catch .exists {
                // Something that is no message, else it would have been counted.
                nextUID += 1
                continue
            } catch {
                throw StoreError.system(error, "renumber \(stray.path)")
            }
            let status = try doing("stat \(to)") { () throws(Errno) in try system.status(directory, to) }
            add(uid, stray.flags, status)
            return try sync(target)
        }
    }

    /// Gives a message its canonical name, unless something else has that: then it stays under the name it has.
    private func makeCanonical(_ message: Stray) throws(StoreError) {
        let to = "\(ShardName.string(message.shard))/\(MessageFileName.string(UID(message.uid), message.flags))"
        do { try context.renameChecked(directory, message.path, directory, to) } catch .exists {} catch {
            throw StoreError.system(error, "rename \(message.path)")
        }
    }

    private mutating func expungedIdentities() throws(StoreError) -> [UInt32: Set<FileIdentity>] {
        var found: [UInt32: Set<FileIdentity>] = [:]
        for hour in try system.files.names(directory, ExpungedName.directory)
        where ExpungedName.isHour(hour) {
            let path = "\(ExpungedName.directory)/\(hour)"
            let names: [String]
            do { names = try system.files.names(directory, path) } catch {
                // A file of that name is ignored; an unreadable directory may hold expunged messages.
                if error.errno == .notDirectory { continue }
                throw error
            }
            for name in names {
                guard let file = ExpungedName(name), file.uidValidity == uidValidity else { continue }
                if UInt64(file.uid) < plan.handmade ?? .max { nextUID = max(nextUID, UInt64(file.uid) + 1) }
                do {
                    found[file.uid, default: []].insert(try system.status(directory, "\(path)/\(name)").identity)
                } catch .notFound {
                } catch {
                    throw StoreError.system(error, "stat \(path)/\(name)")
                }
            }
        }
        return found
    }
}
