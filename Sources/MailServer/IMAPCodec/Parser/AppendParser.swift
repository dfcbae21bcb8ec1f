/// Parses the parts of APPEND and REPLACE around their messages. RFC 9051 section 6.3.12, RFC 3502, 6855, 8508.
enum AppendParser {
    /// The kind of literal that a line ends in.
    enum Head: Equatable {
        /// An ordinary argument, the mailbox name when `isAppend`.
        case argument(tag: String, isAppend: Bool)
        /// The literal is the message; `size` and how it is sent are still to be filled in.
        case message(IMAPAppendMessage)
    }

    /// Parses a command up to, and without, the header of its last literal.
    static func head(_ bytes: [UInt8], acceptsUTF8: Bool) -> Result<Head, IMAPRejection> {
        var lexer = IMAPLexer(bytes, acceptsUTF8: acceptsUTF8)
        var tag: String?
        do throws(IMAPSyntaxError) {
            lexer.takeSpaces()
            let parsedTag = try lexer.tag()
            guard lexer.takeSpaces() else { throw .badTag }
            tag = parsedTag
            var name = try lexer.word("command name")
            let byUID = name == "UID"
            if byUID {
                try lexer.space()
                name = try lexer.word("command name")
            }
            guard name == "REPLACE" || (name == "APPEND" && !byUID) else {
                return .success(.argument(tag: parsedTag, isAppend: false))
            }
            try lexer.space()
            var message = IMAPAppendMessage(tag: parsedTag, mailbox: "", size: 0)
            if name == "REPLACE" {
                message.replaces = .init(number: try lexer.sequenceNumber(), byUID: byUID)
                try lexer.space()
            }
            if lexer.isAtEnd { return .success(.argument(tag: parsedTag, isAppend: true)) }
            message.mailbox = try lexer.mailbox()
            try lexer.space()
            try options(of: &message, &lexer)
            return .success(.message(message))
        } catch {
            return .failure(IMAPRejection(tag: tag, reason: error.reason))
        }
    }

    /// Parses the text between two messages of a MULTIAPPEND, from the end of one to the literal header of the next.
    static func next(
        after message: IMAPAppendMessage, _ bytes: [UInt8]
    ) throws(IMAPSyntaxError) -> IMAPAppendMessage {
        guard message.replaces == nil else { throw .syntax("REPLACE takes one message") }
        var lexer = IMAPLexer(bytes)
        if message.isUTF8 { try lexer.closeList() }
        // The message in front of it is a literal, which ends by itself.
        lexer.takeSpaces()
        var next = IMAPAppendMessage(
            tag: message.tag, mailbox: message.mailbox, index: message.index + 1, size: 0)
        try options(of: &next, &lexer)
        return next
    }

    /// Checks the text between the last message and the line end.
    static func tail(after message: IMAPAppendMessage, _ bytes: [UInt8]) throws(IMAPSyntaxError) {
        var lexer = IMAPLexer(bytes)
        if message.isUTF8 { try lexer.closeList() }
        try lexer.end()
    }

    private static func options(
        of message: inout IMAPAppendMessage, _ lexer: inout IMAPLexer
    ) throws(IMAPSyntaxError) {
        if lexer.next == .openParenthesis {
            message.flags = try lexer.flagList()
            try lexer.space()
        }
        if lexer.next == .quote {
            message.date = try lexer.dateTime()
            try lexer.space()
        }
        if lexer.takeWord("UTF8") {
            try lexer.space()
            try lexer.openList()
            message.isUTF8 = true
        }
        guard lexer.isAtEnd else { throw .syntax("Message literal expected") }
    }
}
