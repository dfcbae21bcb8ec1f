import IMAPCodec
import ShardFS

// LIST and LSUB. RFC 9051 section 6.3.9, RFC 5258, RFC 5819, RFC 6154.

extension IMAPSession {
    func list(_ command: IMAPListCommand) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        if !command.isExtended, command.patterns == [""] {
            // The client asks for the separator only.
            respond(.list(IMAPListEntry(attributes: ["\\Noselect"], mailbox: "")))
            return Completion("LIST completed")
        }
        if let items = command.returnOptions?.status { try prepareStatus(items) }
        let limit = UInt64(configuration.maxLiteralSize)
        beginProgress(goal: 1)
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
        beginProgress(goal: 1)
        let answers = try await blocking { () throws(StoreError) in
            try MailboxLister.subscribed(reference, pattern, of: mail)
        }
        for answer in answers {
            respond(answer)
            try await flushIfLarge()
        }
        return Completion("LSUB completed")
    }
}
