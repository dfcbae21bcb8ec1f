import DurableFiles

/// The flags and keywords of a message: one bit for each ASCII letter or digit that a file name can carry.
///
/// Bits are in ASCII order (`0`–`9`, `A`–`Z`, `a`–`z`), so that ascending bits give the canonical name.
public struct MessageFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let answered = MessageFlags(letter: UInt8(ascii: "A"))
    public static let deleted = MessageFlags(letter: UInt8(ascii: "D"))
    public static let flagged = MessageFlags(letter: UInt8(ascii: "F"))
    public static let seen = MessageFlags(letter: UInt8(ascii: "S"))
    /// `T` in file names, which has another meaning in Maildir.
    public static let draft = MessageFlags(letter: UInt8(ascii: "T"))

    /// The five flags of RFC 9051, 2.3.2.
    public static let system: MessageFlags = [.answered, .deleted, .flagged, .seen, .draft]

    /// The letters available for keywords, in the order of assignment: digits, then lower-case letters without a, d, f,
    /// s and t, which a case-insensitive file system would confuse with system flags.
    public static let keywordLetters: [UInt8] = Array("0123456789bceghijklmnopqruvwxyz".utf8)

    /// All bits that keywords can use.
    public static let keywordMask = MessageFlags(
        rawValue: keywordLetters.reduce(0) { $0 | MessageFlags(letter: $1).rawValue })

    /// The bit of one ASCII letter or digit; empty for any other byte.
    @inline(__always)
    public init(letter: UInt8) {
        switch letter {
        case 0x30...0x39: rawValue = 1 << UInt64(letter &- 0x30)
        case 0x41...0x5A: rawValue = 1 << UInt64(letter &- 0x41 &+ 10)
        case 0x61...0x7A: rawValue = 1 << UInt64(letter &- 0x61 &+ 36)
        default: rawValue = 0
        }
    }

    /// The letter of bit `index`, 0 to 61.
    @inline(__always)
    static func letter(_ index: Int) -> UInt8 {
        index < 10 ? 0x30 + UInt8(index) : index < 36 ? 0x41 + UInt8(index - 10) : 0x61 + UInt8(index - 36)
    }

    /// The letters in canonical order, as in a file name.
    public var letters: String {
        var bytes: [UInt8] = []
        var bits = rawValue
        while bits != 0 {
            let index = bits.trailingZeroBitCount
            bits &= bits &- 1
            if index < 62 { bytes.append(Self.letter(index)) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A change of flags, applied to the flags that the message has at the time of the change.
public struct FlagChange: Hashable, Sendable {
    public var add: MessageFlags
    public var remove: MessageFlags

    public init(add: MessageFlags = [], remove: MessageFlags = []) {
        self.add = add
        self.remove = remove
    }

    public static func add(_ flags: MessageFlags) -> FlagChange { FlagChange(add: flags) }
    public static func remove(_ flags: MessageFlags) -> FlagChange { FlagChange(remove: flags) }

    /// Sets the known flags to exactly `flags`; unknown letters are kept.
    public static func replace(with flags: MessageFlags) -> FlagChange {
        FlagChange(add: flags, remove: MessageFlags.system.union(.keywordMask).subtracting(flags))
    }

    @inline(__always)
    func applied(to flags: MessageFlags) -> MessageFlags { flags.subtracting(remove).union(add) }
}
