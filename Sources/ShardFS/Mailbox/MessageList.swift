/// The messages of a mailbox at one mod-sequence, in UID order: a value that shares its memory with the view it was
/// taken from until either changes. A message's index is its sequence number minus one.
///
/// A collection without any allocation or copy per message.
public struct MessageList: Sendable {
    @usableFromInline private(set) var shards: [ShardTable] = []
    public private(set) var count = 0
    /// The number of leading shards that know the index of their first message.
    private var located = 0

    init() {}

    /// Takes non-empty shards in the order of their numbers.
    init(_ shards: [ShardTable]) {
        self.shards = shards
        count = shards.reduce(0) { $0 + $1.count }
        locateShards()
    }

    /// Sums the shards' totals, which are kept up to date: one step per shard of at most a thousand messages.
    public var totals: MessageTotals {
        var sum = MessageTotals()
        for shard in shards { sum.add(shard.totals) }
        return sum
    }

    /// The message with a UID; nil if there is none.
    public func entry(of uid: UID) -> MessageEntry? {
        guard let s = shardIndex(uid.shard) else { return nil }
        let (i, found) = shards[s].find(uid.rawValue)
        return found ? shards[s].entry(i) : nil
    }

    /// The index of a UID; nil if there is no such message.
    public func index(of uid: UID) -> Int? {
        guard let s = shardIndex(uid.shard) else { return nil }
        let (i, found) = shards[s].find(uid.rawValue)
        return found ? start(ofShardAt: s) + i : nil
    }

    /// The number of messages with a UID below `uid`.
    public func count(below uid: UID) -> Int {
        let s = insertionIndex(uid.shard)
        let before = start(ofShardAt: s)
        return s < shards.count && shards[s].number == uid.shard ? before + shards[s].find(uid.rawValue).index : before
    }

    /// The number of messages with a lower UID, for each of `uids`, which must be ascending.
    public func counts(below uids: some Sequence<UID>) -> [Int] {
        var counts: [Int] = []
        var before = 0
        var s = 0
        for uid in uids {
            while s < shards.count, shards[s].number < uid.shard {
                before += shards[s].count
                s += 1
            }
            let isInShard = s < shards.count && shards[s].number == uid.shard
            counts.append(isInShard ? before + shards[s].find(uid.rawValue).index : before)
        }
        return counts
    }

    /// The index of the first message without `\Seen`.
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

    // MARK: shards

    /// The place of a shard among `shards`; nil if it is not there.
    func shardIndex(_ number: UInt32) -> Int? {
        let i = insertionIndex(number)
        return i < shards.count && shards[i].number == number ? i : nil
    }

    @usableFromInline
    func insertionIndex(_ number: UInt32) -> Int {
        if let last = shards.last, last.number < number { return shards.count }
        // A mailbox without missing shards is the common case.
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

    /// The number of messages in shards before one.
    func index(ofShard number: UInt32) -> Int { start(ofShardAt: insertionIndex(number)) }

    /// The index of the first message of the shard at a place, which may be the end.
    private func start(ofShardAt place: Int) -> Int {
        if place < located { return shards[place].start }
        if place == shards.count { return count }
        var start = located > 0 ? shards[located - 1].end : 0
        for shard in shards[located..<place] { start += shard.count }
        return start
    }

    /// The place of the shard that holds the message at an index, and the index of the shard's first message.
    func shard(holding index: Int) -> (place: Int, start: Int) {
        // No shard has more than a thousand messages, so the wanted one is not before this one.
        var low = Swift.min(index / Int(UID.perShard), located)
        if low < located, shards[low].end > index { return (low, shards[low].start) }
        var high = located
        while low < high {
            let mid = (low + high) / 2
            if shards[mid].end <= index { low = mid + 1 } else { high = mid }
        }
        var start = start(ofShardAt: low)
        while start + shards[low].count <= index {
            start += shards[low].count
            low += 1
        }
        return (low, start)
    }

    /// Locates every shard's first message, so that indexing is fast. Costs one step per shard after the first change
    /// since the last call.
    mutating func locateShards() {
        while located < shards.count {
            shards[located].start = located > 0 ? shards[located - 1].end : 0
            located += 1
        }
    }

    // MARK: changes

    mutating func put(_ uid: UInt32, flags: UInt64, modSeq: ModSeq, size: UInt32, record: UInt32) {
        let number = uid / UID.perShard
        let at = insertionIndex(number)
        if at == shards.count || shards[at].number != number {
            // Shards after a new or changed one have moved.
            located = Swift.min(located, at)
            shards.insert(ShardTable(number: number), at: at)
        }
        if shards[at].edit({ $0.put(uid, flags: flags, modSeq: modSeq, size: size, record: record) }) {
            located = Swift.min(located, at + 1)
            count += 1
        }
    }

    /// Sets a message's flags; false if there is no such message.
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
        located = Swift.min(located, s + 1)
        if shards[s].count == 0 {
            located = Swift.min(located, s)
            shards.remove(at: s)
        }
        return entry
    }

    /// Sets INTERNALDATEs of a shard's messages, by UID minus the shard's first UID.
    mutating func setDates(ofShard number: UInt32, _ dates: [UInt16: UInt32]) {
        guard let s = shardIndex(number) else { return }
        shards[s].edit { $0.setDates(dates) }
    }

    /// Records dates known without a lookup, in ascending UID order.
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
