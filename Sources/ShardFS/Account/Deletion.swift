import DurableFiles
import Glibc
import Primitives

// Deletion of mailboxes. The account's lock is held throughout this file.
//
// A deletion in progress has a directory `.deleted/.{id}`, created before its commit or by it, until its quota has been
// released; then the directory becomes `.deleted/{id}`. A hidden directory there shows the next holder of the account's
// lock that a deletion was interrupted: it finishes the deletion, and the quota is recounted.
//
// Without mailboxes below, the commit is the rename of the mailbox's directory to `.deleted/.{id}`. With mailboxes
// below, the directory stays, and the commit is the rename of changes.log to `.deleting.log` in it: from then on every
// taker of the mailbox's lock finds no log, and so learns that the mailbox is gone (status.json would not show it,
// since writers do not read it). Everything else is moved to `.deleted/.{id}`, the marked log last, durably in that
// order: a directory without the mark holds either all of the mailbox or none of it.

extension AccountContext {
    static let deletedDirectory = ".deleted"
    /// In a deleted mailbox: its former name and the time of its deletion.
    static let deletedNote = "deleted.json"

    /// Deletes the mailbox at `path`.
    /// - Parameter mailbox: the open mailbox; nil if it cannot be opened, so that its usage is unknown.
    func deleteMailbox(_ name: MailboxName, _ path: String, _ mailbox: Mailbox?) throws(StoreError) {
        try makeDeletedDirectory()
        let stage = Self.stage(mailbox?.id ?? MailboxStatus.randomID())
        if try hasBelow(path) {
            try doing("create \(stage)") { () throws(Errno) in try system.makeDirectory(directory, stage) }
            try syncDirectory(Self.deletedDirectory)
            try exclusively(path, mailbox) { (used) throws(StoreError) in
                try markDeleted(path)
                try release(used)
                try moveRest(path, stage)
            }
        } else {
            try exclusively(path, mailbox) { (used) throws(StoreError) in
                try moveAway(path, stage)
                try release(used)
            }
            try syncDirectory(Self.deletedDirectory)
            try syncDirectory(Self.parent(of: path))
        }
        try finish(stage, name)
    }

    /// Removes a level without messages that has nothing below it.
    func deleteLevel(_ name: MailboxName, _ path: String) throws(StoreError) {
        if try hasBelow(path) {
            // RFC 9051, 6.3.5.
            throw StoreError(.notAllowed, "\(name) holds no messages itself and has child mailboxes")
        }
        try makeDeletedDirectory()
        let stage = Self.stage(MailboxStatus.randomID())
        try moveAway(path, stage)
        try syncDirectory(Self.deletedDirectory)
        try syncDirectory(Self.parent(of: path))
        try finish(stage, name)
    }

    /// Finishes interrupted deletions.
    func finishDeletions() throws(StoreError) {
        let staged = try stages()
        guard !staged.isEmpty else { return }
        try ledger.markRecount()
        var unused = staged[...]
        for path in try levels() where try isMarked(path) {
            try clearMarked(path, into: unused.popFirst())
        }
        for stage in try stages() { try finish(stage, nil) }
    }

    /// Moves the remains of a deleted mailbox out of its directory.
    func clearMarked(_ path: String, into known: String? = nil) throws(StoreError) {
        let stage = known ?? Self.stage(MailboxStatus.randomID())
        if known == nil {
            try makeDeletedDirectory()
            try doing("create \(stage)") { () throws(Errno) in try system.makeDirectory(directory, stage) }
        }
        // A known one may be of a deletion that died before its fsync.
        try syncDirectory(Self.deletedDirectory)
        try treeLocked([path]) { () throws(StoreError) in try moveRest(path, stage) }
    }

    /// Whether the directory holds a mailbox with a committed deletion.
    func isMarked(_ path: String) throws(StoreError) -> Bool {
        guard try has("\(path)/\(Self.deletionMark)") else { return false }
        return try !has("\(path)/\(LogFile.fileName)")
    }

    // MARK: steps

    private static func stage(_ id: String) -> String { "\(deletedDirectory)/.\(id)" }

    private func stages() throws(StoreError) -> [String] {
        try system.files.names(directory, Self.deletedDirectory).filter { $0.hasPrefix(".") }.sorted()
            .map { "\(Self.deletedDirectory)/\($0)" }
    }

    private func makeDeletedDirectory() throws(StoreError) {
        do { try system.makeDirectory(directory, Self.deletedDirectory) } catch .exists {} catch {
            throw StoreError.system(error, "create \(Self.deletedDirectory)")
        }
        // Whoever created it may have died before this.
        try syncDirectory(".")
    }

    private func exclusively(
        _ path: String, _ mailbox: Mailbox?,
        _ body: ((bytes: UInt64, messages: Int)?) throws(StoreError) -> Void
    ) throws(StoreError) {
        guard let mailbox else {
            return try treeLocked([path]) { () throws(StoreError) in
                try ledger.markRecount()
                try body(nil)
            }
        }
        try mailbox.locked(exclusive: true) { () throws(StoreError) in try body(mailbox.used()) }
    }

    /// Called after the commit: a kill in between leaves a count that is too high, and the stage that shows it.
    private func release(_ used: (bytes: UInt64, messages: Int)?) throws(StoreError) {
        noteKept(bytes: used?.bytes ?? 0, mailboxes: 1)
        if let used { try ledger.release(bytes: used.bytes, messages: used.messages) }
    }

    private func markDeleted(_ path: String) throws(StoreError) {
        let mark = "\(path)/\(Self.deletionMark)"
        do {
            try system.rename(directory, "\(path)/\(LogFile.fileName)", directory, mark, replacing: true)
        } catch .notFound {
            // No log to mark: create an empty one.
            system.close(
                try doing("create \(mark)") { () throws(Errno) in
                    try system.open(directory, mark, O_RDWR | O_CREAT | O_NOFOLLOW)
                })
        } catch {
            throw StoreError.system(error, "delete the mailbox at \(path)")
        }
        try syncDirectory(path)
    }

    private func moveRest(_ path: String, _ stage: String) throws(StoreError) {
        // Ceilings and keywords are written without the mailbox's lock, so their own lock must keep a new status.json
        // out.
        try system.files.hold("\(path)/\(Mailbox.statusLockName)", in: directory, until: deadline) {
            () throws(StoreError) in
            for name in try system.files.names(directory, path)
            where name != Self.below && name != Self.deletionMark && !Self.fixtures.contains(name) {
                try moveAside("\(path)/\(name)", to: "\(stage)/\(name)")
            }
        }
        try syncDirectory(stage)
        try syncDirectory(path)
        try moveAside("\(path)/\(Self.deletionMark)", to: "\(stage)/\(LogFile.fileName)")
        try syncDirectory(stage)
        try syncDirectory(path)
    }

    private func moveAway(_ path: String, _ stage: String) throws(StoreError) {
        // rename(2) never replaces a non-empty directory, so a plain rename is safe too.
        try doing("delete \(path)") { () throws(Errno) in
            try system.rename(directory, path, directory, stage, replacing: !can(.renameNoReplace))
        }
    }

    /// Renames without ever replacing: a taken name gets a suffix. Under the account's lock nobody takes it between
    /// check and rename.
    private func moveAside(_ from: String, to: String) throws(StoreError) {
        var target = to
        var suffix = 1
        while try has(target) {
            target = "\(to).\(suffix)"
            suffix += 1
        }
        try doing("move \(from) away") { () throws(Errno) in
            try system.rename(directory, from, directory, target, replacing: true)
        }
    }

    /// The last step: from here on only the retention matters.
    private func finish(_ stage: String, _ name: MailboxName?) throws(StoreError) {
        guard let slash = stage.lastIndex(of: "/") else { return }
        if try isShell(stage) { return removeTree(stage) }
        let fd = try doing("open \(stage)") { () throws(Errno) in try system.openDirectory(directory, stage) }
        defer { system.close(fd) }
        if let name {
            let note = JSONValue.object(["name": .string(name.description), "deleted_at": .integer(now)])
            try files.publish(note.storable(), as: Self.deletedNote, in: fd)
        }
        // Not every file system updates the times of a renamed directory.
        try doing("set the time of \(stage)") { () throws(Errno) in try system.setModified(fd, now) }
        let id = stage[slash...].dropFirst(2)
        try moveAside(stage, to: "\(Self.deletedDirectory)/\(id.isEmpty ? "unnamed" : id)")
        try syncDirectory(Self.deletedDirectory)
    }

    /// Whether a directory holds nothing worth keeping.
    private func isShell(_ path: String) throws(StoreError) -> Bool {
        for name in try system.files.names(directory, path) where !Self.fixtures.contains(name) {
            if name == StagingArea.directoryName { continue }
            guard name == Self.below, try !hasBelow(path) else { return false }
        }
        return true
    }
}

extension Mailbox {
    /// The messages' share of the account's quota. Exclusive lock.
    func used() -> (bytes: UInt64, messages: Int) {
        let list = state.withLock { $0.view.list }
        return (list.totals.octets, list.count)
    }
}
