import DurableFiles
import Glibc
import Primitives

// Compaction: rewrites the log with one record for each message. The bulk is copied and synced without a lock; the rest
// and the rename happen under the exclusive lock. Mod-sequences are unchanged.

extension Mailbox {
    /// The number of records beyond twice the messages that a log may have.
    static let compactionSlack = 10_000
    /// The number of expunges that a compacted log keeps.
    static let keptExpunges = 5_000

    /// Compacts a log that has outgrown its limit. Never fails the operation that called it: the next one tries again.
    ///
    /// That operation has succeeded and is reported so; a mailbox that broke refuses the next change.
    func compactIfNeeded() {
        if hasOutgrownLog(by: 0) { try? compact() }
    }

    /// Whether the log is to be compacted, with so many records more.
    private func hasOutgrownLog(by more: Int) -> Bool {
        let (records, messages) = state.withLock { ($0.view.applied, $0.view.list.count) }
        return records + more > 2 * messages + Self.compactionSlack
    }

    /// Whether a small change would be followed by a compaction, or by new ceilings.
    var isUpkeepDue: Bool {
        hasOutgrownLog(by: 64)
            || !hasRoom(uids: Int(MailboxStatus.uidStep / 2), records: Int(MailboxStatus.modSeqStep / 2) + 64)
    }

    /// Rewrites the log.
    public func compact() throws(StoreError) {
        try checkWritable()
        try refresh()
        let (log, view) = state.withLock { ($0.log, $0.view) }
        // Appends of a set still being written during the read are not in the list yet: they are copied with the rest.
        let bulkEnd = view.firstHeld ?? view.applied
        let writer = LogWriter(system: system, directory: directory)
        let fd = try writer.begin(try log.header())
        defer { system.close(fd) }
        do {
            let copied = try copyBulk(log, view, bulkEnd, writer, fd)
            try doing("sync the new log") { () throws(Errno) in try system.sync(fd) }
            let replaced = try locked(exclusive: true) { () throws(StoreError) in
                try replaceLog(log, bulkEnd, copied, writer, fd)
            }
            if !replaced { writer.discard() }
        } catch {
            writer.discard()
            throw error
        }
        try refresh()
    }

    private struct Copied {
        var count = 0
        var oldestAnswerable: ModSeq
    }

    private func copyBulk(
        _ log: LogFile, _ view: MailboxView, _ end: Int, _ writer: LogWriter, _ fd: Int32
    ) throws(StoreError) -> Copied {
        var copied = Copied(oldestAnswerable: view.oldestAnswerable)
        var piece: [LogRecord] = []
        var expunges: [LogRecord] = []
        var dropped = 0
        _ = try log.scan(from: 0, to: end) { (record, place) throws(StoreError) in
            guard record.isDone else { return }
            switch record.kind {
            case .append, .kept:
                guard let entry = view.list.entry(of: UID(record.uid)), Int(entry.record) == place else { return }
                piece.append(
                    LogRecord(
                        .kept, done: true, uid: record.uid, flags: entry.flags, modSeq: entry.modSeq,
                        time: record.time, size: entry.size, digest: record.digest))
                copied.count += 1
                if piece.count == 4096 {
                    try writer.append(piece, to: fd, seed: log.seed)
                    piece.removeAll(keepingCapacity: true)
                }
            case .expunge:
                var kept = record
                kept.token = 0
                kept.modSeq = record.modSeq != 0 ? record.modSeq : log.base + UInt64(place) + 1
                expunges.append(kept)
                if expunges.count - dropped > 2 * Self.keptExpunges {
                    // Drop in large steps to keep the cost low.
                    dropped = expunges.count - Self.keptExpunges
                    copied.oldestAnswerable = max(copied.oldestAnswerable, expunges[dropped - 1].modSeq)
                    expunges.removeFirst(dropped)
                    dropped = 0
                }
            default: break
            }
        }
        if expunges.count > Self.keptExpunges {
            let drop = expunges.count - Self.keptExpunges
            copied.oldestAnswerable = max(copied.oldestAnswerable, expunges[drop - 1].modSeq)
            expunges.removeFirst(drop)
        }
        try writer.append(piece + expunges, to: fd, seed: log.seed)
        copied.count += expunges.count
        return copied
    }

    /// Copies the records written meanwhile and renames the new log into place. False if the log has been replaced by
    /// somebody else. Exclusive lock.
    private func replaceLog(
        _ log: LogFile, _ from: Int, _ bulk: Copied, _ writer: LogWriter, _ fd: Int32
    ) throws(StoreError) -> Bool {
        let (current, view, status) = state.withLock { ($0.log, $0.view, $0.status) }
        guard current === log else { return false }
        var tail: [LogRecord] = []
        _ = try log.scan(from: from, to: view.applied) { record, place in
            guard record.isDone else { return }
            var kept = record
            kept.token = 0
            if kept.modSeq == 0 { kept.modSeq = log.base + UInt64(place) + 1 }
            switch record.kind {
            case .append, .kept, .expunge: tail.append(kept)
            case .flags:
                // Racing records may be in a different order than their renames, and the intents that show it are not
                // kept: the view, which has checked the names, decides.
                if let entry = view.list.entry(of: UID(record.uid)) { kept.flags = entry.flags }
                tail.append(kept)
            case .set, .recent, .void, .clean, .letters: break
            }
        }
        // Appends of a rolled-back set are in the log without the set's done record. They are not in the view and must
        // not be in the new log either.
        let expunged = Set(tail.lazy.filter { $0.kind == .expunge }.map(\.uid))
        tail.removeAll { record in
            (record.kind == .append || record.kind == .kept) && view.list.entry(of: UID(record.uid)) == nil
                && !expunged.contains(record.uid)
        }
        try writer.append(tail, to: fd, seed: log.seed)
        var header = try log.header()
        let end = log.base + UInt64(view.applied)
        header.sequence = 1
        header.base = end - UInt64(bulk.count + tail.count)
        header.nextUID = view.nextUID
        header.oldestAnswerable = bulk.oldestAnswerable
        header.recentUID = view.recentUID
        header.uidCeiling = max(header.uidCeiling, status.uidCeiling)
        header.modSeqCeiling = max(header.modSeqCeiling, status.modSeqCeiling)
        header.keywords.merge(status.keywords)
        try writer.finish(header, fd)
        try writer.replace()
        return true
    }
}
