import Primitives

/// Parses one complete command, its literals in place. RFC 9051 section 9.
struct IMAPCommandParser {
    var lexer: IMAPLexer

    /// - Parameter bytes: The command without its final line end.
    static func parse(_ bytes: [UInt8], acceptsUTF8: Bool) -> Result<IMAPTaggedCommand, IMAPRejection> {
        var parser = IMAPCommandParser(lexer: IMAPLexer(bytes, acceptsUTF8: acceptsUTF8))
        var tag: String?
        do throws(IMAPSyntaxError) {
            let parsedTag = try parser.lexer.tag()
            tag = parsedTag
            guard parser.lexer.take(.space) else { throw .badTag }
            let command = try parser.command()
            try parser.lexer.end()
            return .success(IMAPTaggedCommand(tag: parsedTag, command: command))
        } catch {
            return .failure(IMAPRejection(tag: tag, reason: error.reason))
        }
    }

    private mutating func command() throws(IMAPSyntaxError) -> IMAPCommand {
        let name = try lexer.word("command name")
        if name == "UID" {
            try lexer.space()
            return try messageCommand(try lexer.word("command name"), byUID: true)
        }
        return if let command = Self.plain[name] {
            command
        } else if let command = try accountCommand(name) {
            command
        } else if let command = try mailboxCommand(name) {
            command
        } else {
            try messageCommand(name, byUID: false)
        }
    }

    /// Commands without arguments.
    private static let plain: [String: IMAPCommand] = [
        "CAPABILITY": .capability, "NOOP": .noop, "LOGOUT": .logout, "STARTTLS": .startTLS, "NAMESPACE": .namespace,
        "IDLE": .idle, "CHECK": .check, "CLOSE": .close, "UNSELECT": .unselect, "EXPUNGE": .expunge(uids: nil),
    ]

    /// Commands that name no mailbox.
    private mutating func accountCommand(_ name: String) throws(IMAPSyntaxError) -> IMAPCommand? {
        switch name {
        case "ID":
            try lexer.space()
            return .id(try idFields())
        case "AUTHENTICATE":
            try lexer.space()
            let mechanism = try lexer.word("mechanism")
            return .authenticate(mechanism: mechanism, initialResponse: try initialResponse())
        case "LOGIN":
            try lexer.space()
            let user = try lexer.astring()
            try lexer.space()
            return .login(user: user, password: try lexer.astring())
        case "ENABLE":
            var names: [String] = []
            repeat {
                try lexer.space()
                names.append(try lexer.word("capability"))
            } while lexer.next == .space && lexer.afterNext != 0
            return .enable(names)
        case "COMPRESS":
            try lexer.space()
            return .compress(algorithm: try lexer.word("algorithm"))
        case "GETQUOTA":
            try lexer.space()
            return .getQuota(root: try lexer.utf8String("quota root"))
        case "SETQUOTA":
            try lexer.space()
            let root = try lexer.utf8String("quota root")
            try lexer.space()
            return .setQuota(root: root, limits: try quotaLimits())
        case "NOTIFY":
            try lexer.space()
            return .notify(try notify())
        default:
            return nil
        }
    }

    private mutating func idFields() throws(IMAPSyntaxError) -> [IMAPIDField] {
        if lexer.takeWord("NIL") { return [] }
        var fields: [IMAPIDField] = []
        // aioimaplib sends `ID ( "name" "value" )`.
        try lexer.list(allowEmpty: true, forgivesPadding: true) { lexer throws(IMAPSyntaxError) in
            // RFC 2971 section 3.3 allows thirty pairs.
            guard fields.count < 30 else { throw .syntax("Too many ID fields") }
            guard let name = String(validating: try lexer.string(), as: UTF8.self) else {
                throw .syntax("Invalid ID field name")
            }
            try lexer.space()
            fields.append(IMAPIDField(name: name, value: try lexer.nstring()))
        }
        return fields
    }

    private mutating func initialResponse() throws(IMAPSyntaxError) -> [UInt8]? {
        guard lexer.take(.space) else { return nil }
        let text = lexer.run { $0 != .space }
        if text.isEmpty { return nil }
        if text.elementsEqual([UInt8(ascii: "=")]) { return [] }
        guard let response = Base64.decode(text) else { throw .syntax("Initial response is not base64") }
        return response
    }

    private mutating func quotaLimits() throws(IMAPSyntaxError) -> [IMAPQuotaLimit] {
        var limits: [IMAPQuotaLimit] = []
        try lexer.list(allowEmpty: true) { lexer throws(IMAPSyntaxError) in
            let resource = try lexer.word("resource")
            try lexer.space()
            limits.append(IMAPQuotaLimit(resource: resource, limit: try lexer.number64()))
        }
        return limits
    }

    /// Commands on messages of the selected mailbox; the last place a name is looked up.
    private mutating func messageCommand(_ name: String, byUID: Bool) throws(IMAPSyntaxError) -> IMAPCommand {
        switch name {
        case "FETCH": return .fetch(try fetch(byUID: byUID))
        case "STORE": return .store(try store(byUID: byUID))
        case "SEARCH": return .search(try search(byUID: byUID))
        case "SORT": return .sort(try sort(byUID: byUID))
        case "THREAD": return .thread(try thread(byUID: byUID))
        case "COPY", "MOVE":
            try lexer.space()
            let set = try lexer.sequenceSet()
            try lexer.space()
            let mailbox = try lexer.mailbox()
            return name == "COPY"
                ? .copy(set: set, byUID: byUID, mailbox: mailbox) : .move(set: set, byUID: byUID, mailbox: mailbox)
        case "EXPUNGE" where byUID:
            try lexer.space()
            return .expunge(uids: try lexer.sequenceSet())
        case "APPEND", "REPLACE":
            throw .syntax("Message literal expected")
        default:
            throw .unknownCommand(String((byUID ? "UID " + name : name).prefix(32)))
        }
    }

    private mutating func store(byUID: Bool) throws(IMAPSyntaxError) -> IMAPStoreCommand {
        try lexer.space()
        let set = try lexer.sequenceSet()
        try lexer.space()
        var unchangedSince: UInt64?
        if lexer.next == .openParenthesis {
            try lexer.list { lexer throws(IMAPSyntaxError) in
                guard lexer.takeWord("UNCHANGEDSINCE") else { throw .syntax("Unknown STORE modifier") }
                try lexer.space()
                unchangedSince = try lexer.number64()
            }
            try lexer.space()
        }
        let operation: IMAPStoreOperation = lexer.take(.plus) ? .add : lexer.take(.minus) ? .remove : .replace
        let item = try lexer.word("STORE item")
        guard item == "FLAGS" || item == "FLAGS.SILENT" else { throw .syntax("Unknown STORE item") }
        try lexer.space()
        var flags: [IMAPFlag] = []
        if lexer.next == .openParenthesis {
            flags = try lexer.flagList()
        } else {
            repeat {
                flags.append(try lexer.flag())
            } while lexer.afterNext != 0 && lexer.take(.space)
        }
        return IMAPStoreCommand(
            set: set, byUID: byUID, unchangedSince: unchangedSince, operation: operation,
            silent: item == "FLAGS.SILENT", flags: flags)
    }
}
