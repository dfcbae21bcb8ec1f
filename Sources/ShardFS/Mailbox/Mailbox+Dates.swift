import DurableFiles
import Glibc
import Primitives

// INTERNALDATE is a file's time; looked up a shard at a time when somebody asks, then kept beside the flags.

extension Mailbox {
    /// INTERNALDATE of a message, seconds since 1970 UTC; also of one expunged since, as long as its file waits.
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

    /// By UID less the shard's first; a message whose name has changed since, or whose date is none, is left out.
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

    /// Keeps dates that are known without a look.
    func noteDates(_ dates: [(UID, Int64?)]) {
        let known = dates.compactMap { uid, date in
            date.flatMap(Self.packed).map { (uid: uid.rawValue, date: $0) }
        }
        state.withLock { $0.view.noteDates(known) }
    }

    /// Nil for a date that the column cannot hold: it is looked up each time.
    private static func packed(_ date: Int64) -> UInt32? {
        UInt32(exactly: date).flatMap { $0 == ShardColumns.unknownDate ? nil : $0 }
    }
}
