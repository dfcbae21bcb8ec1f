/// A character set by its MIME name.
///
/// Only names listed in `CharsetNames` reach iconv: a message must not choose which module of the C library is loaded.
public struct Charset: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case utf8
        /// Includes ISO-8859-1, which browsers read this way: text with that label that has bytes from 0x80 to 0x9F
        /// means these.
        case windows1252
        /// UTF-8 if the bytes are valid, else windows-1252: for missing labels and those that say nothing.
        case guess
        /// With vendor additions: NEC's and IBM's rows, half-width katakana.
        case iso2022JP
        /// RFC 1843.
        case hz
        /// A name known to iconv.
        case iconv(String)
    }

    let kind: Kind
    /// Whether the name is known; false also for a malformed name.
    public let isKnown: Bool

    /// Looks a name up, ignoring case and punctuation; a language after "*" (RFC 2231 section 5) is ignored. Text in an
    /// unknown charset is read as UTF-8 if it is valid, else as windows-1252.
    public init(named name: [UInt8]) {
        let base = name.prefix { $0 != ASCII.star }
        guard base.count <= 60, let found = CharsetNames.kind(of: base) else {
            kind = .guess
            isKnown = false
            return
        }
        kind = found
        isKnown = true
    }

    private init(_ kind: Kind) {
        self.kind = kind
        isKnown = true
    }

    public static let utf8 = Charset(.utf8)
    /// Maps every byte to a character.
    static let windows1252 = Charset(.windows1252)

    /// Decodes all of `bytes` to valid UTF-8; unreadable bytes become U+FFFD.
    public func decode(_ bytes: [UInt8]) -> [UInt8] {
        var decoder = CharsetDecoder(self)
        var output: [UInt8] = []
        decoder.decode(bytes, into: &output)
        decoder.finish(into: &output)
        return kind == .utf8 ? UTF8Text.repaired(output) : output
    }
}

enum UTF8Text {
    static func isValid(_ bytes: [UInt8]) -> Bool {
        bytes.span.isASCII || String(validating: bytes, as: UTF8.self) != nil
    }

    /// The bytes with U+FFFD in place of invalid UTF-8.
    static func repaired(_ bytes: [UInt8]) -> [UInt8] {
        isValid(bytes) ? bytes : Array(String(decoding: bytes, as: UTF8.self).utf8)
    }
}
