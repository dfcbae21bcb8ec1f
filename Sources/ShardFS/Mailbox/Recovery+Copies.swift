import DurableFiles
import Primitives

// Copies made by hand: a directory that was copied has its original's id and UIDVALIDITY. The copy gets its own when it
// is first opened; a mailbox whose original is nowhere to be found (restored, or moved to another disk) keeps them.

extension Recovery {
    /// Gives a copy an id and a UIDVALIDITY of its own; its log is then of another epoch, and made anew.
    func separateCopy(_ locks: MailboxLocks) throws(StoreError) {
        guard try isCopy() else { return }
        // The account's lock precedes a mailbox's.
        let validity = try context.nextUIDValidity(above: 0)
        let hold = try locks.acquire(exclusive: true)
        defer { locks.release(hold) }
        guard try isCopy() else { return }
        // Before status.json: a log of another id and epoch would be taken for evidence against it.
        do { try context.system.unlink(directory, LogFile.fileName) } catch .notFound {} catch {
            throw StoreError.system(error, "remove the log of a copy")
        }
        try context.system.files.hold(Mailbox.statusLockName, in: directory, until: context.deadline) {
            () throws(StoreError) in
            guard let bytes = try context.files.read(MailboxStatus.fileName, in: directory) else { return }
            var status = try MailboxStatus(parsing: bytes)
            // Before status.json: its messages have the keywords of the original's.
            if var keywords = (try? context.files.keywordFile(in: directory)) ?? nil {
                keywords.keywords[validity] = keywords.keywords[status.uidValidity]
                try context.files.publish(keywords.serialized(), as: KeywordFile.fileName, in: directory)
            }
            status.mailboxID = MailboxStatus.randomID()
            status.uidValidity = validity
            // An attribute that the original has as well.
            status.specialUse = nil
            status.epoch = SystemCalls.random(UInt64.self)
            status.clean = nil
            status.place = try place()
            try context.files.publish(status.serialized(), as: MailboxStatus.fileName, in: directory)
        }
        context.options.notice?("the mailbox at \(path) of \(context.name) is a copy and has got an id of its own")
    }

    /// status.json and the log of a mailbox that was not recovered, as they are; nil if they do not belong together.
    func unrecovered() throws(StoreError) -> (MailboxStatus, LogFile)? {
        guard let status = readable(in: directory, "."),
            let log = try LogFile.open(context.system, in: directory, readOnly: true),
            log.epoch == status.epoch, log.openedHeader.mailboxID == status.mailboxID
        else { return nil }
        return (status, log)
    }

    func place() throws(StoreError) -> MailboxPlace {
        let own = try doing("stat the mailbox at \(path)") { () throws(Errno) in
            try context.system.status(directory)
        }
        return MailboxPlace(inode: own.inode, account: context.name)
    }

    private func isCopy() throws(StoreError) -> Bool {
        guard let status = readable(in: directory, "."), let written = status.place, !status.mailboxID.isEmpty else {
            return false
        }
        let own = try place()
        // The same directory, perhaps under another name.
        if written.inode == own.inode { return false }
        let original: Int32
        if written.account == context.name {
            original = context.directory
        } else {
            guard let address = try? AccountAddress(parsing: written.account),
                let fd = try? context.system.openDirectory(context.root.descriptor, Store.path(address))
            else { return false }
            original = fd
        }
        defer { if original != context.directory { context.system.close(original) } }
        // Where a copy of an account finds it.
        if isOriginal(path, in: original, of: status, own) { return true }
        var levels = [AccountContext.below]
        while let parent = levels.popLast() {
            for name in try context.files.names(original, parent) where !name.hasPrefix(".") {
                let path = "\(parent)/\(name)"
                if isOriginal(path, in: original, of: status, own) { return true }
                levels.append("\(path)/\(AccountContext.below)")
            }
        }
        for name in try context.files.names(original, AccountContext.deletedDirectory) {
            if isOriginal("\(AccountContext.deletedDirectory)/\(name)", in: original, of: status, own) { return true }
        }
        return false
    }

    /// Whether the directory at `path` is another one than this, with the same id, and that of which the place tells.
    private func isOriginal(
        _ path: String, in account: Int32, of status: MailboxStatus, _ own: MailboxPlace
    ) -> Bool {
        guard let there = try? context.system.status(account, path), there.isDirectory, there.inode != own.inode,
            let other = readable(in: account, path), other.mailboxID == status.mailboxID
        else { return false }
        return there.inode == status.place?.inode || there.inode == other.place?.inode
    }

    /// The status in a directory; nil if there is none that can be read.
    private func readable(in directory: Int32, _ path: String) -> MailboxStatus? {
        guard let bytes = try? context.files.read("\(path)/\(MailboxStatus.fileName)", in: directory) else {
            return nil
        }
        return try? MailboxStatus(parsing: bytes)
    }
}

extension Mailbox {
    /// Writes down where the mailbox is, if status.json tells of another place or of none. Best effort: the next opening
    /// tries again.
    func notePlace() {
        let known = state.withLock { $0.status.place }
        let own = MailboxPlace(inode: place.inode, account: context.name)
        guard !options.readOnly, !isBroken, known != own else { return }
        _ = try? updateStatus { (status) throws(StoreError) in status.place = own }
    }
}
