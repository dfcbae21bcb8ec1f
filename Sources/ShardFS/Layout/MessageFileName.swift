/// The name of a message file, `{uid}_{flags}.eml`: writes the canonical form, parses any equivalent form.
///
/// Parsing goes by the number, whatever its width, and accepts flags in any order; anything else is a foreign name.
public enum MessageFileName {
    /// Room for the longest name and its NUL: 10 digits, `_`, 62 letters, `.eml`.
    static let capacity = 80

    /// Writes the canonical name and a NUL; returns its length without the NUL.
    @inline(__always)
    static func write(_ uid: UInt32, _ flags: UInt64, _ out: UnsafeMutablePointer<CChar>) -> Int {
        let width = max(8, digits(uid))
        var n = uid
        var i = width
        while i > 0 {
            i &-= 1
            out[i] = CChar(truncatingIfNeeded: 48 &+ n % 10)
            n /= 10
        }
        var at = width
        out[at] = 0x5F
        at &+= 1
        var bits = flags
        while bits != 0 {
            let index = bits.trailingZeroBitCount
            bits &= bits &- 1
            if index < 62 {
                out[at] = CChar(bitPattern: MessageFlags.letter(index))
                at &+= 1
            }
        }
        out[at] = 0x2E
        out[at &+ 1] = 0x65
        out[at &+ 2] = 0x6D
        out[at &+ 3] = 0x6C
        out[at &+ 4] = 0
        return at &+ 4
    }

    @inline(__always)
    private static func digits(_ n: UInt32) -> Int {
        n < 100_000_000 ? 8 : n < 1_000_000_000 ? 9 : 10
    }

    /// Runs `body` with the canonical name as a C string.
    @inline(__always)
    static func with<R, E: Error>(
        _ uid: UInt32, _ flags: MessageFlags, _ body: (UnsafePointer<CChar>) throws(E) -> R
    ) throws(E) -> R {
        // A fixed tuple on the stack: no allocation on the hot path.
        var room: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
            (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        let result: Result<R, E> = withUnsafeMutableBytes(of: &room) { bytes in
            let p = bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
            _ = write(uid, flags.rawValue, p)
            do throws(E) { return .success(try body(UnsafePointer(p))) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// The canonical name.
    public static func string(_ uid: UID, _ flags: MessageFlags) -> String {
        with(uid.rawValue, flags) { String(cString: $0) }
    }

    /// The meaning of a name.
    public struct Parsed: Hashable, Sendable {
        public var uid: UInt32
        public var flags: MessageFlags
        /// Whether the name is in canonical form.
        public var isCanonical: Bool
    }

    /// Parses a name; nil if it is not a message's.
    @inline(__always)
    static func parse(_ name: UnsafeBufferPointer<UInt8>) -> Parsed? {
        let count = name.count
        guard count >= 6, count <= 255 else { return nil }
        guard name[count - 1] == 0x6C, name[count - 2] == 0x6D, name[count - 3] == 0x65, name[count - 4] == 0x2E
        else { return nil }
        let end = count - 4
        var uid: UInt64 = 0
        var i = 0
        while i < end {
            let d = name[i] &- 48
            if d > 9 { break }
            uid = uid &* 10 &+ UInt64(d)
            if uid > 4_294_967_295 { return nil }
            i &+= 1
        }
        guard i > 0, i < end, name[i] == 0x5F, uid > 0 else { return nil }
        var canonical = i == digits(UInt32(truncatingIfNeeded: uid))
        i &+= 1
        var bits: UInt64 = 0
        while i < end {
            let bit = MessageFlags(letter: name[i]).rawValue
            if bit == 0 { return nil }
            // Sorted without repeats means that every bit is above all bits before it.
            if bits >= bit { canonical = false }
            bits |= bit
            i &+= 1
        }
        return Parsed(uid: UInt32(truncatingIfNeeded: uid), flags: MessageFlags(rawValue: bits), isCanonical: canonical)
    }

    public static func parse(_ name: String) -> Parsed? {
        var name = name
        return name.withUTF8 { parse($0) }
    }
}

/// The name of a shard directory: its number with at least four digits.
enum ShardName {
    /// UIDs up to 4,294,967,295 give shards up to 4,294,967.
    static let highest: UInt32 = 4_294_967

    static func string(_ number: UInt32) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// Parses a shard's number; nil if the name is not in canonical form.
    static func parse(_ name: UnsafeBufferPointer<UInt8>) -> UInt32? {
        guard name.count >= 4, name.count <= 7, name.count == 4 || name[0] != 0x30 else { return nil }
        var n: UInt32 = 0
        for byte in name {
            let d = byte &- 48
            if d > 9 { return nil }
            n = n * 10 + UInt32(d)
        }
        return n <= highest ? n : nil
    }

    static func parse(_ name: String) -> UInt32? {
        var name = name
        return name.withUTF8 { parse($0) }
    }
}
