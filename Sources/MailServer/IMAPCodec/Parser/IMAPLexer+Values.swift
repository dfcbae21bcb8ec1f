// The values that several commands share: mailbox names, flags, sequence sets, dates and lists.

extension IMAPLexer {
    /// A mailbox name as UTF-8; INBOX in upper case.
    mutating func mailbox() throws(IMAPSyntaxError) -> String {
        try decodedName(try astring())
    }

    /// A LIST pattern: like a mailbox name, with wildcards.
    mutating func listPattern() throws(IMAPSyntaxError) -> String {
        if let string = try optionalString() { return try decodedPattern(string) }
        let run = run { $0.isAStringCharacter || $0 == .percent || $0 == .star }
        guard !run.isEmpty else { throw .syntax(isAtEnd ? "Missing argument" : "Mailbox pattern expected") }
        return try decodedPattern(Array(run))
    }

    /// Decodes a pattern, which need not be a name: broken modified UTF-7, such as `&*`, stands for itself.
    private func decodedPattern(_ bytes: [UInt8]) throws(IMAPSyntaxError) -> String {
        do throws(IMAPSyntaxError) {
            return try decodedName(bytes)
        } catch {
            guard bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else { throw error }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private func decodedName(_ bytes: [UInt8]) throws(IMAPSyntaxError) -> String {
        // Eight-bit bytes cannot be modified UTF-7; a server with UTF8=ACCEPT takes them as UTF-8 (RFC 9755 section 3).
        let isUTF8 = acceptsUTF8 || bytes.contains { $0 >= 0x80 }
        guard let name = isUTF8 ? MailboxNameCoding.validated(bytes) : MailboxNameCoding.decode(bytes) else {
            throw .badMailboxName
        }
        return equalsIgnoringCase(name.utf8, "INBOX") ? "INBOX" : name
    }

    /// A UTF-8 string such as a quota root.
    mutating func utf8String(_ what: StaticString) throws(IMAPSyntaxError) -> String {
        guard let text = String(validating: try astring(), as: UTF8.self) else { throw .syntax("Invalid \(what)") }
        return text
    }

    // MARK: Lists

    /// `(a b c)`, also with spaces inside the parentheses.
    mutating func list(
        allowEmpty: Bool = false, _ element: (inout Self) throws(IMAPSyntaxError) -> Void
    ) throws(IMAPSyntaxError) {
        try openList()
        if allowEmpty, take(.closeParenthesis) { return }
        try element(&self)
        var count = 1
        while !takesListEnd() {
            guard count < Self.maximumElements else { throw .limit("Too many elements in a list") }
            try space()
            try element(&self)
            count += 1
        }
    }

    /// Takes the opening parenthesis of a list.
    mutating func openList() throws(IMAPSyntaxError) {
        try expect(.openParenthesis, "Parenthesised list expected")
        takeSpaces()
    }

    /// Takes the closing parenthesis of a list if it comes next.
    mutating func takesListEnd() -> Bool {
        guard nextArgument == .closeParenthesis else { return false }
        takeSpaces()
        return take(.closeParenthesis)
    }

    mutating func closeList() throws(IMAPSyntaxError) {
        guard takesListEnd() else { throw .syntax("Closing parenthesis expected") }
    }

    // MARK: Flags

    /// One flag, including those that a client may not set.
    mutating func flag() throws(IMAPSyntaxError) -> IMAPFlag {
        guard take(.backslash) else { return .keyword(try atom("flag")) }
        let name = try atom("flag")
        return switch upperCased(Array(name.utf8)[...]) {
        case "ANSWERED": .answered
        case "FLAGGED": .flagged
        case "DELETED": .deleted
        case "SEEN": .seen
        case "DRAFT": .draft
        case "RECENT": .recent
        default: .unknownSystem(name)
        }
    }

    mutating func flagList() throws(IMAPSyntaxError) -> [IMAPFlag] {
        var flags: [IMAPFlag] = []
        try list(allowEmpty: true) { lexer throws(IMAPSyntaxError) in
            flags.append(try lexer.flag())
        }
        return flags
    }

    // MARK: Sequence sets

    mutating func sequenceSet() throws(IMAPSyntaxError) -> IMAPSequenceSet {
        if take(.dollar) { return .savedResult }
        var ranges: [IMAPSequenceRange] = []
        repeat {
            let first = try sequenceNumber()
            ranges.append(IMAPSequenceRange(first, take(.colon) ? try sequenceNumber() : first))
            // Clients that join ranges in a loop leave a comma at the end; Dovecot accepts it.
        } while take(.comma) && (next.isDigit || next == .star || next == .comma)
        return .ranges(ranges)
    }

    /// A set of plain numbers, without `*` and `$`.
    mutating func knownSet() throws(IMAPSyntaxError) -> IMAPSequenceSet {
        let set = try sequenceSet()
        guard case .ranges(let ranges) = set,
            ranges.allSatisfy({ $0.first != IMAPSequenceRange.star && $0.last != IMAPSequenceRange.star })
        else { throw .syntax("Plain numbers expected") }
        return set
    }

    mutating func sequenceNumber() throws(IMAPSyntaxError) -> UInt32 {
        if take(.star) { return IMAPSequenceRange.star }
        guard next.isDigit else { throw .syntax("Invalid message set") }
        return try nonZeroNumber()
    }

    /// `1:100` or `-1:-100`.
    mutating func partialRange() throws(IMAPSyntaxError) -> IMAPPartialRange {
        let fromEnd = take(.minus)
        let first = try nonZeroNumber()
        try expect(.colon, "Invalid PARTIAL range")
        guard take(.minus) == fromEnd else { throw .syntax("Invalid PARTIAL range") }
        let second = try nonZeroNumber()
        return IMAPPartialRange(min(first, second)...max(first, second), fromEnd: fromEnd)
    }

    // MARK: Dates

    /// `1-Feb-1994`, with or without quotes. `31-Feb-1994` is the day that many days after the month began: programs
    /// count days and months without a calendar.
    mutating func date() throws(IMAPSyntaxError) -> IMAPDate {
        let isQuoted = take(.quote)
        let date = try dateText(mayPassMonthEnd: true)
        if isQuoted { try expect(.quote, "Invalid date") }
        return date
    }

    /// `" 1-Feb-1994 22:43:04 -0800"`
    mutating func dateTime() throws(IMAPSyntaxError) -> IMAPDateTime {
        try expect(.quote, "Invalid date")
        _ = take(.space)
        let date = try dateText()
        try expect(.space, "Invalid date")
        let hour = try fixedNumber(digits: 2, below: 24)
        try expect(.colon, "Invalid date")
        let minute = try fixedNumber(digits: 2, below: 60)
        try expect(.colon, "Invalid date")
        let second = try fixedNumber(digits: 2, below: 61)
        try expect(.space, "Invalid date")
        let isWest = take(.minus)
        if !isWest { try expect(.plus, "Invalid date") }
        let zone = try fixedNumber(digits: 2, below: 24) * 60 + fixedNumber(digits: 2, below: 60)
        try expect(.quote, "Invalid date")
        let zoneMinutes = isWest ? -zone : zone
        let local = date.daysSince1970 * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
        return IMAPDateTime(secondsSince1970: local - Int64(zoneMinutes) * 60, zoneMinutes: zoneMinutes)
    }

    private mutating func dateText(mayPassMonthEnd: Bool = false) throws(IMAPSyntaxError) -> IMAPDate {
        let day = run { $0.isDigit }
        guard (1...2).contains(day.count) else { throw .syntax("Invalid date") }
        let dayNumber = day.reduce(0) { $0 * 10 + Int($1 &- 0x30) }
        try expect(.minus, "Invalid date")
        guard bytes.count - index >= 3, let month = Self.month(bytes[index..<index + 3]) else {
            throw .syntax("Invalid date")
        }
        index += 3
        try expect(.minus, "Invalid date")
        let year = try fixedNumber(digits: 4, below: 10_000)
        if let date = IMAPDate(year: year, month: month, day: dayNumber) { return date }
        guard mayPassMonthEnd, (1...31).contains(dayNumber),
            let first = IMAPDate(year: year, month: month, day: 1),
            let date = IMAPDate(daysSince1970: first.daysSince1970 + Int64(dayNumber) - 1)
        else { throw .syntax("No such date") }
        return date
    }

    private mutating func fixedNumber(digits: Int, below limit: Int) throws(IMAPSyntaxError) -> Int {
        guard bytes.count - index >= digits else { throw .syntax("Invalid date") }
        var value = 0
        for _ in 0..<digits {
            guard next.isDigit else { throw .syntax("Invalid date") }
            value = value * 10 + Int(next &- 0x30)
            index += 1
        }
        guard value < limit else { throw .syntax("Invalid date") }
        return value
    }

    private static func month(_ name: ArraySlice<UInt8>) -> Int? {
        switch upperCased(name) {
        case "JAN": 1
        case "FEB": 2
        case "MAR": 3
        case "APR": 4
        case "MAY": 5
        case "JUN": 6
        case "JUL": 7
        case "AUG": 8
        case "SEP": 9
        case "OCT": 10
        case "NOV": 11
        case "DEC": 12
        default: nil
        }
    }
}
