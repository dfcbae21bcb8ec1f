import DurableFiles
import Glibc
import Primitives

extension Account {
    /// Renames a mailbox and everything below it with one rename(2): at every instant the whole tree has either the old
    /// name or the new one. Creates missing levels above the new name. Durable on return.
    ///
    /// Users of the mailboxes in this process follow the rename; those in other processes get `gone` and look the name
    /// up again. Subscriptions are unchanged (RFC 9051, 6.3.6).
    ///
    /// INBOX itself stays: its messages move to a new mailbox of the given name, and everything below INBOX stays too.
    /// This is not atomic: after an interruption, some messages have moved.
    /// - Throws: `exists`; `notFound`; `notAllowed` for a new name below the old one; `limit` if a name below would
    ///   become too long or too deep, or for more missing levels than the account may have; `busy`, `readOnly`, `noSpace`, `system`.
    public func rename(_ old: MailboxName, to new: MailboxName) throws(StoreError) {
        try context.checkWritable()
        if old.isInbox { return try renameInbox(to: new) }
        if new.isInbox { throw StoreError(.exists, "the mailbox INBOX already exists") }
        if new.isDescendant(of: old) { throw StoreError(.notAllowed, "\(old) cannot be moved below itself") }
        try context.shapeLocked { () throws(StoreError) in
            try context.finishDeletions()
            try context.renameTree(old, new)
        }
        treeChanged()
    }

    private func renameInbox(to new: MailboxName) throws(StoreError) {
        let inbox = try mailbox(.inbox)
        try create(new)
        let target = try mailbox(new)
        do throws(StoreError) {
            try context.annotations.copy(from: .mailbox(inbox.id), to: .mailbox(target.id), until: context.deadline)
        } catch {
            // No room for a second copy: they stay with INBOX (RFC 5464, 4.1).
            if error.code != .limit { throw error }
        }
        var uids: [UID] = []
        try inbox.snapshot().messages.forEach { uids.append($0.uid) }
        _ = try inbox.move(uids, to: target)
    }
}

extension AccountContext {
    /// Renames a tree under the account's lock, which the caller holds.
    ///
    /// Mailboxes keep their UIDVALIDITY. No two mailboxes of an account, past ones included, ever share a value, so a
    /// client that knew another mailbox by the new name sees that this is a different one.
    fileprivate func renameTree(_ old: MailboxName, _ new: MailboxName) throws(StoreError) {
        let from = old.relativePath
        let to = new.relativePath
        guard let source = try directoryStatus(from) else { throw StoreError(.notFound, "there is no mailbox \(old)") }
        var replacing = !can(.renameNoReplace)
        let isTaken = try has(to)
        if isTaken || old == new {
            // On a case-insensitive file system both may be one directory.
            guard old != new, try directoryStatus(to)?.identity == source.identity else {
                throw StoreError(.exists, "the mailbox \(new) already exists")
            }
            replacing = true
        }
        let below = try levels(below: from)
        for path in below { try checkFits(path, from, old, new) }
        let mailboxes = try mailboxes(among: [from] + below)
        if let parent = new.parent {
            try takeLevels(try missingLevels(parent).count)
            try makeMissing(parent)
        }
        let targetParent = Self.parent(of: to)
        do { try system.makeDirectory(directory, targetParent) } catch .exists {} catch {
            throw StoreError.system(error, "create \(targetParent)")
        }
        try syncLevels(above: targetParent)
        try treeLocked(mailboxes) { () throws(StoreError) in
            try doing("rename \(old) to \(new)") { () throws(Errno) in
                try system.rename(directory, from, directory, to, replacing: replacing)
            }
            follow(from, to)
        }
        try syncDirectory(targetParent)
        try syncDirectory(Self.parent(of: from))
    }

    /// Updates the paths of the open mailboxes in a renamed tree.
    private func follow(_ from: String, _ to: String) {
        for mailbox in open.withLock({ $0.values.compactMap(\.mailbox) }) {
            let path = mailbox.path
            if path == from || path.hasPrefix(from + "/") { mailbox.moved(to: to + path.dropFirst(from.count)) }
        }
    }

    /// Throws `limit` for a level below whose new name would be too long or too deep to be reached.
    private func checkFits(
        _ path: String, _ from: String, _ old: MailboxName, _ new: MailboxName
    ) throws(StoreError) {
        var name = old
        for (i, part) in path.utf8.dropFirst(from.utf8.count + 1).split(separator: 0x2F).enumerated() where i % 2 == 1 {
            // Directories that no name leads to may stay so.
            guard let next = MailboxName(directoryName: part, in: name) else { return }
            name = next
        }
        _ = try name.renamed(from: old, to: new)
    }
}
