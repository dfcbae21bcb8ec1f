import Primitives

extension HeaderDate {
    /// Parses an unfolded Date value; nil if any part of it is missing, malformed or out of range.
    ///
    /// The weekday may be missing or wrong; seconds and zone may be missing (0 and UTC). Years of two and three digits
    /// and the obsolete zones are read as section 4.3 specifies; zone names that it does not list are UTC. A leap
    /// second is read as the second before it. Only a comment may follow the zone.
    public init?(parsing value: [UInt8]) { self.init(parsing: value, isForgiving: false) }

    /// Parses a Date value the way RFC 5256 section 2.2 reads the sent date: a malformed zone is UTC, a malformed or
    /// missing time is midnight, and anything after that is ignored. Nil without a valid day.
    public init?(sentDate value: [UInt8]) { self.init(parsing: value, isForgiving: true) }

    private init?(parsing value: [UInt8], isForgiving: Bool) {
        var lexer = FieldLexer(value)
        lexer.skipBlanksAndComments()
        if lexer.current?.isLetter == true {
            guard Self.name(&lexer, of: Self.weekdays) != nil else { return nil }
            lexer.skipBlanksAndComments()
            _ = lexer.take(ASCII.comma)
            lexer.skipBlanksAndComments()
        }
        guard let day = Self.number(&lexer, digits: 1...2)?.value else { return nil }
        lexer.skipBlanksAndComments()
        guard let month = Self.name(&lexer, of: Self.months).map({ $0 + 1 }) else { return nil }
        lexer.skipBlanksAndComments()
        guard let year = Self.year(&lexer), (1...CivilDay.length(ofMonth: month, year: year)).contains(day) else {
            return nil
        }
        let midnight = CivilDay(year: year, month: month, day: day).daysSince1970 * 86_400
        guard lexer.skipBlanksAndComments(), let time = Self.time(&lexer) else {
            guard isForgiving else { return nil }
            self.init(seconds: midnight)
            return
        }
        lexer.skipBlanksAndComments()
        guard let offset = Self.zone(&lexer) ?? (isForgiving ? 0 : nil) else { return nil }
        lexer.skipBlanksAndComments()
        guard lexer.isAtEnd || isForgiving else { return nil }
        let local = midnight + Int64(time)
        self.init(seconds: local - Int64(offset) * 60, offsetMinutes: offset)
    }

    private static func number(
        _ lexer: inout FieldLexer, digits: ClosedRange<Int>
    ) -> (value: Int, digits: Int)? {
        let text = lexer.run { !$0.isDigit }
        guard digits.contains(text.count) else { return nil }
        return (text.reduce(0) { $0 * 10 + Int($1 - 0x30) }, text.count)
    }

    /// The index of the three-letter name that comes next, ignoring case.
    private static func name(_ lexer: inout FieldLexer, of names: [String]) -> Int? {
        let text = lexer.run { !$0.isLetter }.asciiLowered
        return names.firstIndex { Array($0.utf8).asciiLowered == text }
    }

    private static func year(_ lexer: inout FieldLexer) -> Int? {
        guard let (value, digits) = number(&lexer, digits: 2...4) else { return nil }
        switch digits {
        case 2: return value < 50 ? value + 2000 : value + 1900
        case 3: return value + 1900
        default: return value >= 1 ? value : nil
        }
    }

    private static func time(_ lexer: inout FieldLexer) -> Int? {
        guard let hour = number(&lexer, digits: 1...2)?.value, hour < 24 else { return nil }
        lexer.skipBlanksAndComments()
        guard lexer.take(ASCII.colon) else { return nil }
        lexer.skipBlanksAndComments()
        guard let minute = number(&lexer, digits: 2...2)?.value, minute < 60 else { return nil }
        lexer.skipBlanksAndComments()
        var second = 0
        if lexer.take(ASCII.colon) {
            lexer.skipBlanksAndComments()
            guard let value = number(&lexer, digits: 2...2)?.value, value <= 60 else { return nil }
            second = min(value, 59)
        }
        return hour * 3600 + minute * 60 + second
    }

    /// Minutes ahead of UTC.
    private static func zone(_ lexer: inout FieldLexer) -> Int? {
        guard let byte = lexer.current else { return 0 }
        if byte == UInt8(ascii: "+") || byte == ASCII.hyphen {
            lexer.advance()
            guard let value = number(&lexer, digits: 4...4)?.value, value % 100 < 60 else { return nil }
            let minutes = value / 100 * 60 + value % 100
            return byte == ASCII.hyphen ? -minutes : minutes
        }
        let name = lexer.run { !$0.isLetter }
        guard !name.isEmpty else { return nil }
        switch String(decoding: name.asciiLowered, as: UTF8.self) {
        case "edt": return -4 * 60
        case "est", "cdt": return -5 * 60
        case "cst", "mdt": return -6 * 60
        case "mst", "pdt": return -7 * 60
        case "pst": return -8 * 60
        default: return 0
        }
    }
}
