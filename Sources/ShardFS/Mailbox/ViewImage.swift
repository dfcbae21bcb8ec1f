import CPosix
import DurableFiles

// A mailbox's view as bytes: a header, and a part for each shard. Everything is verified when loaded; a part that does
// not match the header invalidates the whole.

/// The stamp of a shard directory when it was listed. Two equal stamps, the first of them settled, prove that no name
/// in the directory changed in between: its change time cannot be set back.
struct ShardStamp: Equatable, Sendable {
    /// The age in nanoseconds at which a stamp is settled: a change within one tick of the file system's clock can
    /// leave the time unchanged.
    static let leastAge: Int64 = 2_000_000_000

    var inode: UInt64
    var modified: Int64
    var changed: Int64

    init(_ status: FileStatus) {
        inode = status.inode
        modified = status.modified
        changed = status.changed
    }

    init(inode: UInt64, modified: Int64, changed: Int64) {
        self.inode = inode
        self.modified = modified
        self.changed = changed
    }

    /// Whether the stamp was old enough at `now`, wall-clock nanoseconds, to reveal every later change.
    func isSettled(at now: Int64) -> Bool { changed <= now &- Self.leastAge && modified <= now }
}

/// The state of a view's parts, apart from the view itself.
struct ViewParts: Sendable {
    struct Stored: Sendable {
        var serial: UInt64
        var hasDates: Bool
    }

    /// Stamps of shards that held exactly the view's messages and have not been touched by a record since.
    var listed: [UInt32: ShardStamp] = [:]
    /// The place in the log up to which `listed` and `stored` are valid.
    var place = 0
    /// The shards stored in the cache with their current contents.
    var stored: [UInt32: Stored] = [:]
    /// The place in the log of the header in the cache; nil if there is none.
    var headerOffset: Int?

    /// Advances to place `end`, where the records since touched these shards; nil: any shard.
    mutating func advance(to end: Int, touching touched: Set<UInt32>?) {
        place = end
        guard let touched else {
            listed = [:]
            stored = [:]
            return
        }
        for number in touched {
            listed[number] = nil
            stored[number] = nil
        }
    }
}

/// The header of a cached view.
struct ViewHeader: Equatable, Sendable {
    /// The header's part number, which no shard has.
    static let part = UInt32.max
    private static let version: UInt32 = 1
    private static let magic: UInt32 = 0x7677_656d  // "mewv"

    struct Shard: Equatable, Sendable {
        var number: UInt32
        var count: UInt32
        var serial: UInt64
        /// Nil if the shard must be listed.
        var look: ShardStamp?
    }

    var epoch: UInt64
    var base: UInt64
    var uidValidity: UInt32
    /// The inode of the log that the `records` columns refer to.
    var logInode: UInt64
    /// The log's change time when it held exactly `applied` records; 0 if it held more.
    var logChanged: Int64
    var applied: UInt64
    /// The checksum of the last applied record.
    var lastChecksum: UInt32
    var lastToken: UInt64
    var highestModSeq: ModSeq
    var oldestAnswerable: ModSeq
    var nextUID: UInt64
    var recentUID: UInt32
    /// Zero for none.
    var cleanMark: ModSeq
    var usedFlags: UInt64
    var shards: [Shard]

    func encoded() -> [UInt8] {
        var out = ByteWriter(capacity: 128 + shards.count * 41)
        out.put(Self.magic)
        out.put(Self.version)
        out.put(epoch)
        out.put(base)
        out.put(uidValidity)
        out.put(logInode)
        out.put(logChanged)
        out.put(applied)
        out.put(lastChecksum)
        out.put(lastToken)
        out.put(highestModSeq)
        out.put(oldestAnswerable)
        out.put(nextUID)
        out.put(recentUID)
        out.put(cleanMark)
        out.put(usedFlags)
        out.put(UInt32(shards.count))
        for shard in shards {
            out.put(shard.number)
            out.put(shard.count)
            out.put(shard.serial)
            out.put(UInt8(shard.look == nil ? 0 : 1))
            out.put(shard.look?.inode ?? 0)
            out.put(shard.look?.modified ?? 0)
            out.put(shard.look?.changed ?? 0)
        }
        return out.sealed()
    }

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard var input = ByteReader(sealed: bytes), input.take(UInt32.self) == Self.magic,
            input.take(UInt32.self) == Self.version, let epoch = input.take(UInt64.self),
            let base = input.take(UInt64.self), let uidValidity = input.take(UInt32.self),
            let logInode = input.take(UInt64.self), let logChanged = input.take(Int64.self),
            let applied = input.take(UInt64.self), let lastChecksum = input.take(UInt32.self),
            let lastToken = input.take(UInt64.self), let highestModSeq = input.take(UInt64.self),
            let oldestAnswerable = input.take(UInt64.self), let nextUID = input.take(UInt64.self),
            let recentUID = input.take(UInt32.self), let cleanMark = input.take(UInt64.self),
            let usedFlags = input.take(UInt64.self), let count = input.take(UInt32.self),
            input.left == Int(count) * 41
        else { return nil }
        var shards: [Shard] = []
        shards.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let number = input.take(UInt32.self), let count = input.take(UInt32.self),
                let serial = input.take(UInt64.self), let isListed = input.take(UInt8.self),
                let inode = input.take(UInt64.self), let modified = input.take(Int64.self),
                let changed = input.take(Int64.self), shards.last.map({ $0.number < number }) ?? true
            else { return nil }
            let look = ShardStamp(inode: inode, modified: modified, changed: changed)
            shards.append(Shard(number: number, count: count, serial: serial, look: isListed == 1 ? look : nil))
        }
        guard applied <= UInt64(UInt32.max), nextUID <= UID.end, highestModSeq < LogRecord.modSeqLimit,
            oldestAnswerable < LogRecord.modSeqLimit
        else { return nil }
        self.init(
            epoch: epoch, base: base, uidValidity: uidValidity, logInode: logInode, logChanged: logChanged,
            applied: applied, lastChecksum: lastChecksum, lastToken: lastToken, highestModSeq: highestModSeq,
            oldestAnswerable: oldestAnswerable, nextUID: nextUID, recentUID: recentUID, cleanMark: cleanMark,
            usedFlags: usedFlags, shards: shards)
    }

    init(
        epoch: UInt64, base: UInt64, uidValidity: UInt32, logInode: UInt64, logChanged: Int64, applied: UInt64,
        lastChecksum: UInt32, lastToken: UInt64, highestModSeq: ModSeq, oldestAnswerable: ModSeq, nextUID: UInt64,
        recentUID: UInt32, cleanMark: ModSeq, usedFlags: UInt64, shards: [Shard]
    ) {
        self.epoch = epoch
        self.base = base
        self.uidValidity = uidValidity
        self.logInode = logInode
        self.logChanged = logChanged
        self.applied = applied
        self.lastChecksum = lastChecksum
        self.lastToken = lastToken
        self.highestModSeq = highestModSeq
        self.oldestAnswerable = oldestAnswerable
        self.nextUID = nextUID
        self.recentUID = recentUID
        self.cleanMark = cleanMark
        self.usedFlags = usedFlags
        self.shards = shards
    }
}

extension ViewHeader {
    /// Reassembles the view; nil if the parts are not those named in the header, or do not agree with it.
    func joined(
        with tables: [UInt32: (table: ShardTable, serial: UInt64)]
    ) -> (list: MessageList, parts: ViewParts)? {
        var parts = ViewParts()
        var found: [ShardTable] = []
        found.reserveCapacity(shards.count)
        for shard in shards {
            guard let (table, serial) = tables[shard.number], serial == shard.serial,
                table.count == Int(shard.count), table.count > 0, table.highestModSeq <= highestModSeq,
                UInt64(table.uid(table.count - 1)) < nextUID,
                table.columns.records.allSatisfy({ $0 < applied }) || applied == 0
            else { return nil }
            found.append(table)
            parts.listed[shard.number] = shard.look
            parts.stored[shard.number] = ViewParts.Stored(serial: serial, hasDates: !table.columns.dates.isEmpty)
        }
        parts.place = Int(applied)
        parts.headerOffset = parts.place
        return (MessageList(found), parts)
    }
}

/// A shard's part: a serial number that the header repeats, and the columns.
enum ShardPart {
    private static let magic: UInt32 = 0x6873_656d  // "mesh"

    static func encode(_ table: ShardTable, serial: UInt64) -> [UInt8] {
        let columns = table.columns
        let count = columns.offsets.count
        var out = ByteWriter(capacity: 64 + count * 30)
        out.put(magic)
        out.put(table.number)
        out.put(serial)
        out.put(UInt32(count))
        out.put(UInt32(columns.dates.isEmpty ? 0 : 1))
        out.put(columns.highestModSeq)
        out.put(columns.flags)
        out.put(columns.modSeqs)
        out.put(columns.sizes)
        out.put(columns.records)
        out.put(columns.dates)
        out.put(columns.offsets)
        return out.sealed()
    }

    /// Decodes a part; nil if the bytes are not a part or the columns are invalid.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> (table: ShardTable, serial: UInt64)? {
        guard var input = ByteReader(sealed: bytes), input.take(UInt32.self) == magic,
            let number = input.take(UInt32.self), number <= UID.lastGiven.shard,
            let serial = input.take(UInt64.self), let count = input.take(UInt32.self), count <= UID.perShard,
            let hasDates = input.take(UInt32.self), let highest = input.take(UInt64.self),
            let flags = input.take(UInt64.self, Int(count)), let modSeqs = input.take(UInt64.self, Int(count)),
            let sizes = input.take(UInt32.self, Int(count)), let records = input.take(UInt32.self, Int(count)),
            let dates = input.take(UInt32.self, hasDates == 1 ? Int(count) : 0),
            let offsets = input.take(UInt16.self, Int(count)), input.left == 0,
            let columns = ShardColumns(
                firstUID: number * UID.perShard, offsets: offsets, flags: flags, modSeqs: modSeqs, sizes: sizes,
                records: records, dates: dates, highestModSeq: highest)
        else { return nil }
        return (ShardTable(number: number, columns: columns), serial)
    }
}

/// Writes little-endian numbers in sequence, with a checksum at the end.
struct ByteWriter {
    private var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity + 4) }

    mutating func put<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put<T: FixedWidthInteger>(_ column: [T]) {
        #if _endian(little)
            column.withUnsafeBytes { bytes.append(contentsOf: $0) }
        #else
            for value in column { put(value) }
        #endif
    }

    consuming func sealed() -> [UInt8] {
        let sum = bytes.withUnsafeBytes { cposix_crc32c(0, $0.baseAddress, $0.count) }
        put(sum)
        return bytes
    }
}

/// Reads the output of `ByteWriter`; returns nil in place of a missing number.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    /// Nil if the checksum at the end is wrong.
    init?(sealed all: UnsafeRawBufferPointer) {
        guard all.count >= 4 else { return nil }
        bytes = UnsafeRawBufferPointer(rebasing: all[..<(all.count - 4)])
        let sum = UInt32(littleEndian: all.loadUnaligned(fromByteOffset: all.count - 4, as: UInt32.self))
        guard sum == cposix_crc32c(0, bytes.baseAddress, bytes.count) else { return nil }
    }

    var left: Int { bytes.count - at }

    mutating func take<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> T? {
        guard left >= MemoryLayout<T>.size else { return nil }
        defer { at += MemoryLayout<T>.size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: T.self))
    }

    mutating func take<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, _ count: Int) -> [T]? {
        let size = count * MemoryLayout<T>.size
        guard left >= size else { return nil }
        defer { at += size }
        let from = UnsafeRawBufferPointer(rebasing: bytes[at..<at + size])
        let column = [T](unsafeUninitializedCapacity: count) { out, made in
            UnsafeMutableRawBufferPointer(out).copyMemory(from: from)
            made = count
        }
        #if _endian(little)
            return column
        #else
            return column.map(T.init(littleEndian:))
        #endif
    }
}
