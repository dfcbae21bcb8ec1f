// NOTIFY. RFC 5465 section 8.

extension IMAPCommandParser {
    mutating func notify() throws(IMAPSyntaxError) -> IMAPNotify {
        if lexer.takeWord("NONE") { return .none }
        guard lexer.takeWord("SET") else { throw .syntax("SET or NONE expected") }
        try lexer.space()
        let status = lexer.takeWord("STATUS")
        if status { try lexer.space() }
        var groups: [IMAPNotifyGroup] = [try notifyGroup()]
        while lexer.takesAnother() { groups.append(try notifyGroup()) }
        return .set(status: status, groups: groups)
    }

    private mutating func notifyGroup() throws(IMAPSyntaxError) -> IMAPNotifyGroup {
        try lexer.openList()
        let mailboxes = try notifyMailboxes()
        try lexer.space()
        var events: [IMAPNotifyEvent] = []
        if lexer.next == .openParenthesis {
            try lexer.list { lexer throws(IMAPSyntaxError) in events.append(try Self.notifyEvent(&lexer)) }
        } else if !lexer.takeWord("NONE") {
            // Without parentheses, as in the examples of RFC 5465 before their errata.
            repeat { events.append(try Self.notifyEvent(&lexer)) } while lexer.takesAnother()
        }
        try lexer.closeList()
        return IMAPNotifyGroup(mailboxes: mailboxes, events: events)
    }

    private mutating func notifyMailboxes() throws(IMAPSyntaxError) -> IMAPNotifyMailboxes {
        switch try lexer.word("mailbox filter") {
        case "SELECTED": .selected
        case "SELECTED-DELAYED": .selectedDelayed
        case "INBOXES": .inboxes
        case "PERSONAL": .personal
        case "SUBSCRIBED": .subscribed
        case "SUBTREE": .subtree(try oneOrMoreMailboxes())
        case "MAILBOXES": .mailboxes(try oneOrMoreMailboxes())
        default: throw .syntax("Unknown mailbox filter")
        }
    }

    private mutating func oneOrMoreMailboxes() throws(IMAPSyntaxError) -> [String] {
        try lexer.space()
        guard lexer.next == .openParenthesis else { return [try lexer.mailbox()] }
        var names: [String] = []
        try lexer.list { lexer throws(IMAPSyntaxError) in names.append(try lexer.mailbox()) }
        return names
    }

    private static func notifyEvent(_ lexer: inout IMAPLexer) throws(IMAPSyntaxError) -> IMAPNotifyEvent {
        let name = try lexer.word("event")
        switch name {
        case "MESSAGENEW":
            guard lexer.nextArgument == .openParenthesis, lexer.takesAnother() else { return .messageNew([]) }
            var items: [IMAPFetchItem] = []
            try lexer.list { lexer throws(IMAPSyntaxError) in items.append(try fetchItem(&lexer)) }
            return .messageNew(items)
        case "MESSAGEEXPUNGE": return .messageExpunge
        case "FLAGCHANGE": return .flagChange
        case "ANNOTATIONCHANGE": return .annotationChange
        case "MAILBOXNAME": return .mailboxName
        case "SUBSCRIPTIONCHANGE": return .subscriptionChange
        case "MAILBOXMETADATACHANGE": return .mailboxMetadataChange
        case "SERVERMETADATACHANGE": return .serverMetadataChange
        default: return .other(name)
        }
    }
}
