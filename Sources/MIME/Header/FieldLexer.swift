/// Reads the tokens of an unfolded structured field value (RFC 5322 section 3.2, RFC 2045 section 5.1).
///
/// Nothing is refused: an unterminated quoted string or comment ends with the value. Each byte is read once.
struct FieldLexer {
    let bytes: [UInt8]
    private(set) var index = 0
    /// The text of the comment skipped last, without its outer parentheses.
    private(set) var comment: [UInt8]?

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index >= bytes.count }
    var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func advance() { if index < bytes.count { index += 1 } }
    mutating func forgetComment() { comment = nil }

    /// Takes `byte` if it is next.
    mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        index += 1
        return true
    }

    /// Skips blanks and comments; true if there were any.
    @discardableResult
    mutating func skipBlanksAndComments() -> Bool {
        let start = index
        while let byte = current {
            if byte.isWhitespace {
                index += 1
            } else if byte == ASCII.openParen {
                readComment()
            } else {
                break
            }
        }
        return index > start
    }

    private mutating func readComment() {
        var text: [UInt8] = []
        var depth = 0
        while let byte = current {
            index += 1
            if byte == ASCII.backslash, let escaped = current {
                text.append(escaped)
                index += 1
                continue
            }
            if byte == ASCII.openParen {
                depth += 1
                if depth == 1 { continue }
            } else if byte == ASCII.closeParen {
                depth -= 1
                if depth == 0 { break }
            }
            text.append(byte)
        }
        comment = text.trimmed
    }

    /// Reads the quoted string that begins here, unescaped; the index is on its first quote.
    mutating func quotedString() -> [UInt8] {
        advance()
        // Most strings have no escapes.
        var text = run { $0 == ASCII.quote || $0 == ASCII.backslash }
        while let byte = current {
            index += 1
            if byte == ASCII.quote { break }
            if byte == ASCII.backslash, let escaped = current {
                text.append(escaped)
                index += 1
            } else {
                text.append(byte)
            }
        }
        return text
    }

    /// Reads the domain literal that begins here, with its brackets and without blanks.
    mutating func domainLiteral() -> [UInt8] {
        var text: [UInt8] = []
        while let byte = current {
            index += 1
            if !byte.isWhitespace { text.append(byte) }
            if byte == ASCII.closeBracket { break }
        }
        return text
    }

    /// Reads the bytes up to one for which `ends` is true; may be empty.
    mutating func run(until ends: (UInt8) -> Bool) -> [UInt8] {
        let start = index
        while index < bytes.count, !ends(bytes[index]) { index += 1 }
        return bytes.span.array(start..<index)
    }

    /// Reads a token of RFC 2045: no blanks, no tspecials; may be empty. Bytes above 127 are allowed.
    mutating func token() -> [UInt8] { run(until: Self.endsToken) }

    private static func endsToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...32, 127: true
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "@"): true
        case UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"), UInt8(ascii: "\\"), UInt8(ascii: "\""): true
        case UInt8(ascii: "/"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "?"), UInt8(ascii: "="): true
        default: false
        }
    }
}
