import DurableFiles
import Glibc
import Primitives

// Counting an account's messages. Mailboxes are counted one after the other, each under its own lock; none is opened or
// recovered for it, so that a few descriptors are enough for any number of them and one that cannot be opened keeps no
// mail from the others. A count holds as long as the mailbox's log is the same: who adds or removes a message writes to
// the log before the ledger. So the ledger is set while it is locked and no log has changed; the few mailboxes that
// changed in between are counted again, in the end under their locks.

/// A mailbox's messages when its log ended there.
private struct MailboxCount {
    var log: FileIdentity?
    var end: Int64
    var bytes: UInt64 = 0
    var messages = 0
    var isExact = true
}

extension AccountContext {
    /// Mailboxes that are locked at once in the end.
    private static let lockedAtOnce = 64
    /// Rounds after which the count is taken as it is.
    private static let rounds = 16

    /// Recounts the account's messages. No lock of it may be held.
    /// - Throws: `busy` if a mailbox was in use throughout: the ledger has an estimate then, and still needs a recount.
    func recountQuota() throws(StoreError) {
        var counts: [String: MailboxCount] = [:]
        for path in try mailboxPaths() { counts[path] = try count(path) }
        for round in 1...Self.rounds {
            let (isDone, changed) = try shapeLocked { () throws(StoreError) in
                try settleCounts(&counts, isLast: round == Self.rounds)
            }
            if isDone {
                if counts.values.allSatisfy(\.isExact) { return }
                throw StoreError(.busy, "the messages of \(name) could not be counted: a mailbox is in use")
            }
            for path in changed { counts[path] = try count(path) }
        }
    }

    /// Sets the ledger if the counts hold, those of a few mailboxes taken again. Else the mailboxes that have changed.
    /// The account's lock is held.
    private func settleCounts(
        _ counts: inout [String: MailboxCount], isLast: Bool
    ) throws(StoreError) -> (isDone: Bool, changed: [String]) {
        let paths = try mailboxPaths()
        let there = Set(paths)
        counts = counts.filter { there.contains($0.key) }
        let changed = paths.filter { path in !(counts[path].map { isCurrent($0, path) } ?? false) }
        guard changed.count <= Self.lockedAtOnce || isLast else { return (false, changed) }
        let locked = Array(changed.prefix(Self.lockedAtOnce))
        var now = counts
        do throws(StoreError) {
            return (
                try treeLocked(locked) { () throws(StoreError) in
                    for path in locked { now[path] = countNames(path) }
                    return try setLedger(now, besides: Set(locked), always: isLast)
                }, changed
            )
        } catch {
            guard error.code == .busy, isLast else { throw error }
            return (try setLedger(counts, besides: [], always: true), [])
        }
    }

    private func setLedger(
        _ counts: [String: MailboxCount], besides locked: Set<String>, always: Bool
    ) throws(StoreError) -> Bool {
        var bytes: UInt64 = 0
        var messages = 0
        for count in counts.values {
            bytes = bytes.addingReportingOverflow(count.bytes).partialValue
            messages += count.messages
        }
        return try ledger.set(
            bytes: bytes, messages: messages, isExact: counts.values.allSatisfy(\.isExact)
        ) { () throws(StoreError) in
            always || counts.allSatisfy { locked.contains($0.key) || isCurrent($0.value, $0.key) }
        }
    }

    private func isCurrent(_ count: MailboxCount, _ path: String) -> Bool {
        let log = try? system.status(directory, "\(path)/\(LogFile.fileName)")
        return log?.identity == count.log && log?.size ?? 0 == count.end
    }

    /// Counts one mailbox under its lock; nil if it is gone.
    private func count(_ path: String) throws(StoreError) -> MailboxCount? {
        do throws(StoreError) {
            if let known = known(at: path) {
                return try known.locked(exclusive: true) { () throws(StoreError) in
                    let totals = known.state.withLock { $0.view.list.totals }
                    var count = emptyCount(path)
                    count.bytes = totals.octets
                    count.messages = known.state.withLock { $0.view.list.count }
                    return count
                }
            }
            return try treeLocked([path]) { () throws(StoreError) in countNames(path) }
        } catch {
            if error.code == .gone || error.code == .notFound || error.errno == .notFound { return nil }
            options.notice?("\(path) of \(name) is counted without its lock: \(error.message)")
            var count = countNames(path)
            count.isExact = error.code != .busy
            return count
        }
    }

    private func emptyCount(_ path: String) -> MailboxCount {
        let log = try? system.status(directory, "\(path)/\(LogFile.fileName)")
        return MailboxCount(log: log?.identity, end: log?.size ?? 0)
    }

    /// Counts a mailbox by its names; what cannot be read counts for nothing. The mailbox's lock is held.
    private func countNames(_ path: String) -> MailboxCount {
        var count = emptyCount(path)
        do throws(StoreError) {
            var shards: [UInt32] = []
            try system.files.forEach(directory, path) { name, _ in
                if let number = ShardName.parse(name) { shards.append(number) }
            }
            for number in shards { try countShard(number, path, &count) }
        } catch {
            options.notice?("a part of \(path) of \(name) is not counted: \(error.message)")
        }
        return count
    }

    private func countShard(_ number: UInt32, _ path: String, _ count: inout MailboxCount) throws(StoreError) {
        let fd: Int32
        do { fd = try system.openDirectory(directory, "\(path)/\(ShardName.string(number))") } catch .notFound {
            return
        } catch .notDirectory {
            return
        } catch {
            throw StoreError.system(error, "open the shard \(ShardName.string(number))")
        }
        defer { system.close(fd) }
        var seen: Set<UInt32> = []
        var files: [String] = []
        try system.files.forEach(fd, ".") { name, _ in
            guard let message = MessageFileName.parse(name), message.uid / UID.perShard == number,
                seen.insert(message.uid).inserted
            else { return }
            files.append(String(decoding: name, as: UTF8.self))
        }
        for file in files {
            guard let status = try? system.status(fd, file), status.isRegularFile else { continue }
            count.bytes += UInt64(clamping: status.size)
            count.messages += 1
        }
    }
}
