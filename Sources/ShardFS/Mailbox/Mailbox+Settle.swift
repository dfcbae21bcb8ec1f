import DurableFiles
import Glibc
import Primitives

// Settling the intents of dead writers, those without a done record, from the names. Exclusive lock.

extension Mailbox {
    /// Writes records under the mailbox's lock and applies them, and all before them, to the view.
    func write(_ records: [LogRecord]) throws(StoreError) {
        try write(records.count, { (log) throws(StoreError) in try log.append(records) }) { records[$0] }
    }

    func write(_ record: LogRecord) throws(StoreError) {
        try write(1, { (log) throws(StoreError) in try log.append(record) }) { _ in record }
    }

    private func write(
        _ count: Int, _ append: (LogFile) throws(StoreError) -> UInt32?, _ record: (Int) -> LogRecord
    ) throws(StoreError) {
        let (log, start) = state.withLock { ($0.log, $0.soleRecords) }
        let checksum: UInt32?
        do {
            checksum = try append(log)
        } catch {
            if start != nil { cutHalfWritten(log) }
            throw error
        }
        if let start { take(start, count, checksum, record) } else { try catchUp(to: .max) }
    }

    /// After a write that failed half-way: others may have read its whole records, so that these stay. Part of a record
    /// at the end would hide all that follow it.
    private func cutHalfWritten(_ log: LogFile) {
        guard let size = try? log.size() else { return }
        let records = LogFile.records(in: size)
        if LogFile.isTorn(size) { try? log.truncate(records: records) }
        _ = try? catchUp(to: records)
        state.withLock { $0.soleRecords = max($0.view.applied, records) }
    }

    /// Applies records without reading them back: the only writer knows where they are. A reader may have applied them
    /// first.
    private func take(_ start: Int, _ count: Int, _ checksum: UInt32?, _ record: (Int) -> LogRecord) {
        let changed = state.withLock { s in
            let before = s.view.highestModSeq
            s.soleRecords = start + count
            for i in 0..<count where s.view.applied == start + i { s.view.apply(record(i), at: start + i) }
            if s.view.applied == start + count { s.lastChecksum = checksum }
            takeKeywords(&s)
            s.forgetFreedLetters()
            s.notePending()
            return s.view.highestModSeq != before
        }
        if changed { notify() }
    }

    /// Settles every intent without a done record. The view is at the log's end and nobody else writes.
    func settle() throws(StoreError) {
        let pending = state.withLock { $0.view.pending }
        guard !pending.isEmpty else { return }
        var done: [LogRecord] = []
        var recount = false
        for intent in pending.values.sorted(by: { $0.record.uid < $1.record.uid }) {
            let record = intent.record
            if record.kind != .flags, record.kind != .letters { recount = true }
            switch record.kind {
            case .set where intent.held.count == Int(record.messageSize):
                // Every append is in the log, so every name was durable before: only the set's done record is missing.
                done.append(
                    LogRecord(
                        .set, done: true, uid: record.uid, token: record.token, time: record.time,
                        size: record.messageSize))
            case .set:
                try rollBack(first: record.uid, count: record.messageSize)
                done.append(LogRecord(.void, done: true, uid: record.uid, token: record.token))
            case .append, .flags, .expunge:
                done.append(try settled(record))
            case .letters:
                // Freed or not: a name that status.json still has is read there again.
                done.append(LogRecord(.letters, done: true, flags: record.flags, token: record.token))
            case .recent, .kept, .void, .clean:
                done.append(LogRecord(.void, done: true, token: record.token))
            }
        }
        // Before the done records: a kill in between only causes a needless recount.
        guard recount else { return try write(done) }
        try context.ledger.markRecount { () throws(StoreError) in try write(done) }
    }

    /// The done record for an abandoned intent: append or flags if the message exists, expunge if it is gone, void if
    /// it never existed.
    private func settled(_ intent: LogRecord) throws(StoreError) -> LogRecord {
        let known = state.withLock { $0.view.list.entry(of: UID(intent.uid)) }
        let shard = try shard(intent.uid / UID.perShard)
        let now = try shard?.lookUp(intent.uid, lastKnown: known?.flags ?? intent.flags)
        var done = intent
        done.isDone = true
        switch (now, known) {
        case (let now?, nil):
            done.kind = .append
            done.flags = now.flags
        case (let now?, _?):
            done.kind = .flags
            done.flags = now.flags
        case (nil, _?): done.kind = .expunge
        case (nil, nil): done.kind = .void
        }
        return done
    }

    /// Removes everything that a set linked: no name in its UID range is left in a shard or in `.expunged/`.
    func rollBack(first: UInt32, count: UInt32) throws(StoreError) {
        guard count > 0 else { return }
        let last = UInt32(min(UInt64(first) + UInt64(count) - 1, UInt64(UInt32.max)))
        let numbers = first / UID.perShard...last / UID.perShard
        // Over existing shards only: a set found in the log may be as large as the UID space.
        for number in try shardNumbers() where numbers.contains(number) {
            guard let shard = try shard(number) else { continue }
            var names: [String] = []
            try system.files.forEach(shard.descriptor, ".") { name, _ in
                if let parsed = MessageFileName.parse(name), parsed.uid >= first, parsed.uid <= last {
                    names.append(String(decoding: name, as: UTF8.self))
                }
            }
            for name in names { try remove(name, in: shard.descriptor) }
            // Even without names: whoever removed them may have failed to make that durable.
            do { try shard.sync() } catch { throw breakMailbox(error) }
        }
        let validity = state.withLock { $0.status.uidValidity }
        try forEachExpunged { (hour, file) throws(StoreError) in
            guard file.uidValidity == validity, file.uid >= first, file.uid <= last else { return }
            try remove("\(ExpungedName.directory)/\(hour)/\(file.name)", in: directory)
        }
    }

    func remove(_ name: String, in directory: Int32) throws(StoreError) {
        do { try system.unlink(directory, name) } catch .notFound {} catch {
            throw StoreError.system(error, "remove \(name)")
        }
    }
}

/// A name in `.expunged/{yyyymmddhh}/`: `{uidvalidity}.{uid}_{flags}.eml`.
struct ExpungedName: Sendable {
    static let directory = ".expunged"

    var uidValidity: UInt32
    var uid: UInt32
    var flags: MessageFlags
    var name: String

    init?(_ name: String) {
        guard let dot = name.firstIndex(of: "."), let validity = UInt32(name[..<dot]),
            let parsed = MessageFileName.parse(String(name[name.index(after: dot)...]))
        else { return nil }
        uidValidity = validity
        uid = parsed.uid
        flags = parsed.flags
        self.name = name
    }

    static func string(_ uidValidity: UInt32, _ uid: UID, _ flags: MessageFlags) -> String {
        "\(uidValidity).\(MessageFileName.string(uid, flags))"
    }

    /// Whether a name is an hour directory's.
    static func isHour(_ name: String) -> Bool {
        name.utf8.count == 10 && name.utf8.allSatisfy { $0 >= 48 && $0 <= 57 }
    }

    /// The directory name of the UTC hour of `seconds`.
    static func hour(_ seconds: Int64) -> String {
        var t = time_t(seconds)
        var parts = tm()
        gmtime_r(&t, &parts)
        func pad(_ n: Int32, _ width: Int) -> String {
            let digits = String(n)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return pad(parts.tm_year + 1900, 4) + pad(parts.tm_mon + 1, 2) + pad(parts.tm_mday, 2) + pad(parts.tm_hour, 2)
    }
}

extension Mailbox {
    /// Calls `body` for each message in `.expunged/`, with the name of its hour directory.
    func forEachExpunged(_ body: (String, ExpungedName) throws(StoreError) -> Void) throws(StoreError) {
        for hour in try system.files.names(directory, ExpungedName.directory).sorted() {
            guard ExpungedName.isHour(hour) else { continue }
            for name in try system.files.names(directory, "\(ExpungedName.directory)/\(hour)") {
                if let file = ExpungedName(name) { try body(hour, file) }
            }
        }
    }
}
