import DurableFiles
import Glibc
import Primitives

// INTERNALDATE is a file's modification time; looked up a shard at a time on demand, then kept with the flags.

extension Mailbox {
    /// The INTERNALDATE of a message, seconds since 1970 UTC; also of one expunged since, until its file is purged.
    /// - Throws: `notFound`.
    public func internalDate(of entry: MessageEntry) throws(StoreError) -> Int64 {
        if let known = entry.knownInternalDate { return known }
        let number = entry.uid.shard
        let (now, shard) = state.withLock { s in
            (s.view.list.entry(of: entry.uid), s.view.list.shardIndex(number).map { s.view.list.shards[$0].columns })
        }
        if let known = now?.knownInternalDate { return known }
        if now != nil, let shard, shard.lacksManyDates {
            let dates = try lookUpDates(number, shard)
            state.withLock { $0.view.setDates(ofShard: number, dates) }
            if let date = dates[UInt16(entry.uid.rawValue - shard.firstUID)] { return Int64(date) }
        }
        let date = try open(entry.uid).internalDate
        noteDates([(entry.uid, date)])
        return date
    }

    /// The dates of a shard's messages by UID minus the shard's first UID, without messages that were renamed since or
    /// whose date cannot be packed.
    private func lookUpDates(_ number: UInt32, _ columns: ShardColumns) throws(StoreError) -> [UInt16: UInt32] {
        guard let shard = try shard(number) else { return [:] }
        var dates: [UInt16: UInt32] = [:]
        dates.reserveCapacity(columns.offsets.count)
        for i in columns.offsets.indices {
            let status = try? MessageFileName.with(columns.uid(i), MessageFlags(rawValue: columns.flags[i])) {
                (name) throws(Errno) in try system.status(shard.descriptor, name)
            }
            guard let date = (status?.modifiedSeconds).flatMap(Self.packed) else { continue }
            dates[columns.offsets[i]] = date
        }
        return dates
    }

    /// Records dates that are known without a lookup.
    func noteDates(_ dates: [(UID, Int64?)]) {
        let known = dates.compactMap { uid, date in
            date.flatMap(Self.packed).map { (uid: uid.rawValue, date: $0) }
        }
        state.withLock { $0.view.noteDates(known) }
    }

    /// Packs a date; nil if the column cannot hold it, so that it is looked up each time.
    private static func packed(_ date: Int64) -> UInt32? {
        UInt32(exactly: date).flatMap { $0 == ShardColumns.unknownDate ? nil : $0 }
    }
}
