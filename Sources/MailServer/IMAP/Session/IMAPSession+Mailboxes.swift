import IMAPCodec
import MailAccess
import ShardFS

// CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE. RFC 9051 sections 6.3.4 to 6.3.8, RFC 6154.

extension IMAPSession {
    /// The attributes of RFC 6154 that a mailbox may be created with.
    static let specialUses = ["\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash"]

    func create(_ mailbox: String, specialUse: [String]) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        let uses = specialUse.map { use in Self.specialUses.first { $0.lowercased() == use.lowercased() } }
        // One mailbox has one use: no client asks for more.
        guard uses.count <= 1, !uses.contains(nil) else { throw .no(.useAttr, "That special use is not supported") }
        let use = uses.first ?? nil
        // A trailing separator only announces that there will be names below (RFC 9051 section 6.3.4).
        let name = mailbox.utf8.last == UInt8(ascii: "/") ? String(mailbox.dropLast()) : mailbox
        try checkNewName(name)
        let id = try await blocking { () throws(StoreError) -> String? in
            let name = try MailboxName(name)
            do throws(StoreError) {
                try mail.create(name, specialUse: use)
            } catch {
                // Another mailbox has that use already.
                if use != nil, error.code == .notAllowed { return nil }
                throw error
            }
            return try mail.mailbox(name).id
        }
        guard let id else { throw .no(.useAttr, "Another mailbox has that special use") }
        try await reportSpelling(name)
        return Completion("CREATE completed", code: .mailboxID(id))
    }

    func delete(_ mailbox: String) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        let (deleted, hasChildren) = try await blocking { () throws(StoreError) -> (String?, Bool) in
            let name = try MailboxName(mailbox)
            let id = try? mail.mailbox(name).id
            do throws(StoreError) {
                try mail.delete(name)
            } catch {
                guard error.code == .notAllowed, !name.isInbox else { throw error }
                return (nil, true)
            }
            return (id, false)
        }
        if hasChildren { throw .no(.hasChildren, "The mailbox has child mailboxes") }
        reportDeletion(mailbox)
        // A client that deletes its selected mailbox needs no further report.
        if case .selected(_, let view) = state, view.mailbox.id == deleted { deselect() }
        return Completion("DELETE completed")
    }

    func rename(_ from: String, to: String) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        try checkNewName(to)
        try await blocking { () throws(StoreError) in try mail.rename(MailboxName(from), to: MailboxName(to)) }
        try await reportSpelling(to, oldName: from)
        return Completion("RENAME completed")
    }

    /// Refuses characters that change the direction of text: with them one name looks like another. Mailboxes that have
    /// them already are reached as any other.
    private func checkNewName(_ name: String) throws(IMAPFailure) {
        guard !name.unicodeScalars.contains(where: \.properties.isBidiControl) else {
            throw .no(.cannot, "A new mailbox name may not contain bidirectional formatting characters")
        }
    }

    func subscribe(_ mailbox: String) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        _ = try await blocking { () throws(StoreError) in try mail.subscribe(MailboxName(mailbox)) }
        return Completion("SUBSCRIBE completed")
    }

    func unsubscribe(_ mailbox: String) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        _ = try await blocking { () throws(StoreError) in try mail.unsubscribe(MailboxName(mailbox)) }
        return Completion("UNSUBSCRIBE completed")
    }

    func namespace() -> Completion {
        respond(.namespace(personal: [IMAPNamespace(prefix: "", separator: "/")], others: [], shared: []))
        return Completion("NAMESPACE completed")
    }
}
