/// A bounds-checked cursor over one command line.
struct ByteScanner {
    private let bytes: [UInt8]
    private(set) var position: Int

    init(_ bytes: [UInt8], at position: Int = 0) {
        self.bytes = bytes
        self.position = min(max(position, 0), bytes.count)
    }

    var isAtEnd: Bool { position == bytes.count }
    var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func advance() {
        if position < bytes.count { position += 1 }
    }

    /// Moves back to an earlier value of ``position``.
    mutating func rewind(to earlier: Int) {
        position = min(max(earlier, 0), bytes.count)
    }

    /// Consumes `byte` if it is next.
    mutating func scan(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    /// Consumes `keyword` if it is next, ignoring ASCII case; `keyword` must be in upper case.
    mutating func scan(keyword: StaticString) -> Bool {
        let length = keyword.utf8CodeUnitCount
        guard bytes.count - position >= length else { return false }
        let matches = keyword.withUTF8Buffer { expected in
            expected.indices.allSatisfy { expected[$0] == bytes[position + $0].uppercasedASCII }
        }
        if matches { position += length }
        return matches
    }

    /// Consumes the longest run of bytes satisfying `predicate`, possibly empty.
    mutating func scanRun(while predicate: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let start = position
        while position < bytes.count, predicate(bytes[position]) { position += 1 }
        return bytes[start..<position]
    }

    @discardableResult
    mutating func skipSpaces() -> Bool {
        !scanRun(while: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }).isEmpty
    }

    /// Consumes the remaining bytes.
    mutating func scanRest() -> ArraySlice<UInt8> {
        scanRun(while: { _ in true })
    }
}

extension UInt8 {
    var uppercasedASCII: UInt8 { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) ? self - 0x20 : self }

    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    var isAlphanumeric: Bool {
        isDigit || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(uppercasedASCII)
    }

    /// True for `atext` (RFC 5321) and for any byte of a non-ASCII character (RFC 6531 section 3.3).
    var isAtext: Bool {
        if isAlphanumeric || self >= 0x80 { return true }
        switch self {
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"),
            UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
            UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"), UInt8(ascii: "~"):
            return true
        default:
            return false
        }
    }
}

extension String {
    /// Makes a string from bytes already known to be UTF-8.
    init(checked bytes: some Sequence<UInt8>) {
        self.init(decoding: Array(bytes), as: UTF8.self)
    }
}
