/// The messages of one shard directory in UID order: packed columns, 26 bytes a message.
struct ShardTable: Sendable {
    let number: UInt32
    /// UID less the shard's first.
    private(set) var offsets: [UInt16] = []
    private(set) var flags: [UInt64] = []
    private(set) var modSeqs: [ModSeq] = []
    private(set) var sizes: [UInt32] = []
    /// Place in the log of the record that holds digest and save time.
    private(set) var records: [UInt32] = []

    init(number: UInt32) { self.number = number }

    var count: Int { offsets.count }
    var firstUID: UInt32 { number * UID.perShard }

    func uid(_ i: Int) -> UInt32 { firstUID + UInt32(offsets[i]) }

    /// The place of a UID, or where it would be.
    @inline(__always)
    func find(_ uid: UInt32) -> (index: Int, found: Bool) {
        let wanted = UInt16(uid - firstUID)
        // A shard without gaps is the common case: the place is the distance from the first UID.
        if let first = offsets.first, wanted >= first {
            let guess = Int(wanted - first)
            if guess < offsets.count, offsets[guess] == wanted { return (guess, true) }
        }
        var low = 0
        var high = offsets.count
        while low < high {
            let mid = (low + high) / 2
            if offsets[mid] < wanted { low = mid + 1 } else { high = mid }
        }
        return (low, low < offsets.count && offsets[low] == wanted)
    }

    mutating func reserve(_ n: Int) {
        offsets.reserveCapacity(n)
        flags.reserveCapacity(n)
        modSeqs.reserveCapacity(n)
        sizes.reserveCapacity(n)
        records.reserveCapacity(n)
    }

    mutating func put(_ uid: UInt32, flags f: UInt64, modSeq: ModSeq, size: UInt32, record: UInt32) -> Bool {
        let offset = UInt16(uid - firstUID)
        if offsets.isEmpty || offsets[offsets.count - 1] < offset {
            offsets.append(offset)
            flags.append(f)
            modSeqs.append(modSeq)
            sizes.append(size)
            records.append(record)
            return true
        }
        let (i, found) = find(uid)
        if found {
            flags[i] = f
            modSeqs[i] = modSeq
            sizes[i] = size
            records[i] = record
            return false
        }
        offsets.insert(offset, at: i)
        flags.insert(f, at: i)
        modSeqs.insert(modSeq, at: i)
        sizes.insert(size, at: i)
        records.insert(record, at: i)
        return true
    }

    mutating func setFlags(at i: Int, _ f: UInt64, _ modSeq: ModSeq) {
        flags[i] = f
        modSeqs[i] = modSeq
    }

    mutating func remove(at i: Int) {
        offsets.remove(at: i)
        flags.remove(at: i)
        modSeqs.remove(at: i)
        sizes.remove(at: i)
        records.remove(at: i)
    }
}

/// One message as the mailbox's view has it.
public struct MessageEntry: Hashable, Sendable {
    public var uid: UID
    public var flags: MessageFlags
    public var modSeq: ModSeq
    /// RFC822.SIZE: the file's size in bytes.
    public var size: UInt32
    var record: UInt32
}

/// The messages of a mailbox at one mod-sequence, in UID order: a value that shares its memory with the view it was
/// taken from until either changes. Sequence numbers begin at 1.
public struct MessageList: Sendable {
    private(set) var shards: [ShardTable] = []
    public private(set) var count = 0

    init() {}

    /// The message at a sequence number less one.
    public subscript(_ index: Int) -> MessageEntry {
        var left = index
        for shard in shards {
            if left < shard.count { return Self.entry(shard, left) }
            left -= shard.count
        }
        preconditionFailure("message index \(index) is outside 0..<\(count)")
    }

    static func entry(_ s: ShardTable, _ i: Int) -> MessageEntry {
        MessageEntry(
            uid: UID(s.uid(i)), flags: MessageFlags(rawValue: s.flags[i]), modSeq: s.modSeqs[i], size: s.sizes[i],
            record: s.records[i])
    }

    /// The message of a UID; nil when there is none.
    public func entry(of uid: UID) -> MessageEntry? {
        guard let s = shardIndex(uid.shard) else { return nil }
        let (i, found) = shards[s].find(uid.rawValue)
        return found ? Self.entry(shards[s], i) : nil
    }

    /// The sequence number less one of a UID; nil when there is none.
    public func index(of uid: UID) -> Int? {
        var before = 0
        for shard in shards {
            if shard.number < uid.shard {
                before += shard.count
            } else {
                guard shard.number == uid.shard else { return nil }
                let (i, found) = shard.find(uid.rawValue)
                return found ? before + i : nil
            }
        }
        return nil
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

    public var first: MessageEntry? { count == 0 ? nil : self[0] }
    public var last: MessageEntry? {
        for shard in shards.reversed() where shard.count > 0 { return Self.entry(shard, shard.count - 1) }
        return nil
    }

    /// Calls `body` for each message of UIDs in `range`, in UID order.
    public func forEach<E: Error>(
        in range: ClosedRange<UInt32> = 1...UInt32.max, _ body: (MessageEntry) throws(E) -> Void
    ) throws(E) {
        for shard in shards where shard.number >= range.lowerBound / UID.perShard {
            if shard.number > range.upperBound / UID.perShard { return }
            var i = shard.number == range.lowerBound / UID.perShard ? shard.find(range.lowerBound).index : 0
            while i < shard.count, shard.uid(i) <= range.upperBound {
                try body(Self.entry(shard, i))
                i += 1
            }
        }
    }

    /// The place of a shard among `shards`.
    func shardIndex(_ number: UInt32) -> Int? {
        let i = insertionIndex(number)
        return i < shards.count && shards[i].number == number ? i : nil
    }

    private func insertionIndex(_ number: UInt32) -> Int {
        if let last = shards.last, last.number < number { return shards.count }
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
        if shards[at].put(uid, flags: flags, modSeq: modSeq, size: size, record: record) { count += 1 }
    }

    /// False when there is no such message.
    @discardableResult
    mutating func setFlags(_ uid: UInt32, _ flags: UInt64, _ modSeq: ModSeq) -> Bool {
        guard let s = shardIndex(uid / UID.perShard) else { return false }
        let (i, found) = shards[s].find(uid)
        if found { shards[s].setFlags(at: i, flags, modSeq) }
        return found
    }

    @discardableResult
    mutating func remove(_ uid: UInt32) -> MessageEntry? {
        guard let s = shardIndex(uid / UID.perShard) else { return nil }
        let (i, found) = shards[s].find(uid)
        guard found else { return nil }
        let entry = Self.entry(shards[s], i)
        shards[s].remove(at: i)
        count -= 1
        if shards[s].count == 0 { shards.remove(at: s) }
        return entry
    }
}
