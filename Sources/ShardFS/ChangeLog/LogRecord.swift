import CPosix

/// One record of a change log: 64 bytes, little-endian (docs/storage.md, "The change log").
struct LogRecord: Equatable, Sendable {
    /// The kind of a record. The top bit of the byte distinguishes a done record from an intent.
    enum Kind: UInt8, Sendable {
        case append = 1
        case flags = 2
        case expunge = 3
        /// `uid` is the first UID and `messageSize` the count of a set; its done record commits the appends before it.
        case set = 4
        /// `uid` is the first UID that is still recent.
        case recent = 5
        /// A message kept by compaction or recovery; carries an explicit mod-sequence.
        case kept = 6
        /// Ends an intent that changed nothing.
        case void = 7
        /// The mailbox was cleanly closed; its done record is the last of the log.
        case clean = 8
        /// The letters in `flags` are no message's any more, and nobody's: whoever reads it forgets their names.
        case letters = 9
    }

    static let size = 64
    static let version: UInt8 = 1
    static let doneBit: UInt8 = 0x80
    /// Far above any assigned mod-sequence, and far enough below 2^64 that adding a log's places never overflows.
    static let modSeqLimit: ModSeq = 3 << 62

    var kind: Kind
    var isDone: Bool
    var uid: UInt32 = 0
    var flags: MessageFlags = []
    /// A nonce of the process and a counter; a done record repeats its intent's token.
    var token: UInt64 = 0
    /// The explicit mod-sequence; zero means the log's base plus the record's place, counted from 1.
    var modSeq: ModSeq = 0
    /// The time in seconds since 1970 UTC at which the message was saved (SAVEDATE) or the record was written.
    var time: Int64 = 0
    var messageSize: UInt32 = 0
    /// The first 16 bytes of the content's SHA-256; zero if not known.
    var digest = ContentDigest.unknown
    /// Bit 0: see `changesKeywords`. The others are a later version's, and kept.
    private var marks: UInt16 = 0

    /// Whether keywords.json tells the keywords of the message anew.
    var changesKeywords: Bool {
        get { marks & 1 != 0 }
        set { marks = newValue ? marks | 1 : marks & ~1 }
    }

    /// Writes the 64 bytes; the checksum is seeded with the log's epoch.
    @inline(__always)
    func write(_ out: UnsafeMutableRawPointer, seed: UInt32) {
        out.storeBytes(of: isDone ? kind.rawValue | Self.doneBit : kind.rawValue, toByteOffset: 4, as: UInt8.self)
        out.storeBytes(of: Self.version, toByteOffset: 5, as: UInt8.self)
        out.storeBytes(of: marks.littleEndian, toByteOffset: 6, as: UInt16.self)
        out.storeBytes(of: uid.littleEndian, toByteOffset: 8, as: UInt32.self)
        // Fields from here on are not all aligned to their size: 12, 20, 28, 36 for eight bytes.
        out.storeUnaligned(flags.rawValue, 12)
        out.storeUnaligned(token, 20)
        out.storeUnaligned(modSeq, 28)
        out.storeUnaligned(UInt64(bitPattern: time), 36)
        out.storeBytes(of: messageSize.littleEndian, toByteOffset: 44, as: UInt32.self)
        out.storeUnaligned(digest.high, 48)
        out.storeUnaligned(digest.low, 56)
        let crc = cposix_crc32c(seed, out + 4, 60)
        out.storeBytes(of: crc.littleEndian, toByteOffset: 0, as: UInt32.self)
    }

    /// Parses 64 bytes with a verified checksum; nil for a kind or version of a later program, and for numbers that no
    /// writer uses, so that code acting on records need not check UIDs and mod-sequences.
    @inline(__always)
    init?(_ p: UnsafeRawPointer) {
        let byte = p.load(fromByteOffset: 4, as: UInt8.self)
        guard p.load(fromByteOffset: 5, as: UInt8.self) == Self.version,
            let kind = Kind(rawValue: byte & ~Self.doneBit)
        else { return nil }
        self.kind = kind
        isDone = byte & Self.doneBit != 0
        marks = UInt16(littleEndian: p.load(fromByteOffset: 6, as: UInt16.self))
        uid = UInt32(littleEndian: p.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        flags = MessageFlags(rawValue: p.unaligned(12))
        token = p.unaligned(20)
        modSeq = p.unaligned(28)
        time = Int64(bitPattern: p.unaligned(36))
        messageSize = UInt32(littleEndian: p.loadUnaligned(fromByteOffset: 44, as: UInt32.self))
        digest = ContentDigest(high: p.unaligned(48), low: p.unaligned(56))
        guard modSeq < Self.modSeqLimit else { return nil }
        switch kind {
        case .append, .flags, .expunge, .kept: if uid == 0 { return nil }
        case .set:
            let end = UInt64(uid) + UInt64(messageSize)
            if uid == 0 || messageSize == 0 || end > MailboxStatus.uidEnd { return nil }
        case .recent, .void, .clean, .letters: break
        }
    }

    init(
        _ kind: Kind, done: Bool, uid: UInt32 = 0, flags: MessageFlags = [], token: UInt64 = 0, modSeq: ModSeq = 0,
        time: Int64 = 0, size: UInt32 = 0, digest: ContentDigest = .unknown, changesKeywords: Bool = false
    ) {
        self.kind = kind
        isDone = done
        self.uid = uid
        self.flags = flags
        self.token = token
        self.modSeq = modSeq
        self.time = time
        messageSize = size
        self.digest = digest
        self.changesKeywords = changesKeywords
    }

    /// The checksum's seed for a log of `epoch`.
    static func seed(_ epoch: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: epoch ^ (epoch >> 32)) }
}

extension UnsafeMutableRawPointer {
    @inline(__always)
    func storeUnaligned(_ value: UInt64, _ offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { (self + offset).copyMemory(from: $0.baseAddress!, byteCount: 8) }
    }
}

extension UnsafeRawPointer {
    @inline(__always)
    func unaligned(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

/// The first 16 bytes of the SHA-256 of a message: RFC 8474's EMAILID, also used to detect bit rot.
public struct ContentDigest: Hashable, Sendable, CustomStringConvertible {
    var high: UInt64
    var low: UInt64

    /// Not computed yet.
    public static let unknown = ContentDigest(high: 0, low: 0)

    /// 32 lower-case hex digits.
    public var description: String {
        // Stored little-endian in memory order: the bytes as SHA-256 prints them.
        var text = ""
        for word in [high, low] {
            for i in 0..<8 {
                let byte = UInt8(truncatingIfNeeded: word >> UInt64(8 * i))
                text += byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
            }
        }
        return text
    }
}
