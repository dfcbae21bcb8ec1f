extension UInt8 {
    static let cr = UInt8(ascii: "\r")
    static let lf = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let openParenthesis = UInt8(ascii: "(")
    static let closeParenthesis = UInt8(ascii: ")")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
    static let star = UInt8(ascii: "*")
    static let percent = UInt8(ascii: "%")
    static let dollar = UInt8(ascii: "$")
    static let plus = UInt8(ascii: "+")
    static let minus = UInt8(ascii: "-")
    static let tilde = UInt8(ascii: "~")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")
    static let dot = UInt8(ascii: ".")
    static let slash = UInt8(ascii: "/")
    static let ampersand = UInt8(ascii: "&")

    var isDigit: Bool { self &- 0x30 < 10 }

    /// ATOM-CHAR of RFC 9051 section 9.
    var isAtomCharacter: Bool {
        switch self {
        case 0...0x20, .openParenthesis, .closeParenthesis, .openBrace, .percent, .star, .quote, .backslash,
            .closeBracket, 0x7F...0xFF:
            false
        default: true
        }
    }

    /// ASTRING-CHAR: an atom character or `]`.
    var isAStringCharacter: Bool { isAtomCharacter || self == .closeBracket }

    /// A character of a tag: an ASTRING-CHAR other than `+`.
    var isTagCharacter: Bool { isAStringCharacter && self != .plus }

    var asciiUppercased: UInt8 { self &- 0x61 < 26 ? self &- 0x20 : self }
    var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self &+ 0x20 : self }
}

/// Compares bytes with an upper-case ASCII word, without case.
func equalsIgnoringCase(_ bytes: some Sequence<UInt8>, _ upper: StaticString) -> Bool {
    var index = 0
    for byte in bytes {
        guard index < upper.utf8CodeUnitCount, byte.asciiUppercased == upper.utf8Start[index] else { return false }
        index += 1
    }
    return index == upper.utf8CodeUnitCount
}

/// Returns bytes that the caller knows to be ASCII as an upper-case string.
func upperCased(_ bytes: ArraySlice<UInt8>) -> String {
    String(unsafeUninitializedCapacity: bytes.count) { target in
        var index = 0
        for byte in bytes {
            target[index] = byte.asciiUppercased
            index += 1
        }
        return index
    }
}
