import DurableFiles
import Primitives

// What is kept for restoring: expunged messages and deleted mailboxes. It takes room on disk that no quota counts, so
// together it may be as large as the quota, whatever its retention.

/// What a process removed since it looked last whether too much is kept.
struct RemovedSinceLook: Sendable {
    var bytes: UInt64 = 0
    var mailboxes = 0
}

extension Account {
    /// Permanently removes the oldest of what is kept for restoring while it exceeds the quota, or while there are more
    /// deleted mailboxes than an account may have mailboxes.
    /// - Returns: the number of messages and mailboxes removed.
    @discardableResult
    func purgeBeyondQuota() throws(StoreError) -> Int { try context.purgeBeyondQuota() }
}

extension AccountContext {
    /// The part of a limit that may be removed before it is looked whether too much is kept.
    private static let part = 8
    private static let leastBytes: UInt64 = 1 << 20

    /// The expunged messages of an hour in one mailbox, or a deleted mailbox.
    private struct Kept {
        var hour: String
        /// Of the mailbox, or of its directory in `.deleted/`.
        var path: String
        var bytes: UInt64
        var isMailbox: Bool
    }

    /// Records that something was removed and is kept.
    func noteKept(bytes: UInt64, mailboxes: Int = 0) {
        removed.withLock { removed in
            removed.bytes += bytes
            removed.mailboxes += mailboxes
        }
    }

    /// Does what ``purgeBeyondQuota()`` does, if so much was removed since that it may be needed. A purge that fails is
    /// left to the upkeep. No lock may be held.
    func purgeIfMuchIsKept() {
        let since = removed.withLock { $0 }
        let isMany = since.mailboxes > options.maximumMailboxes / Self.part
        guard isMany || since.bytes > Self.leastBytes, let limit = try? quotaLimit.current.bytes else { return }
        guard isMany || limit > 0 && since.bytes > limit / UInt64(Self.part) else { return }
        _ = try? purgeBeyondQuota()
    }

    @discardableResult
    func purgeBeyondQuota() throws(StoreError) -> Int {
        removed.withLock { $0 = RemovedSinceLook() }
        let limit = try quotaLimit.current.bytes
        var kept = try deletedMailboxes(sized: limit > 0)
        var mailboxes = kept.count
        if limit > 0 {
            kept += try expungedHours()
        } else if mailboxes <= options.maximumMailboxes {
            return 0
        }
        var bytes = kept.reduce(UInt64(0)) { $0 + $1.bytes }
        var count = 0
        for oldest in kept.sorted(by: { $0.hour < $1.hour }) {
            let isTooMuch = limit > 0 && bytes > limit
            guard isTooMuch || mailboxes > options.maximumMailboxes else { break }
            if oldest.isMailbox {
                removeTree(oldest.path)
                mailboxes -= 1
                count += 1
            } else if isTooMuch {
                do {
                    // A name that sorts right after this hour.
                    count += try mailbox(path: oldest.path).purgeExpunged(before: oldest.hour + "0")
                } catch {
                    reportUpkeep("purge expunged messages", oldest.path, error)
                }
            } else {
                continue
            }
            bytes -= min(bytes, oldest.bytes)
        }
        return count
    }

    private func expungedHours() throws(StoreError) -> [Kept] {
        var found: [Kept] = []
        try forEachMailbox("list expunged messages") { (path) throws(StoreError) in
            let bin = "\(path)/\(ExpungedName.directory)"
            for hour in try files.names(directory, bin) where ExpungedName.isHour(hour) {
                found.append(Kept(hour: hour, path: path, bytes: try size(of: "\(bin)/\(hour)"), isMailbox: false))
            }
        }
        return found
    }

    private func deletedMailboxes(sized: Bool) throws(StoreError) -> [Kept] {
        var found: [Kept] = []
        for entry in try entries(in: Self.deletedDirectory) {
            let path = "\(Self.deletedDirectory)/\(entry)"
            guard let status = try directoryStatus(path) else { continue }
            found.append(
                Kept(
                    hour: ExpungedName.hour(status.deletedAt), path: path, bytes: sized ? try size(of: path) : 0,
                    isMailbox: true))
        }
        return found
    }

    /// The bytes of all files below a directory.
    private func size(of path: String) throws(StoreError) -> UInt64 {
        var bytes: UInt64 = 0
        var open = [path]
        while let next = open.popLast() {
            for name in try files.names(directory, next) {
                guard let status = try? system.status(directory, "\(next)/\(name)") else { continue }
                if status.isDirectory {
                    open.append("\(next)/\(name)")
                } else {
                    bytes += UInt64(clamping: status.size)
                }
            }
        }
        return bytes
    }
}

extension FileStatus {
    /// The time of a mailbox's deletion, of its directory in `.deleted/`: the later of two, because a directory put there
    /// by hand keeps its old modification time. Seconds since 1970 UTC.
    var deletedAt: Int64 { max(modified, changed) / 1_000_000_000 }
}
