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
    private let uidValidity: UInt32
    /// The old log's records of messages: digest, size, time.
    private var known: [UInt32: LogRecord] = [:]

    private var system: SystemCalls { context.system }

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

    /// Takes digests and unfinished sets from all valid records; a power cut may have torn any that were not synced.
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
        // If all appends of a set are in the log, its names were durable before: only its done record is missing.
        for (token, set) in sets where appended[token] != set.messageSize { try rollBack(set) }
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
                    strays.append((number, loser.name, loser.flags))
                }
            }
            guard let kept else { continue }
            if kept.message.nonCanonicalName != nil {
                try doing("rename \(kept.message.name)") { () throws(Errno) in
                    try MessageFileName.with(uid, kept.message.flags) { (name) throws(Errno) in
                        try system.rename(fd, kept.message.name, fd, name, replacing: true)
                    }
                }
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

    private mutating func renumber(
        _ stray: (shard: UInt32, name: String, flags: MessageFlags)
    ) throws(StoreError) {
        guard nextUID < MailboxStatus.uidEnd else { return }
        let uid = UInt32(nextUID)
        let target = ShardName.string(uid / UID.perShard)
        do { try system.makeDirectory(directory, target) } catch .exists {} catch {
            throw StoreError.system(error, "create the shard directory \(target)")
        }
        // Before a message is renamed into it, whoever created it.
        try doing("sync the mailbox directory") { () throws(Errno) in try system.sync(directory) }
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
