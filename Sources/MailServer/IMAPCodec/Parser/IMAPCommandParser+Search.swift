// SEARCH, SORT and THREAD. RFC 9051 section 6.4.4, RFC 5256.

extension IMAPCommandParser {
    mutating func search(byUID: Bool) throws(IMAPSyntaxError) -> IMAPSearchCommand {
        let options = try searchReturn()
        var charset: String?
        try lexer.space()
        if lexer.takeWord("CHARSET") {
            try lexer.space()
            charset = try self.charset()
            try lexer.space()
        }
        return IMAPSearchCommand(
            byUID: byUID, returnOptions: options, charset: charset, key: try searchProgram())
    }

    mutating func sort(byUID: Bool) throws(IMAPSyntaxError) -> IMAPSortCommand {
        let options = try searchReturn()
        try lexer.space()
        var criteria: [IMAPSortCriterion] = []
        try lexer.list { lexer throws(IMAPSyntaxError) in
            let reverse = lexer.takeWord("REVERSE")
            if reverse { try lexer.space() }
            guard let key = IMAPSortCriterion.Key(rawValue: try lexer.word("sort key")) else {
                throw .syntax("Unknown sort key")
            }
            criteria.append(IMAPSortCriterion(key, reverse: reverse))
        }
        try lexer.space()
        let charset = try charset()
        try lexer.space()
        return IMAPSortCommand(
            byUID: byUID, returnOptions: options, criteria: criteria, charset: charset, key: try searchProgram())
    }

    mutating func thread(byUID: Bool) throws(IMAPSyntaxError) -> IMAPThreadCommand {
        try lexer.space()
        let algorithm = try lexer.word("threading algorithm")
        try lexer.space()
        let charset = try charset()
        try lexer.space()
        return IMAPThreadCommand(byUID: byUID, algorithm: algorithm, charset: charset, key: try searchProgram())
    }

    private mutating func charset() throws(IMAPSyntaxError) -> String {
        upperCased(Array(try lexer.asciiAString("charset").utf8)[...])
    }

    private mutating func searchReturn() throws(IMAPSyntaxError) -> IMAPSearchReturn? {
        let start = lexer.index
        guard lexer.take(.space), lexer.takeWord("RETURN") else {
            lexer.index = start
            return nil
        }
        try lexer.space()
        var options = IMAPSearchReturn()
        try lexer.list(allowEmpty: true) { lexer throws(IMAPSyntaxError) in
            switch try lexer.word("return option") {
            case "MIN": options.min = true
            case "MAX": options.max = true
            case "ALL": options.all = true
            case "COUNT": options.count = true
            case "SAVE": options.save = true
            case "PARTIAL":
                guard options.partial == nil else { throw .syntax("More than one PARTIAL") }
                try lexer.space()
                options.partial = try lexer.partialRange()
            default: throw .syntax("Unknown return option")
            }
        }
        guard options.partial == nil || !options.all else { throw .syntax("PARTIAL and ALL cannot be combined") }
        if options == IMAPSearchReturn() { options.all = true }
        return options
    }

    private mutating func searchProgram() throws(IMAPSyntaxError) -> IMAPSearchKey {
        var keys = [try Self.searchKey(&lexer, depth: 0)]
        while lexer.next == .space, lexer.afterNext != 0, lexer.afterNext != .space {
            guard keys.count < IMAPLexer.maximumElements else { throw .syntax("Too many search keys") }
            lexer.index += 1
            keys.append(try Self.searchKey(&lexer, depth: 0))
        }
        return keys.count == 1 ? keys[0] : .and(keys)
    }

    private static func searchKey(_ lexer: inout IMAPLexer, depth: Int) throws(IMAPSyntaxError) -> IMAPSearchKey {
        guard depth < IMAPLexer.maximumDepth else { throw .syntax("Search keys are nested too deeply") }
        switch lexer.next {
        case .openParenthesis:
            var keys: [IMAPSearchKey] = []
            try lexer.list { lexer throws(IMAPSyntaxError) in keys.append(try searchKey(&lexer, depth: depth + 1)) }
            return keys.count == 1 ? keys[0] : .and(keys)
        case .star, .dollar, 0x30...0x39:
            return .sequence(try lexer.sequenceSet())
        default:
            break
        }
        let name = try lexer.word("search key")
        if let key = flagKey(name) { return key }
        switch name {
        case "NOT":
            try lexer.space()
            return .not(try searchKey(&lexer, depth: depth + 1))
        case "OR":
            try lexer.space()
            let left = try searchKey(&lexer, depth: depth + 1)
            try lexer.space()
            return .or(left, try searchKey(&lexer, depth: depth + 1))
        case "SAVEDATESUPPORTED": return .saveDateSupported
        default:
            guard isArgumentKey(name) else { throw .syntax("Unknown search key") }
            try lexer.space()
            return try argumentKey(name, &lexer)
        }
    }

    private static func flagKey(_ name: String) -> IMAPSearchKey? {
        switch name {
        case "ALL": .all
        case "ANSWERED": .flag(.answered)
        case "DELETED": .flag(.deleted)
        case "DRAFT": .flag(.draft)
        case "FLAGGED": .flag(.flagged)
        case "RECENT": .flag(.recent)
        case "SEEN": .flag(.seen)
        case "NEW": .new
        case "OLD": .withoutFlag(.recent)
        case "UNANSWERED": .withoutFlag(.answered)
        case "UNDELETED": .withoutFlag(.deleted)
        case "UNDRAFT": .withoutFlag(.draft)
        case "UNFLAGGED": .withoutFlag(.flagged)
        case "UNSEEN": .withoutFlag(.seen)
        default: nil
        }
    }

    private static func isArgumentKey(_ name: String) -> Bool {
        switch name {
        case "KEYWORD", "UNKEYWORD", "BCC", "CC", "FROM", "SUBJECT", "TO", "HEADER", "BODY", "TEXT", "BEFORE", "ON",
            "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE", "SAVEDBEFORE", "SAVEDON", "SAVEDSINCE", "LARGER", "SMALLER",
            "OLDER", "YOUNGER", "UID", "MODSEQ", "EMAILID", "THREADID":
            true
        default: false
        }
    }

    /// Parses the arguments of a key; the space after the name has been taken.
    private static func argumentKey(
        _ name: String, _ lexer: inout IMAPLexer
    ) throws(IMAPSyntaxError) -> IMAPSearchKey {
        switch name {
        case "KEYWORD": .flag(.keyword(try lexer.atom("keyword")))
        case "UNKEYWORD": .withoutFlag(.keyword(try lexer.atom("keyword")))
        case "HEADER": try header(&lexer)
        case "BODY": .body(try lexer.astring())
        case "TEXT": .text(try lexer.astring())
        case "BEFORE": .internalDate(.before, try lexer.date())
        case "ON": .internalDate(.on, try lexer.date())
        case "SINCE": .internalDate(.since, try lexer.date())
        case "SENTBEFORE": .sentDate(.before, try lexer.date())
        case "SENTON": .sentDate(.on, try lexer.date())
        case "SENTSINCE": .sentDate(.since, try lexer.date())
        case "SAVEDBEFORE": .saveDate(.before, try lexer.date())
        case "SAVEDON": .saveDate(.on, try lexer.date())
        case "SAVEDSINCE": .saveDate(.since, try lexer.date())
        case "LARGER": .larger(try lexer.number64())
        case "SMALLER": .smaller(try lexer.number64())
        case "OLDER": .older(try lexer.nonZeroNumber())
        case "YOUNGER": .younger(try lexer.nonZeroNumber())
        case "UID": .uid(try lexer.sequenceSet())
        case "MODSEQ": try modSeq(&lexer)
        case "EMAILID": .emailID(try objectID(&lexer))
        case "THREADID": .threadID(try objectID(&lexer))
        default: .header(field: name, value: try lexer.astring())
        }
    }

    private static func header(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> IMAPSearchKey {
        let field = try headerField(&lexer)
        try lexer.space()
        return .header(field: field, value: try lexer.astring())
    }

    /// `MODSEQ 5` or `MODSEQ "/flags/\\draft" all 5`.
    private static func modSeq(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> IMAPSearchKey {
        if lexer.next == .quote {
            _ = try lexer.string()
            try lexer.space()
            guard lexer.takeWord("PRIV") || lexer.takeWord("SHARED") || lexer.takeWord("ALL") else {
                throw .syntax("Invalid MODSEQ entry type")
            }
            try lexer.space()
        }
        return .modSeq(try lexer.number64())
    }

    private static func objectID(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> String {
        let text = try lexer.asciiAString("object id")
        guard (1...255).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0.isDigit || $0.asciiUppercased &- 0x41 < 26 || $0 == .minus || $0 == 0x5F })
        else { throw .syntax("Invalid object id") }
        return text
    }
}
