import SMTPCodec

/// A parser for the addresses in a `From` field (RFC 5322 section 3.4), strict enough that none can hide from a check.
///
/// It skips comments and display names, descends into groups, and keeps quoted strings intact. A value that cannot be
/// parsed to its end yields nil, so that the check refuses it.
struct SMTPFromField {
    /// The maximum nesting of comments; a deeper value is malformed.
    private static let maxCommentDepth = 32

    private var bytes: ArraySlice<UInt8>
    private var addresses: [SMTPAddress] = []
    /// The text of the current mailbox outside comments and angle brackets.
    private var plain: [UInt8] = []
    private var hasAngleAddress = false

    /// Returns the addresses in `value`, at least one; nil if it is malformed or empty.
    static func addresses(in value: [UInt8]) -> [SMTPAddress]? {
        var reader = SMTPFromField(bytes: value[...])
        return reader.read() ? reader.addresses : nil
    }

    private init(bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    private mutating func read() -> Bool {
        while let byte = bytes.first {
            switch byte {
            case UInt8(ascii: "("):
                guard skipComment() else { return false }
                plain.append(UInt8(ascii: " "))
            case UInt8(ascii: "\""):
                guard readQuotedString() else { return false }
            case UInt8(ascii: "<"):
                guard readAngleAddress() else { return false }
            case UInt8(ascii: ","), UInt8(ascii: ";"):
                bytes.removeFirst()
                guard endMailbox() else { return false }
            case UInt8(ascii: ":"):
                // The preceding text was the display name of a group.
                guard !hasAngleAddress else { return false }
                bytes.removeFirst()
                plain.removeAll()
            case UInt8(ascii: ">"), UInt8(ascii: ")"):
                return false
            case UInt8(ascii: "["):
                guard readLiteral() else { return false }
            default:
                plain.append(byte)
                bytes.removeFirst()
            }
        }
        return endMailbox() && !addresses.isEmpty
    }

    /// Ends the current mailbox; an empty one is allowed, as in the obsolete syntax.
    private mutating func endMailbox() -> Bool {
        defer {
            plain.removeAll()
            hasAngleAddress = false
        }
        let text = Self.withoutWhiteSpace(plain)
        // Text next to an angle address is a display name, unless it looks like an address itself.
        if text.isEmpty || (hasAngleAddress && !Self.hasUnquotedAt(text)) { return true }
        guard let address = SMTPAddress(String(decoding: text, as: UTF8.self)) else { return false }
        addresses.append(address)
        return true
    }

    private mutating func readAngleAddress() -> Bool {
        guard !hasAngleAddress else { return false }
        bytes.removeFirst()
        var inner: [UInt8] = []
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: ">"):
                let text = Self.withoutWhiteSpace(inner)
                guard let address = SMTPAddress(String(decoding: text, as: UTF8.self)) else { return false }
                addresses.append(address)
                hasAngleAddress = true
                return true
            case UInt8(ascii: "\""):
                inner.append(byte)
                guard copyQuoted(into: &inner) else { return false }
            case UInt8(ascii: "<"), UInt8(ascii: "("):
                return false
            default:
                inner.append(byte)
            }
        }
        return false
    }

    private mutating func readQuotedString() -> Bool {
        bytes.removeFirst()
        plain.append(UInt8(ascii: "\""))
        var quoted: [UInt8] = []
        guard copyQuoted(into: &quoted) else { return false }
        plain.append(contentsOf: quoted)
        return true
    }

    /// Copies up to and including the closing quote.
    private mutating func copyQuoted(into text: inout [UInt8]) -> Bool {
        while let byte = bytes.popFirst() {
            text.append(byte)
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\") {
                guard let escaped = bytes.popFirst() else { return false }
                text.append(escaped)
            }
        }
        return false
    }

    private mutating func readLiteral() -> Bool {
        while let byte = bytes.popFirst() {
            plain.append(byte)
            if byte == UInt8(ascii: "]") { return true }
        }
        return false
    }

    private mutating func skipComment() -> Bool {
        var depth = 0
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "("):
                depth += 1
                guard depth <= Self.maxCommentDepth else { return false }
            case UInt8(ascii: ")"):
                depth -= 1
                if depth == 0 { return true }
            case UInt8(ascii: "\\"):
                guard bytes.popFirst() != nil else { return false }
            default: break
            }
        }
        return false
    }

    private static func hasUnquotedAt(_ text: [UInt8]) -> Bool {
        var isQuoted = false
        var isEscaped = false
        for byte in text {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = isQuoted
            } else if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == UInt8(ascii: "@"), !isQuoted {
                return true
            }
        }
        return false
    }

    /// Removes white space at the ends and around dots and at signs, and collapses the rest to single spaces, so that
    /// two words never merge into one address. Quoted strings are kept.
    private static func withoutWhiteSpace(_ text: [UInt8]) -> [UInt8] {
        var kept: [UInt8] = []
        var isQuoted = false
        var isEscaped = false
        var isSpaced = false
        for byte in text {
            if isQuoted {
                // Folding inside quotes stands for its white space only (RFC 5322 section 3.2.4).
                guard byte != UInt8(ascii: "\r"), byte != UInt8(ascii: "\n") else { continue }
                kept.append(byte)
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isQuoted = false
                }
                continue
            }
            if isWhiteSpace(byte) {
                isSpaced = true
                continue
            }
            if isSpaced, let last = kept.last, !joins(last), !joins(byte) { kept.append(UInt8(ascii: " ")) }
            isSpaced = false
            isQuoted = byte == UInt8(ascii: "\"")
            kept.append(byte)
        }
        return kept
    }

    private static func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
            || byte == UInt8(ascii: "\n")
    }

    private static func joins(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || byte == UInt8(ascii: "@")
    }
}
