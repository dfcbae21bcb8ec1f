import IMAPCodec
import ShardFS

// LIST and LSUB. RFC 9051 section 6.3.9, RFC 5258, RFC 5819, RFC 6154.

extension IMAPSession {
    func list(_ command: IMAPListCommand) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        if !command.isExtended, command.patterns == [""] {
            // Asks for the separator only.
            respond(.list(IMAPListEntry(attributes: ["\\Noselect"], mailbox: "")))
            return Completion("LIST completed")
        }
        if let items = command.returnOptions?.status { try prepareStatus(items) }
        let limit = UInt64(configuration.maxLiteralSize)
        let answers = try await blocking { () throws(StoreError) in
            try MailboxLister(command: command, appendLimit: limit).answers(for: mail)
        }
        for answer in answers {
            respond(answer)
            try await flushIfLarge()
        }
        return Completion("LIST completed")
    }

    func listSubscribed(_ reference: String, _ pattern: String) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        let (names, selectable) = try await blocking { () throws(StoreError) in
            let names = try mail.subscriptions().map(\.description).sorted()
            return (names, Set(try mail.list().filter(\.isSelectable).map(\.name.description)))
        }
        let pattern = ListPattern(reference: reference, pattern)
        var told: Set<String> = []
        for name in names {
            if pattern.matches(name) {
                if told.insert(name).inserted {
                    respond(.lsub(attributes: selectable.contains(name) ? [] : ["\\Noselect"], mailbox: name))
                }
            } else {
                // With `%` a name further down is told by the level that matches (RFC 3501 section 6.3.9).
                for ancestor in pattern.matchingAncestors(of: name) where !names.contains(ancestor) {
                    if told.insert(ancestor).inserted { respond(.lsub(attributes: ["\\Noselect"], mailbox: ancestor)) }
                }
            }
            try await flushIfLarge()
        }
        return Completion("LSUB completed")
    }
}
