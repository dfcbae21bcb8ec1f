import IMAPCodec
import MailAccess
import ShardFS

// REPLACE and UID REPLACE. RFC 8508. The message is received as with APPEND.

extension IMAPSession {
    /// Returns the UID of the message to be replaced.
    ///
    /// - Throws: NO if the message is expunged or the UID does not exist, BAD for a number beyond the last message.
    func target(of replaced: IMAPAppendMessage.Replaced) throws(IMAPFailure) -> UID {
        let view = try selected()
        let last = replaced.byUID ? view.largestUID : UInt32(clamping: view.count)
        let number = replaced.number == IMAPSequenceRange.star ? last : replaced.number
        if replaced.byUID {
            guard number > 0, view.entry(of: number) != nil, !view.isExpungePending(number) else {
                throw .no(.nonexistent, "There is no message with that UID")
            }
            return UID(number)
        }
        guard let uid = view.uid(at: number) else { throw .bad("There is no message with that number") }
        if view.isExpungePending(uid) { throw .expungeIssued }
        return UID(uid)
    }

    /// Checks that the message still exists: nothing may be added when there is nothing left to replace.
    ///
    /// - Throws: NO with EXPUNGEISSUED when the message is gone.
    func checkThere(_ uid: UID) async throws(IMAPFailure) {
        let mailbox = try selected().mailbox
        let isThere = try await blocking { () throws(StoreError) in
            try mailbox.snapshot().messages.entry(of: uid) != nil
        }
        if !isThere { throw .expungeIssued }
    }

    /// Removes the old message once the new one is stored: power may fail between the two, but no message is lost.
    func remove(_ old: UID, replacedBy new: AppendResult, in target: Mailbox) async throws(IMAPFailure) {
        let source = try selected().mailbox
        let uids = new.uid.rawValue...new.uid.rawValue
        // The new message is reported before the old one is removed (RFC 8508 section 3.3).
        respond(
            .status(
                tag: nil, .ok, code: .appendUID(uidValidity: new.uidValidity, uids: [uids]),
                text: "Replacement message ready"))
        try await sendUpdates(expunges: false)
        try await blocking { () throws(StoreError) in
            do throws(StoreError) {
                _ = try source.remove([old])
            } catch {
                // The command fails as a whole.
                _ = try? target.remove([new.uid])
                throw error
            }
        }
    }
}
