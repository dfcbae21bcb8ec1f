import DurableFiles
import Primitives

// The directories above a mailbox's messages, and the end of writing after a failed sync.

extension Mailbox {
    /// Makes every directory name above the shard's files durable, once per process.
    func syncNames(above shard: ShardDirectory) throws(StoreError) {
        if !shard.nameSynced.withLock({ $0 }) {
            try doing("sync the mailbox directory") { () throws(Errno) in try system.sync(directory) }
            shard.nameSynced.withLock { $0 = true }
        }
        try syncAbove()
    }

    /// Makes the mailbox's own name durable, and those of the levels above it, once per process.
    private func syncAbove() throws(StoreError) {
        let (done, path) = state.withLock { ($0.ancestorsSynced, $0.path) }
        if done || options.durability == .none { return }
        try syncParents()
        try context.syncAncestors()
        // A rename in the meantime has changed the parents.
        state.withLock { if $0.path == path { $0.ancestorsSynced = true } }
    }

    /// Does so before a message is published: it opens directories, and a process without a free descriptor must learn
    /// that while there is nothing to undo. A mailbox that was removed is left to the holder of its lock.
    func syncAboveAhead() throws(StoreError) {
        do { try syncAbove() } catch {
            if error.errno != .notFound { throw breakMailbox(error) }
        }
    }

    /// Syncs each directory above the mailbox's up to the account's. Walks up by `..`, because the mailbox may be
    /// renamed meanwhile, which must not count as a failed sync.
    private func syncParents() throws(StoreError) {
        let top = try doing("stat the account") { () throws(Errno) in try system.status(context.directory).identity }
        var fd = try openParent(of: directory)
        defer { system.close(fd) }
        // As deep as a name can be; for a mailbox outside the account the walk ends at the root.
        for _ in 0...2 * MailboxName.maximumLevels {
            let here = try doing("stat a directory above \(path)") { () throws(Errno) in try system.status(fd) }
            if here.identity == top { return }
            try doing("sync a directory above \(path)") { () throws(Errno) in try system.sync(fd) }
            let next = try openParent(of: fd)
            system.close(fd)
            fd = next
        }
    }

    private func openParent(of fd: Int32) throws(StoreError) -> Int32 {
        try doing("open a directory above \(path)") { () throws(Errno) in try system.openDirectory(fd, "..") }
    }

    /// Refuses writes until the mailbox is reopened: after a failed fsync no written data is known to be on disk.
    ///
    /// - Returns: The error to throw. Where nothing was synced for want of a descriptor nothing is in doubt, and the
    ///   mailbox stays as it is.
    func breakMailbox(_ error: StoreError) -> StoreError {
        if error.isLackOfDescriptors { return error }
        let broken = StoreError(
            .needsReopen, "the mailbox accepts no writes after a failed sync (\(error.message))", errno: error.errno)
        state.withLock { $0.broken = broken }
        return broken
    }
}
