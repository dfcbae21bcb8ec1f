import IMAPCodec
import ShardFS

// Canonical mailbox names, reported to IMAP4rev2 clients. RFC 9051 sections 6.3.2 and 6.3.9.7.

extension IMAPSession {
    /// Sends the LIST response that SELECT has in IMAP4rev2.
    func reportListing(of asked: String) async throws(IMAPFailure) {
        let mail = try account().mail
        let entry = try await blocking { () throws(StoreError) in
            let name = try MailboxName(asked)
            return try MailboxLister.entry(of: name, oldName: name.isSpelt(asked) ? nil : asked, in: mail)
        }
        respond(.list(entry))
    }

    /// Reports the canonical name of a new or renamed mailbox if the client spelled it, or its old name, differently.
    ///
    /// - Parameter oldName: the name that the client knows the mailbox by, if not `asked`.
    func reportSpelling(_ asked: String, oldName: String? = nil) async throws(IMAPFailure) {
        guard isRev2 else { return }
        let mail = try account().mail
        let entry = try await blocking { () throws(StoreError) -> IMAPListEntry? in
            let name = try MailboxName(asked)
            let old = oldName ?? asked
            let isOldKnown = try MailboxName(old).isSpelt(old)
            return isOldKnown && name.isSpelt(asked) ? nil : try MailboxLister.entry(of: name, oldName: old, in: mail)
        }
        if let entry { respond(.list(entry)) }
    }

    /// Reports the canonical name of a deleted mailbox if the client spelled it differently.
    func reportDeletion(_ asked: String) {
        guard isRev2, let name = try? MailboxName(asked), !name.isSpelt(asked) else { return }
        respond(.list(IMAPListEntry(attributes: ["\\NonExistent"], mailbox: name.description, oldName: asked)))
    }
}

extension MailboxName {
    /// Whether `name` is this name octet by octet; String compares by canonical equivalence.
    fileprivate func isSpelt(_ name: String) -> Bool { description.utf8.elementsEqual(name.utf8) }
}

extension MailboxLister {
    /// Returns the LIST response for one mailbox. Blocks.
    static func entry(
        of name: MailboxName, oldName: String?, in mail: Account
    ) throws(StoreError) -> IMAPListEntry {
        let listing = try MailboxLister.listings(of: mail).first { $0.name == name }
        let isSubscribed = try mail.subscriptions().contains(name)
        return IMAPListEntry(
            attributes: attributes(listing, isSubscribed: isSubscribed), mailbox: name.description, oldName: oldName)
    }
}
