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
            byUID: byUID, returnOptions: options, charset: charset, program: try searchProgram())
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
            byUID: byUID, returnOptions: options, criteria: criteria, charset: charset, program: try searchProgram())
    }

    mutating func thread(byUID: Bool) throws(IMAPSyntaxError) -> IMAPThreadCommand {
        try lexer.space()
        let algorithm = try lexer.word("threading algorithm")
        try lexer.space()
        let charset = try charset()
        try lexer.space()
        return IMAPThreadCommand(byUID: byUID, algorithm: algorithm, charset: charset, program: try searchProgram())
    }

    private mutating func charset() throws(IMAPSyntaxError) -> String {
        upperCased(Array(try lexer.asciiAString("charset").utf8)[...])
    }

    private mutating func searchReturn() throws(IMAPSyntaxError) -> IMAPSearchReturn? {
        let start = lexer.index
        guard lexer.takeSpaces(), lexer.takeWord("RETURN") else {
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

    /// The criteria up to the end of the command.
    ///
    /// The open parentheses and operators stand in a list: recursion would let a client choose the depth of the stack.
    private mutating func searchProgram() throws(IMAPSyntaxError) -> IMAPSearchProgram {
        enum Open {
            /// NOT or OR, which waits for so many criteria.
            case operation(Int)
            /// A parenthesis; its term stands at this index.
            case list(Int)
        }
        var terms: [IMAPSearchProgram.Term] = []
        var open: [Open] = []
        var keyCount = 0
        while true {
            if terms.count - keyCount > 8 * maximumSearchKeys { throw .limit("Too many search operators") }
            if lexer.next == .openParenthesis {
                try lexer.openList()
                open.append(.list(terms.count))
                terms.append(.and(0))
                continue
            }
            if let operation = try searchOperator() {
                open.append(.operation(operation == .not ? 1 : 2))
                terms.append(operation)
                continue
            }
            keyCount += 1
            guard keyCount <= maximumSearchKeys else { throw .limit("More than \(maximumSearchKeys) search keys") }
            terms.append(.key(try Self.searchKey(&lexer)))
            // A key may complete any number of operators and parentheses.
            completion: while true {
                switch open.last {
                case nil:
                    guard lexer.takesAnother() else { return IMAPSearchProgram(terms) }
                    break completion
                case .operation(let count):
                    open.removeLast()
                    guard count > 1 else { continue }
                    open.append(.operation(count - 1))
                    try lexer.space()
                    break completion
                case .list(let index):
                    if case .and(let count) = terms[index] { terms[index] = .and(count + 1) }
                    guard lexer.takesListEnd() else {
                        try lexer.space()
                        break completion
                    }
                    open.removeLast()
                }
            }
        }
    }

    /// NOT or OR with the space after it.
    private mutating func searchOperator() throws(IMAPSyntaxError) -> IMAPSearchProgram.Term? {
        let term: IMAPSearchProgram.Term
        if lexer.takeWord("NOT") {
            term = .not
        } else if lexer.takeWord("OR") {
            term = .or
        } else {
            return nil
        }
        try lexer.space()
        return term
    }

    private static func searchKey(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> IMAPSearchKey {
        switch lexer.next {
        case .star, .dollar, 0x30...0x39: return .sequence(try lexer.sequenceSet())
        default: break
        }
        let name = try lexer.word("search key")
        if let key = flagKey(name) { return key }
        if name == "SAVEDATESUPPORTED" { return .saveDateSupported }
        guard isArgumentKey(name) else { throw .syntax("Unknown search key") }
        try lexer.space()
        return try argumentKey(name, &lexer)
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
        case "SUBJECT": .header(field: name, value: try lexer.astring())
        default: .address(field: name, value: try lexer.astring())
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
