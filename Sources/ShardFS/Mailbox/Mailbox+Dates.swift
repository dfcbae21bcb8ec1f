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
        let (now, shard, rare) = state.withLock { s in
            (
                s.view.list.entry(of: entry.uid), s.view.list.shardIndex(number).map { s.view.list.shards[$0].columns },
                s.rareDates[entry.uid.rawValue]
            )
        }
        if let known = now?.knownInternalDate ?? rare { return known }
        if now != nil, let shard, shard.lacksManyDates {
            try context.mayWait()
            let dates = try lookUpDates(number, shard)
            state.withLock { s in
                s.view.setDates(ofShard: number, dates.compactMapValues(Self.packed))
                s.noteRare(dates.lazy.map { (shard.firstUID + UInt32($0), $1) })
            }
            if let date = dates[UInt16(entry.uid.rawValue - shard.firstUID)] { return date }
        }
        let date = try open(entry.uid).internalDate
        noteDates([(entry.uid, date)])
        return date
    }

    /// The dates of a shard's messages by UID minus the shard's first UID, without messages that were renamed since.
    private func lookUpDates(_ number: UInt32, _ columns: ShardColumns) throws(StoreError) -> [UInt16: Int64] {
        guard let shard = try shard(number) else { return [:] }
        var dates: [UInt16: Int64] = [:]
        dates.reserveCapacity(columns.offsets.count)
        for i in columns.offsets.indices {
            let status = try? MessageFileName.with(columns.uid(i), MessageFlags(rawValue: columns.flags[i])) {
                (name) throws(Errno) in try system.status(shard.descriptor, name)
            }
            if let date = status?.modifiedSeconds { dates[columns.offsets[i]] = date }
        }
        return dates
    }

    /// Records dates that are known without a lookup.
    func noteDates(_ dates: [(UID, Int64?)]) {
        let known = dates.compactMap { uid, date in
            date.flatMap(Self.packed).map { (uid: uid.rawValue, date: $0) }
        }
        state.withLock { s in
            s.view.noteDates(known)
            s.noteRare(dates.lazy.compactMap { uid, date in date.map { (uid.rawValue, $0) } })
        }
    }

    /// Packs a date; nil if the column cannot hold it.
    fileprivate static func packed(_ date: Int64) -> UInt32? {
        UInt32(exactly: date).flatMap { $0 == ShardColumns.unknownDate ? nil : $0 }
    }
}

extension Mailbox.State {
    /// Dates kept outside of the columns; beyond that, all are looked up again.
    private static let mostRareDates = 65_536

    /// Records those dates that the columns cannot hold, so that the messages of a shard are not looked up again and
    /// again.
    fileprivate mutating func noteRare(_ dates: some Sequence<(UInt32, Int64)>) {
        for (uid, date) in dates where Mailbox.packed(date) == nil {
            if rareDates.count >= Self.mostRareDates { rareDates = [:] }
            rareDates[uid] = date
        }
    }
}
