/// The messages of one shard directory in UID order. A value that shares its columns with its copies until it changes,
/// so that copying a list of thousands of shards costs one reference each.
@usableFromInline
struct ShardTable: Sendable {
    /// `@unchecked Sendable`: `columns` is written through a ``ShardTable`` that holds the only reference to the box
    /// (`isKnownUniquelyReferenced`), so no other thread can be reading it.
    private final class Box: @unchecked Sendable {
        var columns: ShardColumns
        init(_ columns: ShardColumns) { self.columns = columns }
    }

    @usableFromInline let number: UInt32
    /// The number of messages in the list before this shard, if the list has located it.
    private var before: UInt32 = 0
    private var box: Box

    init(number: UInt32) {
        self.number = number
        box = Box(ShardColumns(firstUID: number * UID.perShard))
    }

    init(number: UInt32, columns: ShardColumns) {
        self.number = number
        box = Box(columns)
    }

    /// The columns for reading many entries: take them once, then index.
    @usableFromInline var columns: ShardColumns { box.columns }
    var count: Int { box.columns.offsets.count }
    /// The index of the shard's first message in the list.
    var start: Int {
        get { Int(before) }
        set { before = UInt32(truncatingIfNeeded: newValue) }
    }
    var end: Int { start + count }
    var totals: MessageTotals { box.columns.totals }
    /// An upper bound of the messages' mod-sequences.
    var highestModSeq: ModSeq { box.columns.highestModSeq }

    func uid(_ i: Int) -> UInt32 { box.columns.uid(i) }
    func find(_ uid: UInt32) -> (index: Int, found: Bool) { box.columns.find(uid) }
    func entry(_ i: Int) -> MessageEntry { box.columns.entry(i) }

    /// Whether both share the same columns in memory.
    func isSame(as other: ShardTable) -> Bool { box === other.box }

    mutating func edit<R>(_ body: (inout ShardColumns) -> R) -> R {
        if !isKnownUniquelyReferenced(&box) { box = Box(box.columns) }
        return body(&box.columns)
    }
}

/// Packed columns: 26 bytes per message, 30 once its dates have been requested.
@usableFromInline
struct ShardColumns: Sendable {
    @usableFromInline let firstUID: UInt32
    /// UIDs minus the shard's first UID.
    @usableFromInline private(set) var offsets: [UInt16] = []
    @usableFromInline private(set) var flags: [UInt64] = []
    @usableFromInline private(set) var modSeqs: [ModSeq] = []
    @usableFromInline private(set) var sizes: [UInt32] = []
    /// The places in the log of the records with digest and save time.
    @usableFromInline private(set) var records: [UInt32] = []
    /// INTERNALDATEs in seconds since 1970; empty until requested, `unknownDate` where a lookup is needed.
    @usableFromInline private(set) var dates: [UInt32] = []
    private(set) var totals = MessageTotals()
    private(set) var highestModSeq: ModSeq = 0

    @inlinable static var unknownDate: UInt32 { .max }
    /// The number of unknown dates in a shard up to which they are looked up one by one.
    private static let fewUnknown = 16

    init(firstUID: UInt32) { self.firstUID = firstUID }

    /// Nil if the columns differ in length or hold invalid values, or the offsets are not ascending or not of this
    /// shard.
    init?(
        firstUID: UInt32, offsets: [UInt16], flags: [UInt64], modSeqs: [ModSeq], sizes: [UInt32], records: [UInt32],
        dates: [UInt32], highestModSeq: ModSeq
    ) {
        let count = offsets.count
        guard flags.count == count, modSeqs.count == count, sizes.count == count, records.count == count,
            dates.isEmpty || dates.count == count, highestModSeq < LogRecord.modSeqLimit
        else { return nil }
        var next: UInt16 = firstUID == 0 ? 1 : 0
        for i in 0..<count {
            guard offsets[i] >= next, offsets[i] < UInt16(UID.perShard), modSeqs[i] <= highestModSeq,
                flags[i] >> 62 == 0
            else { return nil }
            next = offsets[i] + 1
            totals.add(flags[i], sizes[i])
        }
        // The last shard is shorter.
        guard UInt32(offsets.last ?? 0) <= .max - firstUID else { return nil }
        self.firstUID = firstUID
        self.offsets = offsets
        self.flags = flags
        self.modSeqs = modSeqs
        self.sizes = sizes
        self.records = records
        self.dates = dates
        self.highestModSeq = highestModSeq
    }

    @inlinable @inline(__always)
    func uid(_ i: Int) -> UInt32 { firstUID + UInt32(offsets[i]) }

    /// The place of a UID, or its insertion place.
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

    @inlinable @inline(__always)
    func entry(_ i: Int) -> MessageEntry {
        MessageEntry(
            uid: UID(uid(i)), flags: MessageFlags(rawValue: flags[i]), modSeq: modSeqs[i], size: sizes[i],
            record: records[i], date: dates.isEmpty ? Self.unknownDate : dates[i])
    }

    /// The place of a UID of the shard, or its insertion place.
    @usableFromInline
    func place(of uid: UID) -> Int { find(uid.rawValue).index }

    /// Adds or replaces a message; true if it is new.
    mutating func put(_ uid: UInt32, flags f: UInt64, modSeq: ModSeq, size: UInt32, record: UInt32) -> Bool {
        let offset = UInt16(uid - firstUID)
        let (i, found) = offsets.last.map { $0 < offset } ?? true ? (offsets.count, false) : find(uid)
        highestModSeq = max(highestModSeq, modSeq)
        if found {
            totals.remove(flags[i], sizes[i])
            flags[i] = f
            modSeqs[i] = modSeq
            sizes[i] = size
            records[i] = record
        } else if i == offsets.count {
            if !dates.isEmpty { dates.append(Self.unknownDate) }
            offsets.append(offset)
            flags.append(f)
            modSeqs.append(modSeq)
            sizes.append(size)
            records.append(record)
        } else {
            if !dates.isEmpty { dates.insert(Self.unknownDate, at: i) }
            offsets.insert(offset, at: i)
            flags.insert(f, at: i)
            modSeqs.insert(modSeq, at: i)
            sizes.insert(size, at: i)
            records.insert(record, at: i)
        }
        totals.add(f, size)
        return !found
    }

    mutating func setFlags(at i: Int, _ f: UInt64, _ modSeq: ModSeq) {
        totals.remove(flags[i], sizes[i])
        flags[i] = f
        modSeqs[i] = modSeq
        totals.add(f, sizes[i])
        highestModSeq = max(highestModSeq, modSeq)
    }

    /// Sets dates by UID minus the shard's first UID.
    mutating func setDates(_ found: [UInt16: UInt32]) {
        if dates.isEmpty { dates = [UInt32](repeating: Self.unknownDate, count: offsets.count) }
        for i in offsets.indices { if let date = found[offsets[i]] { dates[i] = date } }
    }

    /// Whether looking up all dates of the shard at once is cheaper than one by one.
    var lacksManyDates: Bool {
        dates.isEmpty || dates.count { $0 == Self.unknownDate } > Self.fewUnknown
    }

    /// Records dates known without a lookup. Starts a column only if few dates stay unknown, which are then looked up
    /// one by one; otherwise the column stays empty, meaning that all are to be looked up together.
    mutating func noteDates(_ found: ArraySlice<(uid: UInt32, date: UInt32)>) {
        if dates.isEmpty {
            guard offsets.count <= max(2 * found.count, Self.fewUnknown) else { return }
            dates = [UInt32](repeating: Self.unknownDate, count: offsets.count)
        }
        for (uid, date) in found {
            let (i, isThere) = find(uid)
            if isThere { dates[i] = date }
        }
    }

    mutating func remove(at i: Int) {
        totals.remove(flags[i], sizes[i])
        offsets.remove(at: i)
        flags.remove(at: i)
        modSeqs.remove(at: i)
        sizes.remove(at: i)
        records.remove(at: i)
        if !dates.isEmpty { dates.remove(at: i) }
    }
}
