import DurableFiles
import Glibc
import Primitives

/// A deleted mailbox, kept in `.deleted/` until its retention ends.
public struct DeletedMailbox: Hashable, Sendable {
    /// Its directory's name in `.deleted/`: the mailbox's id, with a suffix if that was taken.
    public var directory: String
    /// The mailbox's name before the deletion; nil if the note of it is missing.
    public var name: MailboxName?
    /// Seconds since 1970 UTC.
    public var deletedAt: Int64
}

extension Account {
    /// Deletes a mailbox with its messages, durably. It is kept in `.deleted/` until its retention ends.
    ///
    /// A mailbox with others below it stays as a level without messages (\Noselect); such a level can be deleted once
    /// nothing is below it any more (RFC 9051, 6.3.5). Users of the open mailbox get `gone` from then on. After an
    /// error or a kill the mailbox is either complete or deleted, and the next change or listing of the tree finishes
    /// the deletion.
    /// - Throws: `notAllowed` for INBOX and for a level that has others below it; `notFound`, `busy`, `readOnly`,
    ///   `noSpace`, `system`.
    public func delete(_ name: MailboxName) throws(StoreError) {
        try context.checkWritable()
        if name.isInbox { throw StoreError(.notAllowed, "INBOX cannot be deleted") }
        let path = name.relativePath
        // Its directory in `.deleted/` needs room.
        if context.room.isBelowFloor { context.room.giveUpReserve() }
        // Opened before the account's lock is taken, since recovery may need that lock for a UIDVALIDITY.
        let mailbox = try openForDelete(path)
        let gone = try context.shapeLocked { () throws(StoreError) -> Mailbox? in
            try context.finishDeletions()
            guard (try context.directoryStatus(path)) != nil else {
                throw StoreError(.notFound, "there is no mailbox \(name)")
            }
            guard try context.holdsMailbox(path) else {
                try context.deleteLevel(name, path)
                return nil
            }
            let open = context.known(at: path)
            try context.deleteMailbox(name, path, open)
            return open
        }
        if try !context.has(path) { context.noteLevelGone() }
        for mailbox in [mailbox, gone] {
            guard let mailbox else { continue }
            forget(mailbox)
            // Its users check it and find it gone.
            mailbox.notify()
        }
        treeChanged()
        context.purgeIfMuchIsKept()
    }

    /// Opens a mailbox for deletion; nil if it cannot be opened, which does not prevent its deletion.
    private func openForDelete(_ path: String) throws(StoreError) -> Mailbox? {
        do { return try context.mailbox(path: path) } catch {
            if error.code == .busy { throw error }
            return nil
        }
    }

    /// The mailboxes in `.deleted/`, the latest first.
    public func deletedMailboxes() throws(StoreError) -> [DeletedMailbox] {
        var found: [DeletedMailbox] = []
        for entry in try context.entries(in: AccountContext.deletedDirectory) {
            let path = "\(AccountContext.deletedDirectory)/\(entry)"
            guard let status = try context.directoryStatus(path) else { continue }
            let bytes = try? context.files.read("\(path)/\(AccountContext.deletedNote)", in: context.directory)
            let note = bytes.flatMap { try? JSONValue.stored($0, name: AccountContext.deletedNote) }
            found.append(
                DeletedMailbox(
                    directory: entry, name: (note?["name"]?.string).flatMap { try? MailboxName($0) },
                    deletedAt: status.deletedAt))
        }
        return found.sorted { ($1.deletedAt, $0.directory) < ($0.deletedAt, $1.directory) }
    }

    /// Permanently removes deleted mailboxes past the store's retention; returns their number.
    @discardableResult
    public func purgeDeleted() throws(StoreError) -> Int {
        try context.checkWritable()
        try context.shapeLocked { () throws(StoreError) in try context.finishDeletions() }
        let end = context.now - context.retentionSeconds
        var count = 0
        for deleted in try deletedMailboxes() where deleted.deletedAt < end {
            let path = "\(AccountContext.deletedDirectory)/\(deleted.directory)"
            context.removeTree(path)
            if try !context.has(path) { count += 1 }
        }
        return count
    }
}

extension AccountContext {
    func checkWritable() throws(StoreError) {
        if options.readOnly { throw StoreError(.readOnly, "the store was opened read-only") }
    }

    /// Seconds for which expunged messages and deleted mailboxes are kept.
    var retentionSeconds: Int64 { Int64(max(0, min(options.expungeRetentionHours, 1 << 30))) * 3600 }

    /// The status of a directory; nil if there is none at that path.
    func directoryStatus(_ path: String) throws(StoreError) -> FileStatus? {
        do {
            let status = try system.status(directory, path)
            return status.isDirectory ? status : nil
        } catch .notFound {
            return nil
        } catch .notDirectory {
            return nil
        } catch {
            throw StoreError.system(error, "stat \(path)")
        }
    }
}
