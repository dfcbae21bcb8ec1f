import DurableFiles
import Glibc
import Primitives

/// An open mailbox. All users in one process share one object; every method may be called from any thread and blocks
/// for its system calls.
///
/// Layout and protocols: docs/storage.md. Every change consists of an intent record in the log, the change of names,
/// and a done record with the intent's token, all under the mailbox's lock; readers act on done records only.
public final class Mailbox: Sendable {
    struct State {
        var log: LogFile
        var view: MailboxView
        var status: MailboxStatus
        var shards: [UInt32: ShardDirectory] = [:]
        /// The path of the mailbox below the account's directory, and that of its log below the root.
        var path: String
        var logPath: String
        /// The log's name is durable (synced by this process since the log was opened).
        var logNameSynced = false
        /// The directories above the shards are durable.
        var ancestorsSynced = false
        /// The hour in `.expunged/` whose name this process has made durable.
        var expungedSynced: FileIdentity?
        /// The log's header lacks ceilings or keywords that status.json has.
        var headerStale = false
        /// Keyword letters in use that status.json, read again, does not name.
        var unnamed: MessageFlags = []
        /// keywords.json as it was last read or written, and the keywords in it that snapshots show.
        var keywordFile = KeywordFile()
        var extraKeywords = ExtraKeywords()
        /// What this process has written since it took the lock exclusively.
        var publishedKeywords: KeywordFile?
        /// Whether messages that are gone were removed from keywords.json.
        var keywordsPruned = false
        /// The number of logs replaced since the mailbox was opened.
        var replacedLogs: UInt64 = 0
        /// The time at which an open intent was first seen, monotonic nanoseconds.
        var pendingSince: Int64?
        var broken: StoreError?
        /// INTERNALDATEs before 1970 and beyond 2106, by UID, as far as they were looked up.
        var rareDates: [UInt32: Int64] = [:]
        /// It must be recovered, for which there is no room now: it is shown as its names and its log are.
        var isUnrecovered = false
        /// The cached parts of the view, and the shards that need no listing.
        var parts = ViewParts()
        /// The number of records in the log, while this process holds the lock exclusively and so is the only writer.
        var soleRecords: Int?
        /// The checksum of the last record in the view; nil when it is not known.
        var lastChecksum: UInt32?

        /// Changes whenever a letter looked up before may have been freed: by a record, or in a log replaced since.
        var letterGeneration: UInt64 { replacedLogs << 32 &+ view.freeings }

        /// Forgets the names of letters freed by the records just applied.
        mutating func forgetFreedLetters() {
            let freed = view.takeFreed()
            if freed.isEmpty { return }
            status.keywords.remove(freed)
            unnamed.subtract(freed)
        }

        /// Starts or stops the clock after which an open intent is attributed to a dead writer.
        mutating func notePending() {
            if view.pending.isEmpty {
                pendingSince = nil
            } else if pendingSince == nil {
                pendingSince = Clocks.monotonic()
            }
        }
    }

    let context: AccountContext
    let directory: Int32
    let locks: MailboxLocks
    let state: Locked<State>
    let observers = Locked(Observers())
    let expungedIndex = Locked(ExpungedIndex())

    /// RFC 8474's MAILBOXID.
    public let id: String
    /// The mailbox's directory. A copy made by hand has its original's id until it is opened.
    let place: FileIdentity

    var system: SystemCalls { context.system }
    var options: StoreOptions { context.options }

    /// The maximum number of shard directories kept open.
    private static let openShards = 16
    /// The age in nanoseconds at which an open intent is attributed to a dead writer, if the lock can be taken.
    private static let deadIntent: Int64 = 1_000_000_000

    init(context: AccountContext, directory: Int32, place: FileIdentity, locks: MailboxLocks, state: State) {
        self.context = context
        self.directory = directory
        self.place = place
        self.locks = locks
        self.state = Locked(state)
        id = state.status.mailboxID
    }

    deinit { system.close(directory) }

    /// Whether both are open on the same directory.
    func isSame(as other: Mailbox) -> Bool { place == other.place }

    /// The mailbox's place in the order of locks.
    var order: MailboxOrder { MailboxOrder(id: id, place: place) }

    /// The path below the account's directory.
    package var path: String { state.withLock { $0.path } }

    /// Records a rename of the mailbox by this process.
    func moved(to path: String) {
        state.withLock { s in
            s.path = path
            s.logPath = context.logPath(path)
            // The parent directories changed and are not yet synced.
            s.ancestorsSynced = false
        }
    }

    // MARK: the lock

    /// Runs `body` under the mailbox's lock, with the view at the log's end and, if exclusive, every dead writer's
    /// intent settled.
    func locked<R>(exclusive: Bool, _ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        try checkWritable()
        try checkAtHand()
        while true {
            let hold = try locks.acquire(exclusive: exclusive)
            do {
                if try prepare(exclusive: exclusive) {
                    let result = try body()
                    release(hold)
                    return result
                }
            } catch {
                release(hold)
                throw error
            }
            release(hold)
            // Something that only an exclusive holder may fix: a torn end, a clean mark.
            let mending = try locks.acquire(exclusive: true)
            do {
                _ = try prepare(exclusive: true)
                release(mending)
            } catch {
                release(mending)
                throw error
            }
        }
    }

    /// On a thread that must not wait: refuses what the kernel cannot tell of, a store that other machines share and the
    /// state while another thread reads the log under its lock.
    private func checkAtHand() throws(StoreError) {
        if Waiting.isForbidden, options.shared == true || !state.isFree { try context.mayWait() }
    }

    private func release(_ hold: MailboxLocks.Hold) {
        if hold.exclusive {
            state.withLock { s in
                s.soleRecords = nil
                s.publishedKeywords = nil
            }
        }
        locks.release(hold)
    }

    func checkWritable() throws(StoreError) {
        if options.readOnly { throw StoreError(.readOnly, "the store was opened read-only") }
        if let broken = state.withLock({ $0.broken }) { throw broken }
    }

    /// Called after taking the lock: checks that the path still leads to this log, and brings the view to its end.
    /// False if only an exclusive holder can continue.
    func prepare(exclusive: Bool) throws(StoreError) -> Bool {
        let (log, logPath, applied, isBehind) = state.withLock {
            ($0.log, $0.logPath, $0.view.applied, $0.view.keywordsChanged)
        }
        let status: FileStatus
        do {
            status = try system.status(context.root.descriptor, logPath)
        } catch .notFound {
            throw StoreError(.gone, "the mailbox was deleted or renamed")
        } catch {
            throw StoreError.system(error, "stat \(logPath)")
        }
        let replaced = status.identity != log.identity
        if replaced { try reopenLog(expecting: status.identity) }
        let torn = LogFile.isTorn(status.size)
        if torn, !exclusive { return false }
        let records = LogFile.records(in: status.size)
        var end = LogFile.ScanEnd.end
        if !replaced, records < applied {
            end = .cut
        } else if exclusive || replaced || isBehind || records != applied {
            end = try catchUp(to: records)
        }
        if end != .end {
            // Under a shared lock a wrong record may still be being written; under an exclusive one nobody writes.
            if !exclusive { return false }
            try beginAnew()
        } else if exclusive, state.withLock({ $0.view.hasSetInDoubt(torn: torn) }) {
            try beginAnew()
        } else if torn {
            try cutTornEnd()
        }
        if exclusive { state.withLock { $0.soleRecords = $0.view.applied } }
        if state.withLock({ $0.view.cleanMark != nil }) {
            if !exclusive { return false }
            try removeCleanMark()
        }
        if !exclusive, state.withLock({ $0.view.isFreeingLetters }) { return false }
        if exclusive {
            try settle()
            try refreshHeader()
        }
        return true
    }

    private func cutTornEnd() throws(StoreError) {
        let (log, applied) = state.withLock { ($0.log, $0.view.applied) }
        try log.truncate(records: applied)
    }

    /// Starts a new epoch from the names, because the log lacks, or cannot tell, what somebody may have read in it.
    /// Exclusive lock: the machine runs, so the names are all there.
    func beginAnew() throws(StoreError) {
        guard try Recovery(context: context, directory: directory, path: path).rebuild(.damage) else {
            throw StoreError(.damaged, "status.json and the log of \(path) are damaged")
        }
        let status = try doing("stat the new log") { () throws(Errno) in
            try system.status(directory, LogFile.fileName)
        }
        try reopenLog(expecting: status.identity)
    }

    /// Opens a log put in place by another process (compaction or recovery) and builds a new view from it.
    private func reopenLog(expecting identity: FileIdentity) throws(StoreError) {
        guard let log = try LogFile.open(system, in: directory, readOnly: options.readOnly), log.identity == identity,
            log.openedHeader.mailboxID == id
        else { throw StoreError(.gone, "the mailbox was replaced by another of the same name") }
        if let obstacle = log.obstacle, !options.readOnly, !state.withLock({ $0.isUnrecovered }) { throw obstacle }
        var status = try readStatus()
        // Complete before anyone sees it: a half-built view would look like an expunge.
        var view = MailboxView(log.openedHeader, uidFloor: status.uidFloor)
        let records = LogFile.records(in: try log.size())
        var last: UInt32?
        _ = try log.scan(from: 0, to: records) { record, place, checksum in
            if let record { view.apply(record, at: place) } else { view.skip(to: place + 1) }
            last = checksum
        }
        // Names read before may be of letters that the log has freed since; they are read again when needed.
        status.keywords.remove(view.takeFreed())
        let (made, known, checksum) = (view, status, last)
        state.withLock { s in
            s.log = log
            s.status = known
            s.view = made
            s.lastChecksum = made.applied > 0 ? checksum : nil
            s.unnamed = []
            s.replacedLogs += 1
            s.logNameSynced = false
            s.shards = [:]
            s.parts = ViewParts()
            s.parts.place = made.applied
            readKeywords(&s)
        }
        notify()
    }

    /// Applies the records up to `records`, or to the end of the log if there are fewer.
    @discardableResult
    func catchUp(to records: Int) throws(StoreError) -> LogFile.ScanEnd {
        let result: Result<(LogFile.ScanEnd, Bool), StoreError> = state.withLock { s in
            do throws(StoreError) {
                let before = s.view.highestModSeq
                let end = try read(&s, to: records)
                readKeywords(&s)
                s.forgetFreedLetters()
                s.notePending()
                if !s.view.unconfirmed.isEmpty { try confirm(&s) }
                return .success((end, s.view.highestModSeq != before))
            } catch { return .failure(error) }
        }
        let (end, changed) = try result.get()
        if changed { notify() }
        return end
    }

    /// Takes in the records up to `records`, if the last one that was read before still stands where it stood.
    func read(_ s: inout State, to records: Int) throws(StoreError) -> LogFile.ScanEnd {
        let (log, applied) = (s.log, s.view.applied)
        let known = applied > 0 ? s.lastChecksum : nil
        var isCut = false
        let end = try log.scan(from: known == nil ? applied : applied - 1, to: records) { record, place, checksum in
            if place < applied {
                isCut = checksum != known
            } else if !isCut {
                if let record { s.view.apply(record, at: place) } else { s.view.skip(to: place + 1) }
                s.lastChecksum = checksum
            }
        }
        return isCut || end == .bad(applied - 1) ? .cut : end
    }

    /// Determines the flags of messages with racing records from their names.
    private func confirm(_ s: inout State) throws(StoreError) {
        for uid in s.view.unconfirmed {
            guard let known = s.view.list.entry(of: UID(uid)) else {
                s.view.unconfirmed.remove(uid)
                continue
            }
            guard let shard = try openShard(&s, uid / UID.perShard, create: false) else { continue }
            // Gone for now: an expunge's done record will follow.
            guard let now = try shard.lookUp(uid, lastKnown: known.flags) else { continue }
            s.view.confirm(uid, now.flags)
        }
    }

    /// Reads records written by others, without the lock. Settles a dead writer's intents once they are old enough.
    public func refresh() throws(StoreError) {
        try checkAtHand()
        let (log, applied, logPath, isUnrecovered, isBehind) = state.withLock {
            ($0.log, $0.view.applied, $0.logPath, $0.isUnrecovered, $0.view.keywordsChanged)
        }
        let isReadOnly = options.readOnly || isUnrecovered
        let status: FileStatus
        do {
            status = try system.status(context.root.descriptor, logPath)
        } catch .notFound {
            if isReadOnly { throw StoreError(.gone, "the mailbox was deleted or renamed") }
            // A rename by this process may be in progress: the lock waits for it, and the path is then the new one.
            return try locked(exclusive: false) { () throws(StoreError) in }
        } catch {
            throw StoreError.system(error, "stat \(logPath)")
        }
        if isReadOnly {
            let records = LogFile.records(in: status.size)
            if status.identity != log.identity || records < applied { try reopenLog(expecting: status.identity) }
            if try catchUp(to: records) == .cut { try reopenLog(expecting: status.identity) }
            return
        }
        if status.identity != log.identity {
            try locked(exclusive: true) { () throws(StoreError) in }
            return
        }
        let records = LogFile.records(in: status.size)
        var isCut = records < applied
        if records > applied || isBehind { isCut = try catchUp(to: max(records, applied)) == .cut }
        if isCut { return try locked(exclusive: true) { () throws(StoreError) in } }
        let since = state.withLock { $0.pendingSince }
        if let since, Clocks.monotonic() > since + Self.deadIntent {
            try locked(exclusive: true) { () throws(StoreError) in }
        }
    }

    // MARK: directories below

    /// Returns the open directory of a shard; nil if there is none and `create` is false.
    func shard(_ number: UInt32, create: Bool = false) throws(StoreError) -> ShardDirectory? {
        let result: Result<ShardDirectory?, StoreError> = state.withLock { s in
            do throws(StoreError) { return .success(try openShard(&s, number, create: create)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func openShard(_ s: inout State, _ number: UInt32, create: Bool) throws(StoreError) -> ShardDirectory? {
        if let open = s.shards[number] { return open }
        let name = ShardName.string(number)
        if create {
            do { try system.makeDirectory(directory, name) } catch .exists {} catch {
                throw StoreError.system(error, "create the shard directory \(name)")
            }
        }
        let fd: Int32
        do {
            fd = try system.openDirectory(directory, name)
        } catch .notFound {
            return nil
        } catch {
            throw StoreError.system(error, "open the shard directory \(name)")
        }
        if s.shards.count >= Self.openShards, let lowest = s.shards.keys.min() { s.shards[lowest] = nil }
        let shard = ShardDirectory(system: system, number: number, descriptor: fd)
        s.shards[number] = shard
        return shard
    }

    /// Closes what is kept open only to be quick.
    func releaseDescriptors() {
        locks.closeAll()
        state.withLock { $0.shards = [:] }
    }

    func forgetShard(_ number: UInt32) { state.withLock { $0.shards[number] = nil } }

    /// Whether the mailbox refuses writes until it is reopened.
    var isBroken: Bool { state.withLock { $0.broken != nil } }
}

/// The order in which the locks of several mailboxes are taken: by id, and by directory where two have one id.
struct MailboxOrder: Comparable {
    var id: String
    var place: FileIdentity

    static func < (a: MailboxOrder, b: MailboxOrder) -> Bool {
        (a.id, a.place.device, a.place.inode) < (b.id, b.place.device, b.place.inode)
    }
}
