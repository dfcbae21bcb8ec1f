// FETCH. RFC 9051 section 6.4.5 with RFC 3516, 7162, 8474, 8514, 8970, 9394.

extension IMAPCommandParser {
    mutating func fetch(byUID: Bool) throws(IMAPSyntaxError) -> IMAPFetchCommand {
        try lexer.space()
        let set = try lexer.sequenceSet()
        try lexer.space()
        var command = IMAPFetchCommand(set: set, byUID: byUID, items: [])
        if lexer.next == .openParenthesis {
            try lexer.list { lexer throws(IMAPSyntaxError) in command.items.append(try Self.fetchItem(&lexer)) }
        } else if lexer.takeWord("ALL") {
            command.items = [.flags, .internalDate, .size, .envelope]
        } else if lexer.takeWord("FAST") {
            command.items = [.flags, .internalDate, .size]
        } else if lexer.takeWord("FULL") {
            command.items = [.flags, .internalDate, .size, .envelope, .bodyStructure(extensible: false)]
        } else {
            command.items = [try Self.fetchItem(&lexer)]
        }
        guard lexer.nextArgument == .openParenthesis, lexer.takesAnother() else { return command }
        try lexer.list { lexer throws(IMAPSyntaxError) in
            switch try lexer.word("FETCH modifier") {
            case "CHANGEDSINCE":
                try lexer.space()
                command.changedSince = try lexer.number64()
            case "VANISHED": command.vanished = true
            case "PARTIAL":
                try lexer.space()
                command.partial = try lexer.partialRange()
            default: throw .syntax("Unknown FETCH modifier")
            }
        }
        guard !command.vanished || (byUID && command.changedSince != nil) else {
            throw .syntax("VANISHED needs UID FETCH with CHANGEDSINCE")
        }
        return command
    }

    static func fetchItem(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> IMAPFetchItem {
        let name = upperCased(lexer.run { $0.isAtomCharacter && $0 != .openBracket })
        switch name {
        case "FLAGS": return .flags
        case "INTERNALDATE": return .internalDate
        case "RFC822.SIZE": return .size
        case "ENVELOPE": return .envelope
        case "BODYSTRUCTURE": return .bodyStructure(extensible: true)
        case "UID": return .uid
        case "MODSEQ": return .modSeq
        case "EMAILID": return .emailID
        case "THREADID": return .threadID
        case "SAVEDATE": return .saveDate
        case "PREVIEW": return .preview(lazy: try lazyModifier(&lexer))
        case "RFC822": return .rfc822
        case "RFC822.HEADER": return .rfc822Header
        case "RFC822.TEXT": return .rfc822Text
        case "BODY" where lexer.next != .openBracket: return .bodyStructure(extensible: false)
        case "BODY", "BODY.PEEK":
            let section = try section(&lexer)
            return .body(section, partial: try partial(&lexer), peek: name == "BODY.PEEK")
        case "BINARY", "BINARY.PEEK":
            let part = try bracketedPart(&lexer)
            return .binary(part: part, partial: try partial(&lexer), peek: name == "BINARY.PEEK")
        case "BINARY.SIZE": return .binarySize(part: try bracketedPart(&lexer))
        default: throw .syntax("Unknown FETCH item")
        }
    }

    /// Parses the list of `PREVIEW (LAZY)`; any other list there holds the modifiers of FETCH.
    private static func lazyModifier(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> Bool {
        var ahead = lexer
        guard ahead.takeSpaces(), ahead.take(.openParenthesis) else { return false }
        ahead.takeSpaces()
        guard ahead.takeWord("LAZY"), ahead.takesListEnd() else { return false }
        lexer = ahead
        return true
    }

    private static func section(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> IMAPSection {
        try lexer.expect(.openBracket, "Section expected")
        var section = IMAPSection()
        if lexer.next.isDigit {
            section.part = try part(&lexer)
            if lexer.take(.closeBracket) { return section }
            // `part` stops before the dot that a specifier follows.
            try lexer.expect(.dot, "Invalid section")
        }
        if section.part.isEmpty, lexer.take(.closeBracket) { return section }
        switch upperCased(lexer.run { $0.isAtomCharacter && $0 != .openBracket }) {
        case "HEADER": section.specifier = .header
        case "TEXT": section.specifier = .text
        case "MIME" where !section.part.isEmpty: section.specifier = .mime
        case "HEADER.FIELDS": section.specifier = .headerFields(try fieldNames(&lexer))
        case "HEADER.FIELDS.NOT": section.specifier = .headerFieldsNot(try fieldNames(&lexer))
        default: throw .syntax("Invalid section")
        }
        try lexer.expect(.closeBracket, "Closing bracket expected")
        return section
    }

    private static func bracketedPart(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> [UInt32] {
        try lexer.expect(.openBracket, "Section expected")
        if lexer.take(.closeBracket) { return [] }
        let part = try part(&lexer)
        try lexer.expect(.closeBracket, "Closing bracket expected")
        return part
    }

    private static func part(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> [UInt32] {
        var numbers = [try lexer.nonZeroNumber()]
        while lexer.next == .dot, lexer.afterNext.isDigit {
            lexer.index += 1
            numbers.append(try lexer.nonZeroNumber())
        }
        return numbers
    }

    private static func fieldNames(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> [String] {
        try lexer.space()
        var names: [String] = []
        try lexer.list { lexer throws(IMAPSyntaxError) in names.append(try headerField(&lexer)) }
        return names
    }

    /// Parses a header field name: any string of printable ASCII. An impossible name simply matches no field.
    static func headerField(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> String {
        try lexer.asciiAString("header field name")
    }

    private static func partial(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> IMAPPartial? {
        guard lexer.take(UInt8(ascii: "<")) else { return nil }
        let offset = try lexer.number64()
        try lexer.expect(.dot, "Invalid partial")
        let count = try lexer.number64()
        guard count > 0 else { throw .syntax("Number must not be zero") }
        try lexer.expect(UInt8(ascii: ">"), "Invalid partial")
        return IMAPPartial(offset: offset, count: count)
    }
}
