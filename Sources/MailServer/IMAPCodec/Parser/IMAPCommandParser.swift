import Primitives

/// Parses one complete command, with its literals in place. RFC 9051 section 9.
struct IMAPCommandParser {
    var lexer: IMAPLexer
    let maximumSearchKeys: Int

    /// - Parameter bytes: The command without its final line end.
    static func parse(
        _ bytes: [UInt8], acceptsUTF8: Bool, maximumSearchKeys: Int = IMAPDecoderOptions().maximumSearchKeys
    ) -> Result<IMAPTaggedCommand, IMAPRejection> {
        var parser = IMAPCommandParser(
            lexer: IMAPLexer(bytes, acceptsUTF8: acceptsUTF8), maximumSearchKeys: maximumSearchKeys)
        var tag: String?
        do throws(IMAPSyntaxError) {
            parser.lexer.takeSpaces()
            let parsedTag = try parser.lexer.tag()
            tag = parsedTag
            guard parser.lexer.takeSpaces() else { throw .badTag }
            let command = try parser.command()
            try parser.lexer.end()
            return .success(IMAPTaggedCommand(tag: parsedTag, command: command))
        } catch {
            return .failure(IMAPRejection(tag: tag, reason: error.reason))
        }
    }

    private mutating func command() throws(IMAPSyntaxError) -> IMAPCommand {
        var word = try lexer.word("command name")
        let byUID = word == "UID"
        if byUID {
            try lexer.space()
            word = try lexer.word("command name")
        }
        guard let name = IMAPCommandName(rawValue: word), !byUID || IMAPCommandName.withUID.contains(name) else {
            throw .unknownCommand(String((byUID ? "UID " + word : word).prefix(32)))
        }
        return try command(name, byUID: byUID)
    }

    /// Parses the arguments of the command with this name.
    private mutating func command(_ name: IMAPCommandName, byUID: Bool) throws(IMAPSyntaxError) -> IMAPCommand {
        switch name {
        case .capability: return .capability
        case .noop: return .noop
        case .logout: return .logout
        case .id: return .id(try idFields())
        case .startTLS: return .startTLS
        case .authenticate: return try authenticate()
        case .login: return try login()
        case .enable: return .enable(try enabledNames())
        case .select: return try select(readOnly: false)
        case .examine: return try select(readOnly: true)
        case .create: return try create()
        case .delete: return .delete(mailbox: try mailboxArgument())
        case .rename:
            let from = try mailboxArgument()
            return .rename(from: from, to: try mailboxArgument())
        case .subscribe: return .subscribe(mailbox: try mailboxArgument())
        case .unsubscribe: return .unsubscribe(mailbox: try mailboxArgument())
        case .list: return .list(try list())
        case .lsub: return try lsub()
        case .namespace: return .namespace
        case .status: return try status()
        case .idle: return .idle
        case .getQuota:
            try lexer.space()
            return .getQuota(root: try lexer.utf8String("quota root"))
        case .getQuotaRoot: return .getQuotaRoot(mailbox: try mailboxArgument())
        case .setQuota: return try setQuota()
        case .getMetadata: return try getMetadata()
        case .setMetadata: return try setMetadata()
        case .notify:
            try lexer.space()
            return .notify(try notify())
        case .compress:
            try lexer.space()
            return .compress(algorithm: try lexer.word("algorithm"))
        case .check: return .check
        case .close: return .close
        case .unselect: return .unselect
        case .expunge: return .expunge(uids: byUID ? try setArgument() : nil)
        case .search: return .search(try search(byUID: byUID))
        case .sort: return .sort(try sort(byUID: byUID))
        case .thread: return .thread(try thread(byUID: byUID))
        case .fetch: return .fetch(try fetch(byUID: byUID))
        case .store: return .store(try store(byUID: byUID))
        case .copy:
            let set = try setArgument()
            return .copy(set: set, byUID: byUID, mailbox: try mailboxArgument())
        case .move:
            let set = try setArgument()
            return .move(set: set, byUID: byUID, mailbox: try mailboxArgument())
        case .append, .replace: throw .syntax("Message literal expected")
        }
    }

    private mutating func setArgument() throws(IMAPSyntaxError) -> IMAPSequenceSet {
        try lexer.space()
        return try lexer.sequenceSet()
    }

    // MARK: Commands that name no mailbox

    private mutating func authenticate() throws(IMAPSyntaxError) -> IMAPCommand {
        try lexer.space()
        let mechanism = try lexer.word("mechanism")
        return .authenticate(mechanism: mechanism, initialResponse: try initialResponse())
    }

    private mutating func login() throws(IMAPSyntaxError) -> IMAPCommand {
        try lexer.space()
        let user = try lexer.astring()
        try lexer.space()
        return .login(user: user, password: try lexer.astring())
    }

    private mutating func enabledNames() throws(IMAPSyntaxError) -> [String] {
        var names: [String] = []
        try lexer.space()
        repeat { names.append(try lexer.word("capability")) } while lexer.takesAnother()
        return names
    }

    private mutating func setQuota() throws(IMAPSyntaxError) -> IMAPCommand {
        try lexer.space()
        let root = try lexer.utf8String("quota root")
        try lexer.space()
        return .setQuota(root: root, limits: try quotaLimits())
    }

    private mutating func idFields() throws(IMAPSyntaxError) -> [IMAPIDField] {
        try lexer.space()
        if lexer.takeWord("NIL") { return [] }
        var fields: [IMAPIDField] = []
        try lexer.list(allowEmpty: true) { lexer throws(IMAPSyntaxError) in
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
        guard lexer.takeSpaces() else { return nil }
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
            repeat { flags.append(try lexer.flag()) } while lexer.takesAnother()
        }
        return IMAPStoreCommand(
            set: set, byUID: byUID, unchangedSince: unchangedSince, operation: operation,
            silent: item == "FLAGS.SILENT", flags: flags)
    }
}
