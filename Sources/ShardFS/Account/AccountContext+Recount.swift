import DurableFiles
import Glibc
import Primitives

// Counting an account's messages. Mailboxes are counted one after the other, so that a few descriptors are enough for
// any number of them. A count holds as long as the mailbox's log is the same: every writer writes to it before the
// ledger. So the sum is exact if, with the ledger locked, every log still ends where it was counted. Mailboxes that have
// changed are counted again; those that keep changing are locked while the ledger is set.

/// A mailbox's messages up to the end of its log.
struct MailboxCount {
    /// A log, and its end.
    struct Log: Equatable {
        var identity: FileIdentity
        var size: Int64
        /// An inode may be used again by a later log of the same size.
        var changed: Int64

        init(_ status: FileStatus) {
            identity = status.identity
            size = status.size
            changed = status.changed
        }
    }

    /// Nil if there is none.
    var log: Log?
    var bytes: UInt64 = 0
    var messages = 0
    /// Why the count is an estimate; nil if it is exact.
    var problem: String?
}

extension AccountContext {
    /// How long an estimate stands in for a recount, in nanoseconds.
    private static let estimateLasts: Int64 = 60_000_000_000

    /// Recounts the account's quota usage, unless it is exact by now. None of its locks may be held.
    ///
    /// A mailbox that cannot be counted is named in the log and refuses no mail to the others: the ledger keeps its upper
    /// bounds, or has an estimate if it knew none, and still needs a recount, which is tried again after a minute.
    func recountQuota() throws(StoreError) {
        // One thread counts for all that wait.
        let isGranted = recounts.acquire(exclusive: true, until: .max) == .granted
        defer { if isGranted { recounts.release(exclusive: true) } }
        if isEstimated { return }
        if try !ledger.needsRecount { return }
        // Twice: a failure may be a passing one.
        var problems = try Recount.run(self)
        if !problems.isEmpty { problems = try Recount.run(self) }
        for (path, problem) in problems.sorted(by: { $0.key < $1.key }) {
            options.notice?("the quota usage of \(name) is not exact: \(path): \(problem)")
        }
        let isExact = problems.isEmpty
        estimatedAt.withLock { $0 = isExact ? nil : Clocks.monotonic() }
    }

    /// Whether a recount has just failed to be exact.
    var isEstimated: Bool {
        estimatedAt.withLock { at in at.map { Clocks.monotonic() < $0 + Self.estimateLasts } ?? false }
    }

    fileprivate func currentLog(_ path: String) -> MailboxCount.Log? {
        (try? system.status(directory, "\(path)/\(LogFile.fileName)")).map(MailboxCount.Log.init)
    }
}

/// One recount of an account.
private struct Recount {
    /// The number of mailboxes that are locked while the ledger is set.
    private static let lockedAtOnce = 16
    /// Rounds after which an estimate has to do.
    private static let rounds = 32

    private enum Outcome {
        case set
        /// These have changed since they were counted.
        case changed([String])
    }

    private let context: AccountContext
    private var counts: [String: MailboxCount] = [:]
    /// Mailboxes that changed while the others were counted.
    private var contended: [String: Mailbox] = [:]
    /// Why a path is not counted.
    private var unreadable: [String: String] = [:]

    private init(_ context: AccountContext) { self.context = context }

    /// Returns why paths are not counted exactly; nothing if the ledger is exact now.
    static func run(_ context: AccountContext) throws(StoreError) -> [String: String] {
        var recount = Recount(context)
        try recount.run()
        return recount.problems
    }

    private mutating func run() throws(StoreError) {
        var changed = try paths()
        for round in 1...Self.rounds {
            for path in changed { count(path, isContended: round > 1) }
            do throws(StoreError) {
                let outcome = try context.shapeLocked { () throws(StoreError) in try finish() }
                guard case .changed(let next) = outcome else { return }
                changed = next
            } catch {
                if error.code == .busy { break }
                if contended.isEmpty { throw error }
                // One of them was deleted or renamed, or cannot be locked.
                changed = Array(contended.keys)
                contended = [:]
            }
        }
        unreadable[context.path] = "its mailboxes are in use"
        _ = try set { true }
    }

    private var problems: [String: String] {
        unreadable.merging(counts.compactMapValues(\.problem)) { problem, _ in problem }
    }

    private mutating func paths() throws(StoreError) -> [String] {
        var unreadable: [String: String] = [:]
        let paths = try context.mailboxPaths { path, error in unreadable[path] = error.message }
        self.unreadable = unreadable
        return paths
    }

    private func isCurrent(_ path: String) -> Bool {
        guard let count = counts[path] else { return false }
        return count.log == context.currentLog(path)
    }

    /// Sets the ledger if every count holds. The account's lock is held.
    private mutating func finish() throws(StoreError) -> Outcome {
        let paths = try paths()
        let there = Set(paths)
        counts = counts.filter { there.contains($0.key) }
        contended = contended.filter { there.contains($0.key) && context.known(at: $0.key) === $0.value }
        let free = paths.filter { contended[$0] == nil }
        let early = free.filter { !isCurrent($0) }
        guard early.isEmpty else { return .changed(early) }
        let locked = contended.sorted { $0.value.order < $1.value.order }
        let isSet = try AccountContext.lockedAll(locked.map(\.value)[...]) { () throws(StoreError) in
            for (path, mailbox) in locked {
                let used = mailbox.used()
                counts[path] = MailboxCount(bytes: used.bytes, messages: used.messages)
            }
            return try set { free.allSatisfy(isCurrent) }
        }
        return isSet ? .set : .changed(free.filter { !isCurrent($0) })
    }

    private func set(if isCurrent: () -> Bool) throws(StoreError) -> Bool {
        var bytes: UInt64 = 0
        var messages = 0
        for count in counts.values {
            let (sum, overflow) = bytes.addingReportingOverflow(count.bytes)
            bytes = overflow ? .max : sum
            messages += count.messages
        }
        return try context.ledger.set(bytes: bytes, messages: messages, isExact: problems.isEmpty, if: isCurrent)
    }

    // MARK: one mailbox

    private mutating func count(_ path: String, isContended: Bool) {
        counts[path] = nil
        do throws(StoreError) {
            if !isContended, context.known(at: path) == nil, let count = try countLog(path) {
                counts[path] = count
                return
            }
            let mailbox = try context.mailbox(path: path)
            counts[path] = try mailbox.countMessages()
            if isContended, contended.count < Self.lockedAtOnce { contended[path] = mailbox }
        } catch {
            // Renamed or deleted meanwhile.
            if error.code == .notFound || error.code == .gone { return }
            context.options.notice?("\(path) of \(context.name) is counted by its names: \(error.message)")
            counts[path] = countNames(path)
        }
    }

    /// Counts a mailbox by its log, without opening it: nothing is recovered or settled. Nil if that would be needed.
    private func countLog(_ path: String) throws(StoreError) -> MailboxCount? {
        let directory = try doing("open \(path)") { () throws(Errno) in
            try context.system.openDirectory(context.directory, path)
        }
        defer { context.system.close(directory) }
        guard
            case .current(let status, let log) = try Recovery(context: context, directory: directory, path: path)
                .inspect()
        else { return nil }
        let end = try doing("stat the log of \(path)") { () throws(Errno) in try context.system.status(log.descriptor) }
        var view = MailboxView(log.openedHeader, uidFloor: status.uidFloor)
        let scanned = try log.scan(from: 0, to: LogFile.records(in: end.size)) { record, place, _ in
            if let record { view.apply(record, at: place) } else { view.skip(to: place + 1) }
        }
        guard scanned == .end, !LogFile.isTorn(end.size), view.pending.isEmpty else { return nil }
        return MailboxCount(log: MailboxCount.Log(end), bytes: view.list.totals.octets, messages: view.list.count)
    }

    /// Counts the names of a mailbox that cannot be opened, under its lock.
    private func countNames(_ path: String) -> MailboxCount {
        var count = MailboxCount()
        func names() throws(StoreError) {
            count = MailboxCount(log: context.currentLog(path))
            var shards: [UInt32] = []
            try context.files.forEach(context.directory, path) { name, _ in
                if let number = ShardName.parse(name) { shards.append(number) }
            }
            for number in shards { try countShard(number, path, &count) }
        }
        do throws(StoreError) {
            try context.shapeLocked { () throws(StoreError) in try context.treeLocked([path], names) }
        } catch {
            // Whatever can be read is counted; without the lock a writer may be at work.
            if error.code == .busy { try? names() }
            count.problem = error.message
        }
        return count
    }

    private func countShard(_ number: UInt32, _ path: String, _ count: inout MailboxCount) throws(StoreError) {
        let fd: Int32
        let shard = "\(path)/\(ShardName.string(number))"
        do { fd = try context.system.openDirectory(context.directory, shard) } catch .notDirectory { return } catch {
            throw StoreError.system(error, "open the shard directory \(shard)")
        }
        defer { context.system.close(fd) }
        let listing = try ShardListing(context.system, directory: fd, number: number)
        var names: [UInt32: String] = [:]
        for message in listing.nonCanonical { names[message.uid] = message.name }
        for uid in UID.inShard(number) {
            if let flags = listing.flags(Int(uid % UID.perShard)) {
                names[uid] = MessageFileName.string(UID(uid), flags)
            }
        }
        for name in names.values {
            let status: FileStatus
            do { status = try context.system.status(fd, name) } catch .notFound { continue } catch {
                throw StoreError.system(error, "stat \(name)")
            }
            guard status.isRegularFile else { continue }
            count.bytes += UInt64(clamping: status.size)
            count.messages += 1
        }
    }
}

extension Mailbox {
    /// Counts the messages; settles dead writers' intents if there are any.
    fileprivate func countMessages() throws(StoreError) -> MailboxCount {
        if !isBroken { try refresh() }
        if let count = quietCount() { return count }
        return try locked(exclusive: true) { () throws(StoreError) in
            let used = used()
            return MailboxCount(log: currentLog(), bytes: used.bytes, messages: used.messages)
        }
    }

    /// The count if the view is at the log's end and no intent is open.
    private func quietCount() -> MailboxCount? {
        let (view, identity) = state.withLock { ($0.view, $0.log.identity) }
        guard view.pending.isEmpty, let log = currentLog(), log.identity == identity,
            log.size == LogFile.offset(of: view.applied)
        else { return nil }
        return MailboxCount(log: log, bytes: view.list.totals.octets, messages: view.list.count)
    }

    private func currentLog() -> MailboxCount.Log? {
        let path = state.withLock { $0.logPath }
        return (try? system.status(context.root.descriptor, path)).map(MailboxCount.Log.init)
    }
}
