/// One message as the mailbox's view has it.
public struct MessageEntry: Hashable, Sendable {
    public var uid: UID
    public var flags: MessageFlags
    public var modSeq: ModSeq
    /// RFC822.SIZE: the file's size in bytes.
    public var size: UInt32
    var record: UInt32
    var date: UInt32

    /// INTERNALDATE, seconds since 1970 UTC, when it is at hand; else ``Mailbox/internalDate(of:)`` has it.
    public var knownInternalDate: Int64? { date == ShardColumns.unknownDate ? nil : Int64(date) }

    /// Whether the date is at hand is no property of the message.
    public static func == (a: MessageEntry, b: MessageEntry) -> Bool {
        a.uid == b.uid && a.flags == b.flags && a.modSeq == b.modSeq && a.size == b.size && a.record == b.record
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(uid)
        hasher.combine(modSeq)
    }
}

/// Counts over messages.
public struct MessageTotals: Hashable, Sendable {
    /// Messages without `\Seen`.
    public private(set) var unseen = 0
    /// Messages with `\Deleted`.
    public private(set) var deleted = 0
    /// Octets of all messages.
    public private(set) var octets: UInt64 = 0
    /// Octets of messages with `\Deleted`.
    public private(set) var deletedOctets: UInt64 = 0

    mutating func add(_ flags: UInt64, _ size: UInt32) { change(flags, size, 1, &+) }
    mutating func remove(_ flags: UInt64, _ size: UInt32) { change(flags, size, -1, &-) }

    @inline(__always)
    private mutating func change(_ flags: UInt64, _ size: UInt32, _ by: Int, _ op: (UInt64, UInt64) -> UInt64) {
        octets = op(octets, UInt64(size))
        if flags & MessageFlags.seen.rawValue == 0 { unseen += by }
        if flags & MessageFlags.deleted.rawValue != 0 {
            deleted += by
            deletedOctets = op(deletedOctets, UInt64(size))
        }
    }

    mutating func add(_ other: MessageTotals) {
        unseen += other.unseen
        deleted += other.deleted
        octets += other.octets
        deletedOctets += other.deletedOctets
    }
}

/// The messages of a mailbox at one mod-sequence, in UID order: a value that shares its memory with the view it was
/// taken from until either changes. Sequence numbers begin at 1.
public struct MessageList: Sendable {
    private(set) var shards: [ShardTable] = []
    public private(set) var count = 0

    init() {}

    /// Shards in order of their numbers, none of them empty.
    init(_ shards: [ShardTable]) {
        self.shards = shards
        count = shards.reduce(0) { $0 + $1.count }
    }

    /// Counted as messages come and go: costs a step for each thousand messages.
    public var totals: MessageTotals {
        var sum = MessageTotals()
        for shard in shards { sum.add(shard.totals) }
        return sum
    }

    /// The message at a sequence number less one.
    public subscript(_ index: Int) -> MessageEntry {
        var left = index
        for shard in shards {
            if left < shard.count { return shard.entry(left) }
            left -= shard.count
        }
        preconditionFailure("message index \(index) is outside 0..<\(count)")
    }

    /// The message of a UID; nil when there is none.
    public func entry(of uid: UID) -> MessageEntry? {
        guard let s = shardIndex(uid.shard) else { return nil }
        let (i, found) = shards[s].find(uid.rawValue)
        return found ? shards[s].entry(i) : nil
    }

    /// The sequence number less one of a UID; nil when there is none.
    public func index(of uid: UID) -> Int? {
        guard entry(of: uid) != nil else { return nil }
        return count(below: uid.rawValue)
    }

    /// How many messages have a UID below `uid`.
    public func count(below uid: UInt32) -> Int {
        var before = 0
        for shard in shards {
            if shard.number < uid / UID.perShard {
                before += shard.count
            } else {
                return shard.number == uid / UID.perShard ? before + shard.find(uid).index : before
            }
        }
        return before
    }

    /// For each of `uids`, which ascend, how many messages have a lower UID.
    public func counts(below uids: some Sequence<UInt32>) -> [Int] {
        var counts: [Int] = []
        var before = 0
        var s = 0
        for uid in uids {
            while s < shards.count, shards[s].number < uid / UID.perShard {
                before += shards[s].count
                s += 1
            }
            let isInShard = s < shards.count && shards[s].number == uid / UID.perShard
            counts.append(isInShard ? before + shards[s].find(uid).index : before)
        }
        return counts
    }

    public var first: MessageEntry? { count == 0 ? nil : self[0] }
    public var last: MessageEntry? {
        for shard in shards.reversed() where shard.count > 0 { return shard.entry(shard.count - 1) }
        return nil
    }

    /// Calls `body` for each message of UIDs in `range`, in UID order.
    public func forEach<E: Error>(
        in range: ClosedRange<UInt32> = 1...UInt32.max, _ body: (MessageEntry) throws(E) -> Void
    ) throws(E) {
        for shard in shards[insertionIndex(range.lowerBound / UID.perShard)...] {
            if shard.number > range.upperBound / UID.perShard { return }
            let columns = shard.columns
            var i = shard.number == range.lowerBound / UID.perShard ? columns.find(range.lowerBound).index : 0
            while i < columns.offsets.count, columns.uid(i) <= range.upperBound {
                try body(columns.entry(i))
                i += 1
            }
        }
    }

    /// Calls `body` for each message of UIDs in `range` whose mod-sequence is above `modSeq`, in UID order, with its
    /// place in the list; looks only into shards that have such messages.
    public func forEachChanged<E: Error>(
        since modSeq: ModSeq, in range: ClosedRange<UInt32> = 1...UInt32.max,
        _ body: (_ place: Int, MessageEntry) throws(E) -> Void
    ) throws(E) {
        var before = 0
        for shard in shards {
            if shard.number > range.upperBound / UID.perShard { return }
            defer { before += shard.count }
            guard shard.highestModSeq > modSeq, shard.number >= range.lowerBound / UID.perShard else { continue }
            let columns = shard.columns
            for i in columns.offsets.indices where columns.modSeqs[i] > modSeq {
                let uid = columns.uid(i)
                if uid > range.upperBound { return }
                if uid >= range.lowerBound { try body(before + i, columns.entry(i)) }
            }
        }
    }

    /// Calls `body` for each message of this list that `newer` lacks, in UID order, with its place in this list; shards
    /// that are the same are passed over.
    public func forEachMissing(from newer: MessageList, _ body: (_ place: Int, MessageEntry) -> Void) {
        var before = 0
        for shard in shards {
            let columns = shard.columns
            defer { before += columns.offsets.count }
            guard let s = newer.shardIndex(shard.number) else {
                for i in columns.offsets.indices { body(before + i, columns.entry(i)) }
                continue
            }
            let other = newer.shards[s].columns
            if other.offsets == columns.offsets { continue }
            for i in columns.offsets.indices where !other.find(columns.uid(i)).found {
                body(before + i, columns.entry(i))
            }
        }
    }

    /// The place of the first message without `\Seen`, which is its sequence number less one.
    public var firstUnseen: Int? {
        var before = 0
        for shard in shards {
            if shard.totals.unseen > 0 {
                let flags = shard.columns.flags
                for i in flags.indices where flags[i] & MessageFlags.seen.rawValue == 0 { return before + i }
            }
            before += shard.count
        }
        return nil
    }

    /// The place of a shard among `shards`.
    func shardIndex(_ number: UInt32) -> Int? {
        let i = insertionIndex(number)
        return i < shards.count && shards[i].number == number ? i : nil
    }

    private func insertionIndex(_ number: UInt32) -> Int {
        if let last = shards.last, last.number < number { return shards.count }
        // A mailbox without empty shards is the common case.
        if let first = shards.first, number >= first.number {
            let guess = Int(number - first.number)
            if guess < shards.count, shards[guess].number == number { return guess }
        }
        var low = 0
        var high = shards.count
        while low < high {
            let mid = (low + high) / 2
            if shards[mid].number < number { low = mid + 1 } else { high = mid }
        }
        return low
    }

    // MARK: changes

    mutating func put(_ uid: UInt32, flags: UInt64, modSeq: ModSeq, size: UInt32, record: UInt32) {
        let number = uid / UID.perShard
        let at = insertionIndex(number)
        if at == shards.count || shards[at].number != number { shards.insert(ShardTable(number: number), at: at) }
        if shards[at].edit({ $0.put(uid, flags: flags, modSeq: modSeq, size: size, record: record) }) { count += 1 }
    }

    /// False when there is no such message.
    @discardableResult
    mutating func setFlags(_ uid: UInt32, _ flags: UInt64, _ modSeq: ModSeq) -> Bool {
        guard let s = shardIndex(uid / UID.perShard) else { return false }
        let (i, found) = shards[s].find(uid)
        if found { shards[s].edit { $0.setFlags(at: i, flags, modSeq) } }
        return found
    }

    @discardableResult
    mutating func remove(_ uid: UInt32) -> MessageEntry? {
        guard let s = shardIndex(uid / UID.perShard) else { return nil }
        let (i, found) = shards[s].find(uid)
        guard found else { return nil }
        let entry = shards[s].entry(i)
        shards[s].edit { $0.remove(at: i) }
        count -= 1
        if shards[s].count == 0 { shards.remove(at: s) }
        return entry
    }

    /// INTERNALDATEs of a shard's messages, by UID less the shard's first.
    mutating func setDates(ofShard number: UInt32, _ dates: [UInt16: UInt32]) {
        guard let s = shardIndex(number) else { return }
        shards[s].edit { $0.setDates(dates) }
    }

    /// Those that are known without a look; ascending.
    mutating func noteDates(_ dates: [(uid: UInt32, date: UInt32)]) {
        var rest = dates[...]
        while let first = rest.first {
            let number = first.uid / UID.perShard
            let found = rest.prefix { $0.uid / UID.perShard == number }
            rest = rest.dropFirst(found.count)
            if let s = shardIndex(number) { shards[s].edit { $0.noteDates(found) } }
        }
    }
}
