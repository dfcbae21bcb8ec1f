import DurableFiles
import Glibc
import Primitives

extension Account {
    /// Creates a mailbox and any missing levels above it; durable on return.
    ///
    /// An existing level without messages (\Noselect) becomes a mailbox again.
    /// - Parameter specialUse: an attribute of RFC 6154 with its backslash, such as `\Sent`.
    /// - Throws: `exists`; `invalidArgument` for an unknown use, or any use for INBOX; `notAllowed` for a use assigned
    ///   to another mailbox; `limit` at ``StoreOptions/maximumMailboxes``; `noSpace`, `busy`, `readOnly`, `system`.
    public func create(_ name: MailboxName, specialUse: String? = nil) throws(StoreError) {
        try context.checkWritable()
        let use = specialUse.flatMap { SpecialUse(parsing: $0) }
        if let specialUse, use == nil || name.isInbox {
            throw StoreError(.invalidArgument, "\(name) cannot have the special use \(specialUse.debugDescription)")
        }
        try context.shapeLocked { () throws(StoreError) in
            try context.finishDeletions()
            if try context.isSelectable(name) { throw StoreError(.exists, "the mailbox \(name) already exists") }
            if let use, let other = try context.holder(of: use, except: name) {
                throw StoreError(.notAllowed, "the special use \(use) is already assigned to \(other)")
            }
            try context.takeLevels(context.missingLevels(name).count, always: name.isInbox)
            if let parent = name.parent { try context.makeMissing(parent) }
            try context.makeMailbox(name, specialUse: use?.description)
            if context.options.durability != .none { try context.syncAncestors() }
        }
        treeChanged()
    }
}

extension AccountContext {
    /// Runs `body` under the account's lock, which guards the shape of the mailbox tree.
    func shapeLocked<R>(_ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        try system.files.hold(UIDValidityCounter.lockName, in: directory, until: deadline) { () throws(StoreError) in
            try checkInPlace()
            return try body()
        }
    }

    /// Whether a mailbox of that name can hold messages; false for a level without messages.
    func isSelectable(_ name: MailboxName) throws(StoreError) -> Bool {
        guard try directoryStatus(name.relativePath) != nil else { return false }
        return try holdsMailbox(name.relativePath)
    }

    /// Creates the missing levels down to `name` as mailboxes; existing levels are unchanged.
    func makeMissing(_ name: MailboxName) throws(StoreError) {
        for level in try missingLevels(name).reversed() { try makeMailbox(level, specialUse: nil) }
    }

    /// The missing levels down to `name`, the lowest first.
    func missingLevels(_ name: MailboxName) throws(StoreError) -> [MailboxName] {
        var missing: [MailboxName] = []
        var level: MailboxName? = name
        while let at = level {
            if try has(at.relativePath) { break }
            missing.append(at)
            level = at.parent
        }
        return missing
    }

    func has(_ path: String) throws(StoreError) -> Bool {
        do {
            _ = try system.status(directory, path)
            return true
        } catch .notFound {
            return false
        } catch {
            throw StoreError.system(error, "stat \(path)")
        }
    }

    /// Creates one level, whose parents exist. The account's lock is held.
    func makeMailbox(_ name: MailboxName, specialUse: String?) throws(StoreError) {
        let path = name.relativePath
        let validity = try counter.nextUnderLock { () throws(StoreError) in try highestUIDValidity() }
        if try has(path) {
            // A level without messages becomes a mailbox again; the locks keep others from recovering it meanwhile.
            if try isMarked(path) { try clearMarked(path) }
            try treeLocked([path]) { () throws(StoreError) in
                let fd = try doing("open \(path)") { () throws(Errno) in try system.openDirectory(directory, path) }
                defer { system.close(fd) }
                _ = try makeMailboxFiles(in: fd, uidValidity: validity, specialUse: specialUse)
            }
            return try syncLevels(above: path)
        }
        let parent = String(path[..<path.lastIndex(of: "/")!])
        do { try system.makeDirectory(directory, parent) } catch .exists {} catch {
            throw StoreError.system(error, "create \(parent)")
        }
        let hidden = "\(parent)/\(Self.newPrefix)\(Hex.encode(SystemCalls.random(UInt64.self)))"
        try doing("create \(hidden)") { () throws(Errno) in try system.makeDirectory(directory, hidden) }
        do throws(StoreError) {
            let fd = try doing("open \(hidden)") { () throws(Errno) in try system.openDirectory(directory, hidden) }
            defer { system.close(fd) }
            _ = try makeMailboxFiles(in: fd, uidValidity: validity, specialUse: specialUse)
            // rename(2) never replaces a non-empty directory, so a plain rename is safe too.
            try doing("put the mailbox \(name) in place") { () throws(Errno) in
                try system.rename(directory, hidden, directory, path, replacing: !can(.renameNoReplace))
            }
        } catch {
            removeTree(hidden)
            throw error
        }
        try syncDirectory(parent)
        try syncLevels(above: parent)
    }

    /// fsync of every directory above `path` up to the account's: whoever created them may have died before it.
    func syncLevels(above path: String) throws(StoreError) {
        var path = path
        while path != "." {
            path = Self.parent(of: path)
            try syncDirectory(path)
        }
    }

    /// Removes a directory that no mailbox name leads to, as far as possible.
    func removeTree(_ path: String) { files.removeTree(directory, path) }
}
