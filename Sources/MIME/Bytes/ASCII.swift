/// The bytes named by the grammars of RFC 5322 and 2045.
enum ASCII {
    static let nul: UInt8 = 0x00
    static let tab: UInt8 = 0x09
    static let lf: UInt8 = 0x0A
    static let cr: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let quote = UInt8(ascii: "\"")
    static let hyphen = UInt8(ascii: "-")
    static let colon = UInt8(ascii: ":")
    static let semicolon = UInt8(ascii: ";")
    static let comma = UInt8(ascii: ",")
    static let dot = UInt8(ascii: ".")
    static let at = UInt8(ascii: "@")
    static let equals = UInt8(ascii: "=")
    static let question = UInt8(ascii: "?")
    static let star = UInt8(ascii: "*")
    static let percent = UInt8(ascii: "%")
    static let slash = UInt8(ascii: "/")
    static let apostrophe = UInt8(ascii: "'")
    static let underscore = UInt8(ascii: "_")
    static let backslash = UInt8(ascii: "\\")
    static let openAngle = UInt8(ascii: "<")
    static let closeAngle = UInt8(ascii: ">")
    static let openParen = UInt8(ascii: "(")
    static let closeParen = UInt8(ascii: ")")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
    static let crlf: [UInt8] = [cr, lf]
}

extension UInt8 {
    /// The lower-case form of an ASCII letter; any other byte unchanged.
    @inline(__always)
    var asciiLowered: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    /// Space or tab.
    @inline(__always)
    var isBlank: Bool { self == ASCII.space || self == ASCII.tab }

    /// Space, tab, CR or LF.
    @inline(__always)
    var isWhitespace: Bool { isBlank || self == ASCII.cr || self == ASCII.lf }

    @inline(__always)
    var isDigit: Bool { self &- 0x30 < 10 }

    @inline(__always)
    var isLetter: Bool { (self | 0x20) &- 0x61 < 26 }

    /// The value of a hexadecimal digit of either case.
    @inline(__always)
    var hexValue: UInt8? {
        if isDigit { return self - 0x30 }
        let lowered = self | 0x20
        return lowered &- 0x61 < 6 ? lowered - 0x61 + 10 : nil
    }
}

extension [UInt8] {
    /// The bytes with ASCII letters in lower case.
    var asciiLowered: [UInt8] { map(\.asciiLowered) }

    /// Whether these bytes equal `text`, which is in lower case, ignoring the case of ASCII letters.
    func equalsIgnoringCase(_ text: StaticString) -> Bool { span.equals(text, ignoringCaseAt: indices) }

    /// Whether these bytes equal `text`, ignoring the case of ASCII letters.
    func equalsIgnoringCase(_ text: String) -> Bool {
        count == text.utf8.count && zip(self, text.utf8).allSatisfy { $0.asciiLowered == $1.asciiLowered }
    }

    /// The bytes without blanks and line ends at both ends.
    var trimmed: [UInt8] {
        guard let first = firstIndex(where: { !$0.isWhitespace }),
            let last = lastIndex(where: { !$0.isWhitespace })
        else { return [] }
        return first == 0 && last == count - 1 ? self : Array(self[first...last])
    }
}
