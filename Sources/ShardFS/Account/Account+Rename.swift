import DurableFiles
import Glibc
import Primitives

extension Account {
    /// Renames a mailbox and all below it, by one rename(2): at every instant the whole tree has the old name or the
    /// new one. Missing levels above the new name are made. Durable when it returns.
    ///
    /// This process's users of the mailboxes follow; those of other processes get `gone` and look the name up again.
    /// Subscriptions stay as they are (RFC 9051, 6.3.6).
    ///
    /// INBOX itself stays: its messages are moved to a new mailbox of the name, and what is below INBOX stays too.
    /// That is no single step: when it is cut off, some messages have moved.
    /// - Throws: `exists`; `notFound`; `notAllowed` for a new name below the old one; `limit` when a name below would
    ///   become too long; `busy`, `readOnly`, `noSpace`, `system`.
    public func rename(_ old: MailboxName, to new: MailboxName) throws(StoreError) {
        try context.checkWritable()
        if old.isInbox { return try renameInbox(to: new) }
        if new.isInbox { throw StoreError(.exists, "the mailbox INBOX exists already") }
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
            // No room for them twice: they stay with INBOX (RFC 5464, 4.1).
            if error.code != .limit { throw error }
        }
        var uids: [UID] = []
        try inbox.snapshot().messages.forEach { uids.append($0.uid) }
        _ = try inbox.move(uids, to: target)
    }
}

extension AccountContext {
    /// The account's lock is held.
    ///
    /// UIDVALIDITY stays with the mailboxes. No two mailboxes of an account, those that are gone included, ever have
    /// the same value: so whoever knew another mailbox by the new name sees that this is not it.
    fileprivate func renameTree(_ old: MailboxName, _ new: MailboxName) throws(StoreError) {
        let from = old.relativePath
        let to = new.relativePath
        guard let source = try directoryStatus(from) else { throw StoreError(.notFound, "there is no mailbox \(old)") }
        var replacing = !can(.renameNoReplace)
        let isTaken = try has(to)
        if isTaken || old == new {
            // Where a file system does not tell letter case, both may be one directory.
            guard old != new, try directoryStatus(to)?.identity == source.identity else {
                throw StoreError(.exists, "the mailbox \(new) exists already")
            }
            replacing = true
        }
        let below = try levels(below: from)
        for path in below { try checkFits(path, from, old, new) }
        let mailboxes = try mailboxes(among: [from] + below)
        if let parent = new.parent { try makeMissing(parent) }
        let targetParent = Self.parent(of: to)
        do { try system.makeDirectory(directory, targetParent) } catch .exists {} catch {
            throw StoreError.system(error, "make \(targetParent)")
        }
        // Whoever made it may have died before this.
        try syncDirectory(Self.parent(of: targetParent))
        try treeLocked(mailboxes) { () throws(StoreError) in
            try doing("rename \(old) to \(new)") { () throws(Errno) in
                try system.rename(directory, from, directory, to, replacing: replacing)
            }
            follow(from, to)
        }
        try syncDirectory(targetParent)
        try syncDirectory(Self.parent(of: from))
    }

    /// Tells the open mailboxes of a tree where they are now.
    private func follow(_ from: String, _ to: String) {
        for mailbox in open.withLock({ $0.values.compactMap(\.mailbox) }) {
            let path = mailbox.path
            if path == from || path.hasPrefix(from + "/") { mailbox.moved(to: to + path.dropFirst(from.count)) }
        }
    }

    /// A level below that the new name would make too long or too deep could not be reached any more.
    private func checkFits(
        _ path: String, _ from: String, _ old: MailboxName, _ new: MailboxName
    ) throws(StoreError) {
        var name = old
        for (i, part) in path.utf8.dropFirst(from.utf8.count + 1).split(separator: 0x2F).enumerated() where i % 2 == 1 {
            // What no name leads to now may stay so.
            guard let next = MailboxName(directoryName: part, in: name) else { return }
            name = next
        }
        _ = try name.renamed(from: old, to: new)
    }
}
