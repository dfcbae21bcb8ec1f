import CPosix

/// The header of a change log: two 4 KiB slots written in turn. The newer one with a valid checksum counts.
struct LogHeader: Equatable, Sendable {
    static let slotSize = 4096
    /// The size of the header; the records follow it.
    static let size = 2 * slotSize
    private static let magic: UInt64 = 0x676F_6C6C_6961_6D72  // "rmaillog"
    private static let version: UInt32 = 1

    var sequence: UInt64 = 1
    var epoch: UInt64
    /// A record at place i (from 0) without an explicit mod-sequence has base + i + 1.
    var base: UInt64
    /// Every UID below this is taken, whatever the records say.
    var nextUID: UInt64
    /// The log contains all changes after this mod-sequence.
    var oldestAnswerable: ModSeq
    var uidValidity: UInt32
    var mailboxID: String
    var keywords: KeywordTable
    var uidCeiling: UInt64
    var modSeqCeiling: ModSeq
    /// The first UID that is still recent.
    var recentUID: UInt32 = 1

    var seed: UInt32 { LogRecord.seed(epoch) }

    /// The bytes of one slot.
    func slot() -> [UInt8] {
        var out = [UInt8]()
        out.reserveCapacity(Self.slotSize)
        func put<T: FixedWidthInteger>(_ v: T) { withUnsafeBytes(of: v.littleEndian) { out.append(contentsOf: $0) } }
        put(UInt32(0))
        put(Self.version)
        put(Self.magic)
        put(sequence)
        put(epoch)
        put(base)
        put(nextUID)
        put(oldestAnswerable)
        put(uidCeiling)
        put(modSeqCeiling)
        put(uidValidity)
        put(recentUID)
        let id = Array(mailboxID.utf8.prefix(64))
        put(UInt8(id.count))
        out.append(contentsOf: id)
        put(UInt8(keywords.names.count))
        for (letter, name) in keywords.names.sorted(by: { $0.key < $1.key }) {
            put(letter)
            put(UInt8(name.utf8.count))
            out.append(contentsOf: name.utf8)
        }
        out.append(contentsOf: repeatElement(0, count: Self.slotSize - out.count))
        let crc = out.withUnsafeBytes { cposix_crc32c(0, $0.baseAddress! + 4, Self.slotSize - 4) }
        withUnsafeBytes(of: crc.littleEndian) { out.replaceSubrange(0..<4, with: $0) }
        return out
    }

    init(
        epoch: UInt64, base: UInt64, nextUID: UInt64, oldestAnswerable: ModSeq, uidValidity: UInt32, mailboxID: String,
        keywords: KeywordTable, uidCeiling: UInt64, modSeqCeiling: ModSeq, recentUID: UInt32
    ) {
        self.epoch = epoch
        self.base = base
        self.nextUID = nextUID
        self.oldestAnswerable = oldestAnswerable
        self.uidValidity = uidValidity
        self.mailboxID = mailboxID
        self.keywords = keywords
        self.uidCeiling = uidCeiling
        self.modSeqCeiling = modSeqCeiling
        self.recentUID = recentUID
    }

    /// Reads the newest valid header from the first 8 KiB of a log; nil if neither slot is valid.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var best: LogHeader?
        for start in [0, Self.slotSize] where bytes.count >= start + Self.slotSize {
            let slot = UnsafeRawBufferPointer(rebasing: bytes[start..<start + Self.slotSize])
            if let header = LogHeader(slot: slot), header.sequence > (best?.sequence ?? 0) { best = header }
        }
        guard let best else { return nil }
        self = best
    }

    private init?(slot p: UnsafeRawBufferPointer) {
        guard UInt32(littleEndian: p.load(as: UInt32.self)) == cposix_crc32c(0, p.baseAddress! + 4, p.count - 4) else {
            return nil
        }
        var at = 4
        func get<T: FixedWidthInteger>(_ type: T.Type) -> T {
            defer { at += MemoryLayout<T>.size }
            return T(littleEndian: p.loadUnaligned(fromByteOffset: at, as: T.self))
        }
        guard get(UInt32.self) == Self.version, get(UInt64.self) == Self.magic else { return nil }
        sequence = get(UInt64.self)
        epoch = get(UInt64.self)
        base = get(UInt64.self)
        nextUID = get(UInt64.self)
        oldestAnswerable = get(UInt64.self)
        uidCeiling = get(UInt64.self)
        modSeqCeiling = get(UInt64.self)
        uidValidity = get(UInt32.self)
        recentUID = get(UInt32.self)
        // Larger numbers are never written, and sums with them might overflow.
        guard sequence < 1 << 63, max(base, oldestAnswerable) < LogRecord.modSeqLimit,
            modSeqCeiling <= MailboxStatus.modSeqEnd, nextUID <= UID.end, uidCeiling <= MailboxStatus.uidEnd
        else { return nil }
        func text() -> String? {
            let count = Int(get(UInt8.self))
            guard at + count <= p.count else { return nil }
            defer { at += count }
            return String(decoding: p[at..<at + count], as: UTF8.self)
        }
        guard let id = text() else { return nil }
        mailboxID = id
        keywords = KeywordTable()
        let count = Int(get(UInt8.self))
        for _ in 0..<count {
            guard at + 2 <= p.count else { return nil }
            let letter = get(UInt8.self)
            guard let name = text() else { return nil }
            keywords.set(letter, name)
        }
    }
}
