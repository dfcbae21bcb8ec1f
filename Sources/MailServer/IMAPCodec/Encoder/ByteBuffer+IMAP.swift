import NIOCore

// The strings of the grammar. Whatever its content, none of these can end a line by itself.

extension ByteBuffer {
    /// Quoted strings longer than this are sent as literals.
    private static let maximumQuotedLength = 1_000

    mutating func writeCRLF() {
        writeStaticString("\r\n")
    }

    /// Writes a number in decimal. Lists of numbers are long, and a string for each takes most of their time.
    mutating func writeNumber(_ number: UInt64) {
        // As many digits as the greatest number has.
        writeWithUnsafeMutableBytes(minimumWritableBytes: 20) { $0.writeDecimal(number, at: 0) }
    }

    mutating func writeNumber(_ number: UInt32) { writeNumber(UInt64(number)) }

    /// Writes a quoted string where possible, else a literal; NUL, which neither may hold, becomes `?`.
    ///
    /// - Parameter utf8: Quoted strings may hold UTF-8 (after ENABLE UTF8=ACCEPT or IMAP4rev2).
    mutating func writeIMAPString(_ bytes: [UInt8], utf8: Bool) {
        var isASCII = true
        var isQuotable = bytes.count <= Self.maximumQuotedLength
        var hasNUL = false
        for byte in bytes {
            if byte >= 0x80 { isASCII = false }
            if byte == .cr || byte == .lf { isQuotable = false }
            if byte == 0 { hasNUL = true }
        }
        let bytes = hasNUL ? bytes.map { $0 == 0 ? UInt8(ascii: "?") : $0 } : bytes
        guard isQuotable, isASCII || (utf8 && String(validating: bytes, as: UTF8.self) != nil) else {
            writeLiteralHeader(size: bytes.count)
            writeBytes(bytes)
            return
        }
        writeInteger(UInt8.quote)
        for byte in bytes {
            if byte == .quote || byte == .backslash { writeInteger(UInt8.backslash) }
            writeInteger(byte)
        }
        writeInteger(UInt8.quote)
    }

    mutating func writeIMAPNString(_ bytes: [UInt8]?, utf8: Bool) {
        if let bytes {
            writeIMAPString(bytes, utf8: utf8)
        } else {
            writeStaticString("NIL")
        }
    }

    /// Writes an atom where the text is one, else a string.
    mutating func writeIMAPAString(_ bytes: [UInt8], utf8: Bool) {
        if !bytes.isEmpty, bytes.allSatisfy(\.isAtomCharacter), !equalsIgnoringCase(bytes, "NIL") {
            writeBytes(bytes)
        } else {
            writeIMAPString(bytes, utf8: utf8)
        }
    }

    /// Writes a mailbox name in modified UTF-7, or in UTF-8 where the client has enabled it.
    mutating func writeIMAPMailbox(_ name: String, utf8: Bool) {
        writeIMAPAString(utf8 ? Array(name.utf8) : MailboxNameCoding.encode(name), utf8: utf8)
    }

    /// Writes a name that is an atom by construction, such as a capability; bytes not allowed in an atom become `_`.
    ///
    /// A leading backslash, as in attributes, is kept.
    mutating func writeIMAPAtom(_ text: String) {
        var bytes = text.utf8[...]
        if bytes.first == .backslash {
            writeInteger(UInt8.backslash)
            bytes = bytes.dropFirst()
        }
        if bytes.isEmpty { writeInteger(UInt8(ascii: "_")) }
        for byte in bytes { writeInteger(byte.isAtomCharacter ? byte : UInt8(ascii: "_")) }
    }

    /// Writes human-readable text up to the line end. Control characters become spaces, a leading `[` becomes `(`, and
    /// without `utf8` other non-ASCII characters become `?`.
    mutating func writeIMAPText(_ text: String, utf8: Bool) {
        var isFirst = true
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x5B where isFirst: writeInteger(UInt8.openParenthesis)
            case 0x20...0x7E: writeInteger(UInt8(truncatingIfNeeded: scalar.value))
            case 0xA0... where utf8: writeString(String(scalar))
            case 0xA0...: writeInteger(UInt8(ascii: "?"))
            default: writeInteger(UInt8.space)
            }
            isFirst = false
        }
    }

    /// `(a b c)`
    mutating func writeIMAPList<Element>(
        _ elements: some Sequence<Element>, _ write: (inout ByteBuffer, Element) -> Void
    ) {
        writeInteger(UInt8.openParenthesis)
        writeIMAPWords(elements, write)
        writeInteger(UInt8.closeParenthesis)
    }

    /// `a b c`
    mutating func writeIMAPWords<Element>(
        _ elements: some Sequence<Element>, _ write: (inout ByteBuffer, Element) -> Void
    ) {
        var isFirst = true
        for element in elements {
            if !isFirst { writeInteger(UInt8.space) }
            isFirst = false
            write(&self, element)
        }
    }

    /// Writes flags in parentheses; a keyword that is not an atom is left out.
    mutating func writeIMAPFlags(_ flags: [IMAPFlag]) {
        let legal = flags.lazy.filter { flag in
            guard case .keyword(let name) = flag else { return true }
            return !name.isEmpty && name.utf8.allSatisfy(\.isAtomCharacter)
        }
        writeIMAPList(legal) { buffer, flag in
            if flag == .newKeywords { buffer.writeStaticString("\\*") } else { buffer.writeIMAPAtom(flag.wireName) }
        }
    }

    /// `1:3,7`
    mutating func writeIMAPSet(_ ranges: [ClosedRange<UInt32>]) {
        var isFirst = true
        for range in ranges {
            if !isFirst { writeInteger(UInt8.comma) }
            isFirst = false
            writeNumber(range.lowerBound)
            if range.count > 1 {
                writeInteger(UInt8.colon)
                writeNumber(range.upperBound)
            }
        }
    }

    /// `{n}` or `~{n}` with its line end; the caller writes exactly `size` octets after it.
    mutating func writeLiteralHeader(size: Int, isBinary: Bool = false) {
        if isBinary { writeInteger(UInt8.tilde) }
        writeInteger(UInt8.openBrace)
        writeNumber(UInt64(size))
        writeInteger(UInt8.closeBrace)
        writeCRLF()
    }

    /// `"17-Jul-1996 02:44:25 -0700"`; a moment outside years 0 to 9999 is sent as 1970.
    mutating func writeIMAPDateTime(_ moment: IMAPDateTime) {
        let zone = max(-1_439, min(1_439, moment.zoneMinutes))
        let (shifted, overflow) = moment.secondsSince1970.addingReportingOverflow(Int64(zone) * 60)
        guard !overflow, let day = IMAPDate(secondsSince1970: shifted) else {
            writeStaticString("\" 1-Jan-1970 00:00:00 +0000\"")
            return
        }
        let second = Int(shifted - day.daysSince1970 * 86_400)
        writeInteger(UInt8.quote)
        writePadded(day.day, digits: 2, with: .space)
        writeInteger(UInt8.minus)
        writeString(Self.months[day.month - 1])
        writeInteger(UInt8.minus)
        writePadded(day.year, digits: 4)
        writeInteger(UInt8.space)
        writePadded(second / 3_600, digits: 2)
        writeInteger(UInt8.colon)
        writePadded(second / 60 % 60, digits: 2)
        writeInteger(UInt8.colon)
        writePadded(second % 60, digits: 2)
        writeInteger(UInt8.space)
        writeInteger(zone < 0 ? UInt8.minus : UInt8.plus)
        writePadded(abs(zone) / 60 * 100 + abs(zone) % 60, digits: 4)
        writeInteger(UInt8.quote)
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private mutating func writePadded(_ number: Int, digits: Int, with padding: UInt8 = UInt8(ascii: "0")) {
        let text = String(number)
        for _ in 0..<max(0, digits - text.utf8.count) { writeInteger(padding) }
        writeString(text)
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Writes a number in decimal, for which there is room, and returns the number of its digits.
    @inline(__always)
    func writeDecimal(_ number: UInt64, at start: Int) -> Int {
        var digits = 1
        var rest = number
        while rest >= 10 {
            rest /= 10
            digits += 1
        }
        rest = number
        for place in (start..<start + digits).reversed() {
            self[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return digits
    }
}
