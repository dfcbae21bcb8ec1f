/// A syntax error in a command, thrown where its tag is not known.
enum IMAPSyntaxError: Error, Equatable {
    /// A fixed English text.
    case syntax(String)
    /// A limit of this server; a fixed English text.
    case limit(String)
    case unknownCommand(String)
    case badTag
    case badMailboxName

    var reason: IMAPRejection.Reason {
        switch self {
        case .syntax(let text): .syntax(text)
        case .limit(let text): .limit(text)
        case .unknownCommand(let name): .unknownCommand(name)
        case .badTag: .badTag
        case .badMailboxName: .badMailboxName
        }
    }
}

/// A cursor over the bytes of one command, literals in place (`{3}CRLFabc`), without the final line end.
///
/// Never reads past the end: a missing byte is a syntax error.
struct IMAPLexer {
    /// Maximum number of elements in a list.
    static let maximumElements = 4_096

    let bytes: [UInt8]
    var index: Int
    /// Names are raw UTF-8 and quoted strings may carry it (UTF8=ACCEPT, IMAP4rev2).
    let acceptsUTF8: Bool
    /// The index behind the last literal.
    private var literalEnd = 0

    init(_ bytes: [UInt8], acceptsUTF8: Bool = false) {
        self.bytes = bytes
        self.index = 0
        self.acceptsUTF8 = acceptsUTF8
    }

    var isAtEnd: Bool { index >= bytes.count }

    /// The next byte; at the end 0, which no line contains.
    var next: UInt8 { index < bytes.count ? bytes[index] : 0 }

    /// The byte after the next one, or 0.
    var afterNext: UInt8 { index + 1 < bytes.count ? bytes[index + 1] : 0 }

    /// Takes the byte if it is the next.
    mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    mutating func expect(_ byte: UInt8, _ message: @autoclosure () -> String) throws(IMAPSyntaxError) {
        guard take(byte) else { throw .syntax(message()) }
    }

    /// Takes the spaces before an argument.
    ///
    /// The grammar has one. Clients send several, and none after a list or a string, whose ends are plain (Dovecot and
    /// Cyrus accept both).
    mutating func space() throws(IMAPSyntaxError) {
        guard takeSpaces() || isBehindDelimiter else {
            throw .syntax(isAtEnd ? "Missing argument" : "Space expected")
        }
    }

    /// Takes a run of spaces; returns false without one.
    @discardableResult
    mutating func takeSpaces() -> Bool { !run { $0 == .space }.isEmpty }

    /// Whether a list or a string ends here.
    private var isBehindDelimiter: Bool {
        guard index > 0 else { return false }
        return bytes[index - 1] == .closeParenthesis || bytes[index - 1] == .quote || literalEnd == index
    }

    /// The first byte behind any spaces, or 0 at the end.
    var nextArgument: UInt8 {
        var index = index
        while index < bytes.count, bytes[index] == .space { index += 1 }
        return index < bytes.count ? bytes[index] : 0
    }

    /// Takes the spaces before another argument of the command or the list; returns false when it has no more.
    mutating func takesAnother() -> Bool {
        let first = nextArgument
        return first != 0 && first != .closeParenthesis && (takeSpaces() || isBehindDelimiter)
    }

    /// Ends the command; spaces before the line end are forgiven.
    mutating func end() throws(IMAPSyntaxError) {
        takeSpaces()
        guard isAtEnd else { throw .syntax("Unexpected characters after the arguments") }
    }

    /// Takes the run of bytes that satisfy the condition; it may be empty.
    mutating func run(while condition: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let start = index
        while index < bytes.count, condition(bytes[index]) { index += 1 }
        return bytes[start..<index]
    }

    /// Takes a word, compared without case, if it comes next and no atom character follows it.
    mutating func takeWord(_ upper: StaticString) -> Bool {
        let count = upper.utf8CodeUnitCount
        guard bytes.count - index >= count else { return false }
        for offset in 0..<count where bytes[index + offset].asciiUppercased != upper.utf8Start[offset] {
            return false
        }
        if index + count < bytes.count, bytes[index + count].isAtomCharacter { return false }
        index += count
        return true
    }

    mutating func tag() throws(IMAPSyntaxError) -> String {
        let run = run { $0.isTagCharacter }
        guard (1...256).contains(run.count) else { throw .badTag }
        return String(decoding: run, as: UTF8.self)
    }

    /// Takes a word of atom characters and returns it in upper case.
    mutating func word(_ what: StaticString) throws(IMAPSyntaxError) -> String {
        upperCased(try atomBytes(what))
    }

    mutating func atom(_ what: StaticString) throws(IMAPSyntaxError) -> String {
        String(decoding: try atomBytes(what), as: UTF8.self)
    }

    private mutating func atomBytes(_ what: StaticString) throws(IMAPSyntaxError) -> ArraySlice<UInt8> {
        let run = run { $0.isAtomCharacter }
        guard !run.isEmpty else { throw .syntax("Missing or invalid \(what)") }
        return run
    }
}

// MARK: - Numbers

extension IMAPLexer {
    /// Digits up to 2^63 - 1, the largest number64.
    mutating func number64() throws(IMAPSyntaxError) -> UInt64 {
        let digits = run { $0.isDigit }
        guard !digits.isEmpty else { throw .syntax("Number expected") }
        var value: UInt64 = 0
        for digit in digits {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit &- 0x30))
            guard !overflow, !carry, sum <= UInt64(Int64.max) else { throw .syntax("Number too large") }
            value = sum
        }
        return value
    }

    mutating func number() throws(IMAPSyntaxError) -> UInt32 {
        guard let value = UInt32(exactly: try number64()) else { throw .syntax("Number too large") }
        return value
    }

    mutating func nonZeroNumber() throws(IMAPSyntaxError) -> UInt32 {
        let value = try number()
        guard value > 0 else { throw .syntax("Number must not be zero") }
        return value
    }
}

// MARK: - Strings

extension IMAPLexer {
    /// An atom-like word, a quoted string or a literal.
    mutating func astring() throws(IMAPSyntaxError) -> [UInt8] {
        if let string = try optionalString() { return string }
        let run = run { $0.isAStringCharacter }
        guard !run.isEmpty else { throw .syntax(isAtEnd ? "Missing argument" : "String expected") }
        return Array(run)
    }

    /// A quoted string or a literal.
    mutating func string() throws(IMAPSyntaxError) -> [UInt8] {
        guard let string = try optionalString() else { throw .syntax("Quoted string or literal expected") }
        return string
    }

    /// A string or NIL.
    mutating func nstring() throws(IMAPSyntaxError) -> [UInt8]? {
        if takeWord("NIL") { return nil }
        return try string()
    }

    /// An astring of printable ASCII.
    mutating func asciiAString(_ what: StaticString) throws(IMAPSyntaxError) -> String {
        let bytes = try astring()
        guard bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else { throw .syntax("Invalid \(what)") }
        return String(decoding: bytes, as: UTF8.self)
    }

    mutating func optionalString() throws(IMAPSyntaxError) -> [UInt8]? {
        switch next {
        case .quote: return try quoted()
        case .openBrace: return try literal(binary: false)
        case .tilde where afterNext == .openBrace:
            index += 1
            return try literal(binary: true)
        default: return nil
        }
    }

    private mutating func quoted() throws(IMAPSyntaxError) -> [UInt8] {
        index += 1
        let start = index
        var escapes = false
        while index < bytes.count {
            switch bytes[index] {
            case .quote:
                let content = bytes[start..<index]
                // RFC 9755 section 3: eight-bit bytes in quotes must be UTF-8.
                guard !acceptsUTF8 || String(validating: content, as: UTF8.self) != nil else {
                    throw .syntax("Invalid UTF-8 in quoted string")
                }
                index += 1
                return escapes ? Self.unescaped(content) : Array(content)
            case .backslash:
                guard afterNext == .quote || afterNext == .backslash else {
                    throw .syntax("Invalid escape in quoted string")
                }
                escapes = true
                index += 2
            case 0, .cr, .lf: throw .syntax("Invalid character in quoted string")
            default: index += 1
            }
        }
        throw .syntax("Unterminated quoted string")
    }

    private static func unescaped(_ content: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(content.count)
        var isEscaped = false
        for byte in content {
            if byte == .backslash, !isEscaped {
                isEscaped = true
            } else {
                result.append(byte)
                isEscaped = false
            }
        }
        return result
    }

    private mutating func literal(binary: Bool) throws(IMAPSyntaxError) -> [UInt8] {
        index += 1
        let size = try number64()
        _ = take(.plus)
        try expect(.closeBrace, "Invalid literal")
        _ = take(.cr)
        try expect(.lf, "Invalid literal")
        guard size <= UInt64(bytes.count - index) else { throw .syntax("Literal is incomplete") }
        let content = bytes[index..<index + Int(size)]
        index += content.count
        literalEnd = index
        guard binary || !content.contains(0) else { throw .syntax("NUL in literal") }
        return Array(content)
    }
}
