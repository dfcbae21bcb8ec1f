// Commands that name a mailbox. RFC 9051 section 6.3.

extension IMAPCommandParser {
    mutating func mailboxArgument() throws(IMAPSyntaxError) -> String {
        try lexer.space()
        return try lexer.mailbox()
    }

    // MARK: SELECT and CREATE

    mutating func select(readOnly: Bool) throws(IMAPSyntaxError) -> IMAPCommand {
        let mailbox = try mailboxArgument()
        return .select(mailbox: mailbox, readOnly: readOnly, parameters: try selectParameters())
    }

    mutating func create() throws(IMAPSyntaxError) -> IMAPCommand {
        let mailbox = try mailboxArgument()
        return .create(mailbox: mailbox, specialUse: try createUse())
    }

    private mutating func selectParameters() throws(IMAPSyntaxError) -> IMAPSelectParameters {
        var parameters = IMAPSelectParameters()
        guard lexer.nextArgument == .openParenthesis else { return parameters }
        try lexer.space()
        try lexer.list(allowEmpty: true) { lexer throws(IMAPSyntaxError) in
            switch try lexer.word("SELECT parameter") {
            case "CONDSTORE": parameters.condstore = true
            case "QRESYNC":
                try lexer.space()
                parameters.qresync = try Self.qresync(&lexer)
            default: throw .syntax("Unknown SELECT parameter")
            }
        }
        return parameters
    }

    private static func qresync(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> IMAPQResync {
        try lexer.openList()
        let uidValidity = try lexer.nonZeroNumber()
        try lexer.space()
        var result = IMAPQResync(uidValidity: uidValidity, modSeq: try lexer.number64())
        if lexer.nextArgument.isDigit, lexer.takesAnother() { result.knownUIDs = try lexer.knownSet() }
        if lexer.takesAnother() {
            try lexer.openList()
            let numbers = try lexer.knownSet()
            try lexer.space()
            result.matchData = .init(sequenceNumbers: numbers, uids: try lexer.knownSet())
            try lexer.closeList()
        }
        try lexer.closeList()
        return result
    }

    private mutating func createUse() throws(IMAPSyntaxError) -> [String] {
        var attributes: [String] = []
        guard lexer.nextArgument == .openParenthesis else { return attributes }
        try lexer.space()
        try lexer.list { lexer throws(IMAPSyntaxError) in
            guard lexer.takeWord("USE") else { throw .syntax("Unknown CREATE parameter") }
            try lexer.space()
            try lexer.list(allowEmpty: true) { lexer throws(IMAPSyntaxError) in
                try lexer.expect(.backslash, "Special-use attribute expected")
                attributes.append("\\" + (try lexer.atom("special-use attribute")))
            }
        }
        return attributes
    }

    // MARK: LIST, LSUB and STATUS

    mutating func lsub() throws(IMAPSyntaxError) -> IMAPCommand {
        let reference = try mailboxArgument()
        try lexer.space()
        return .lsub(reference: reference, pattern: try lexer.listPattern())
    }

    mutating func status() throws(IMAPSyntaxError) -> IMAPCommand {
        let mailbox = try mailboxArgument()
        try lexer.space()
        return .status(mailbox: mailbox, items: try statusItems())
    }

    mutating func list() throws(IMAPSyntaxError) -> IMAPListCommand {
        try lexer.space()
        var command = IMAPListCommand(reference: "", patterns: [])
        if lexer.next == .openParenthesis {
            command.isExtended = true
            command.selection = try listSelection()
            try lexer.space()
        }
        command.reference = try lexer.mailbox()
        try lexer.space()
        if lexer.next == .openParenthesis {
            command.isExtended = true
            try lexer.list { lexer throws(IMAPSyntaxError) in command.patterns.append(try lexer.listPattern()) }
        } else {
            command.patterns = [try lexer.listPattern()]
        }
        if lexer.takesAnother() {
            guard lexer.takeWord("RETURN") else { throw .syntax("RETURN expected") }
            try lexer.space()
            command.isExtended = true
            command.returnOptions = try listReturn()
        }
        return command
    }

    private mutating func listSelection() throws(IMAPSyntaxError) -> IMAPListSelection {
        var selection: IMAPListSelection = []
        try lexer.list(allowEmpty: true) { lexer throws(IMAPSyntaxError) in
            switch try lexer.word("selection option") {
            case "SUBSCRIBED": selection.insert(.subscribed)
            case "REMOTE": selection.insert(.remote)
            case "RECURSIVEMATCH": selection.insert(.recursiveMatch)
            case "SPECIAL-USE": selection.insert(.specialUse)
            default: throw .syntax("Unknown LIST selection option")
            }
        }
        // RFC 5258 section 3.1: RECURSIVEMATCH modifies another option, and REMOTE does not count.
        guard !selection.contains(.recursiveMatch) || !selection.isDisjoint(with: [.subscribed, .specialUse]) else {
            throw .syntax("RECURSIVEMATCH needs another selection option")
        }
        return selection
    }

    private mutating func listReturn() throws(IMAPSyntaxError) -> IMAPListReturn {
        var options = IMAPListReturn()
        try lexer.list(allowEmpty: true) { lexer throws(IMAPSyntaxError) in
            switch try lexer.word("return option") {
            case "SUBSCRIBED": options.subscribed = true
            case "CHILDREN": options.children = true
            case "SPECIAL-USE": options.specialUse = true
            case "STATUS":
                try lexer.space()
                options.status = try Self.statusItems(&lexer)
            default: throw .syntax("Unknown LIST return option")
            }
        }
        return options
    }

    private mutating func statusItems() throws(IMAPSyntaxError) -> [IMAPStatusItem] {
        try Self.statusItems(&lexer)
    }

    private static func statusItems(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> [IMAPStatusItem] {
        var items: [IMAPStatusItem] = []
        try lexer.list { lexer throws(IMAPSyntaxError) in
            guard let item = IMAPStatusItem(rawValue: try lexer.word("STATUS item")) else {
                throw .syntax("Unknown STATUS item")
            }
            if !items.contains(item) { items.append(item) }
        }
        return items
    }

    // MARK: METADATA, RFC 5464

    mutating func getMetadata() throws(IMAPSyntaxError) -> IMAPCommand {
        var options = IMAPMetadataOptions()
        try lexer.space()
        let optionsLead = lexer.next == .openParenthesis
        if optionsLead {
            try metadataOptions(&options)
            try lexer.space()
        }
        let mailbox = try lexer.mailbox()
        try lexer.space()
        // The grammar puts options first, the RFC's own examples put them after the mailbox.
        if !optionsLead, lexer.next == .openParenthesis, listBegins(withWord: ["MAXSIZE", "DEPTH"]) {
            try metadataOptions(&options)
            try lexer.space()
        }
        var entries: [String] = []
        if lexer.next == .openParenthesis {
            try lexer.list { lexer throws(IMAPSyntaxError) in
                entries.append(try Self.entryName(&lexer, allowRoot: true))
            }
        } else {
            // The grammar requires parentheses around several; one of the RFC's examples has none.
            repeat { entries.append(try Self.entryName(&lexer, allowRoot: true)) } while lexer.takesAnother()
        }
        return .getMetadata(mailbox: mailbox, entries: entries, options: options)
    }

    /// Whether the list that begins here has one of these words in front.
    private func listBegins(withWord words: [StaticString]) -> Bool {
        var ahead = lexer
        ahead.index += 1
        ahead.takeSpaces()
        return words.contains { ahead.takeWord($0) }
    }

    private mutating func metadataOptions(_ options: inout IMAPMetadataOptions) throws(IMAPSyntaxError) {
        var result = options
        try lexer.list { lexer throws(IMAPSyntaxError) in
            let name = try lexer.word("GETMETADATA option")
            try lexer.space()
            switch name {
            case "MAXSIZE": result.maxSize = try lexer.number64()
            case "DEPTH":
                switch try lexer.word("depth") {
                case "0": result.depth = .zero
                case "1": result.depth = .one
                case "INFINITY": result.depth = .infinity
                default: throw .syntax("Unknown depth")
                }
            default: throw .syntax("Unknown GETMETADATA option")
            }
        }
        options = result
    }

    mutating func setMetadata() throws(IMAPSyntaxError) -> IMAPCommand {
        let mailbox = try mailboxArgument()
        try lexer.space()
        var entries: [IMAPMetadataEntry] = []
        try lexer.list { lexer throws(IMAPSyntaxError) in
            let name = try Self.entryName(&lexer)
            try lexer.space()
            entries.append(IMAPMetadataEntry(name: name, value: try lexer.nstring()))
        }
        return .setMetadata(mailbox: mailbox, entries: entries)
    }

    /// Parses an entry name and returns it in lower case: `/private/…` or `/shared/…`, without empty components and
    /// wildcards.
    ///
    /// - Parameter allowRoot: also accepts `/private` or `/shared` alone: not an entry, but a level above entries.
    private static func entryName(
        _ lexer: inout IMAPLexer, allowRoot: Bool = false
    ) throws(IMAPSyntaxError) -> String {
        let bytes = try lexer.astring().map(\.asciiLowercased)
        let components = bytes.split(separator: .slash, omittingEmptySubsequences: false)
        guard bytes.first == .slash, components.count >= (allowRoot ? 2 : 3),
            !components.dropFirst().contains(where: \.isEmpty),
            components[1].elementsEqual("private".utf8) || components[1].elementsEqual("shared".utf8),
            bytes.allSatisfy({ (0x20...0x7E).contains($0) && $0 != .star && $0 != .percent })
        else { throw .syntax("Invalid metadata entry name") }
        return String(decoding: bytes, as: UTF8.self)
    }
}
