import DurableFiles
import Glibc
import Primitives

/// The state shared by all mailboxes of an account: the account's directory, its quota, the store's options.
final class AccountContext: Sendable {
    let system: SystemCalls
    let files: StoreFiles
    let options: StoreOptions
    let capabilities: Set<Capability>
    let root: RootDirectory
    let room: DiskRoom
    /// `domains/{domain}/users/{user}`, below the root.
    let path: String
    /// The directory that was there when the account was opened.
    let directory: Int32
    /// The account's name in error messages.
    let name: String
    let storeID: String
    let bootID: String
    let ledger: QuotaLedger
    let quotaLimit: QuotaLimit
    let tokens: TokenSource
    /// This process's open mailboxes of the account, by directory.
    let open = Locked<[FileIdentity: WeakMailbox]>([:])
    /// The ids and UIDVALIDITYs of all mailboxes when they were last looked at, monotonic nanoseconds.
    let allIdentities = Locked<(at: Int64, mailboxes: [FileIdentity: MailboxIdentities])?>(nil)
    /// Messages that this process is receiving for the account.
    let staged = Locked(StagedRoom())
    /// What was removed by this process, and is kept for restoring, since the last early purge.
    let removed = Locked(RemovedSinceLook())
    /// The number of levels in the tree when they were counted last, monotonic nanoseconds.
    let levelCount = Locked<(at: Int64, levels: Int)?>(nil)
    private let quotaPrepared = Locked(false)
    /// Held by the thread that recounts the quota usage.
    let recounts = LockQueue(maximumWaiters: .max)
    /// When a recount could not be exact; monotonic nanoseconds.
    let estimatedAt = Locked<Int64?>(nil)
    /// Whether this process has synced the directories from the account's up to the store's root.
    private let ancestorsSynced = Locked(false)

    init(
        system: SystemCalls, options: StoreOptions, capabilities: Set<Capability>, root: RootDirectory, room: DiskRoom,
        path: String,
        directory: Int32, name: String, storeID: String, bootID: String, tokens: TokenSource
    ) {
        self.root = root
        self.room = room
        self.path = path
        self.system = system
        files = system.files
        self.options = options
        self.capabilities = capabilities
        self.directory = directory
        self.name = name
        self.storeID = storeID
        self.bootID = bootID
        self.tokens = tokens
        ledger = QuotaLedger(
            system: system, directory: directory, bootID: BootID.boot(bootID),
            lockWait: Int64(max(0, options.lockWait) * 1e9),
            readOnly: options.readOnly)
        quotaLimit = QuotaLimit(system: system, directory: directory)
    }

    /// Recounts an inexact ledger once per process, before the first message rather than in the middle of one. No lock
    /// of the account may be held.
    func prepareQuota() throws(StoreError) {
        if quotaPrepared.withLock({ $0 }) { return }
        if try quotaLimit.current != .none, try !ledger.usage().isExact { try recountQuota() }
        quotaPrepared.withLock { $0 = true }
    }

    /// Reserves quota for bytes and messages if there is room. An estimate decides where a recount has just failed to be
    /// exact.
    func reserve(bytes: UInt64, messages: Int) throws(StoreError) -> QuotaLedger.Outcome {
        try room.check()
        let outcome = try ledger.reserve(bytes: bytes, messages: messages, limits: quotaLimit.current)
        return outcome == .needsRecount && isEstimated ? .overQuota : outcome
    }

    deinit { system.close(directory) }

    var now: Int64 { options.clock?() ?? Clocks.wall() }
    var deadline: Int64 { Clocks.monotonic() + Int64(max(0, min(options.lockWait, 3600)) * 1e9) }
    func can(_ capability: Capability) -> Bool { capabilities.contains(capability) }

    /// Returns the path of a mailbox's log below the root. It includes the account's path, which may lead to another
    /// directory by now.
    func logPath(_ path: String) -> String { "\(self.path)/\(path)/\(LogFile.fileName)" }

    /// - Throws: an error where the thread must not wait, as what comes next may.
    func mayWait() throws(StoreError) {
        do throws(Errno) { try Waiting.check() } catch { throw StoreError.system(error, "go on without waiting") }
    }

    /// Whether the account's path leads to the directory that is open.
    var isInPlace: Bool {
        get throws(StoreError) {
            let now: FileStatus
            do { now = try system.status(root.descriptor, path) } catch .notFound { return false } catch .notDirectory {
                return false
            } catch {
                throw StoreError.system(error, "stat the account \(name)")
            }
            return try doing("stat the account \(name)") { () throws(Errno) in
                try system.status(directory).identity == now.identity
            }
        }
    }

    /// - Throws: `gone` if the account's directory was removed, renamed or replaced.
    func checkInPlace() throws(StoreError) {
        if try !isInPlace { throw StoreError(.gone, "the directory of \(name) was removed or replaced") }
    }

    /// Makes the account's own path durable, once: account, `users`, domain, `domains`, root.
    func syncAncestors() throws(StoreError) {
        if ancestorsSynced.withLock({ $0 }) { return }
        var path = "."
        for _ in 0..<5 {
            try syncDirectory(path)
            path += "/.."
        }
        ancestorsSynced.withLock { $0 = true }
    }

    /// Syncs a directory below (or above) the account's.
    func syncDirectory(_ path: String) throws(StoreError) {
        let fd = try doing("open \(path) of \(name)") { () throws(Errno) in
            try system.open(directory, path, O_RDONLY | O_DIRECTORY)
        }
        defer { system.close(fd) }
        try doing("sync \(path) of \(name)") { () throws(Errno) in try system.sync(fd) }
    }
}

/// Generates tokens for log records: a random nonce of this process and a counter.
final class TokenSource: Sendable {
    private let next = Locked(UInt64(SystemCalls.random(UInt32.self)) << 32)

    func take() -> UInt64 { take(1) }

    /// Returns the first of `count` consecutive tokens.
    func take(_ count: Int) -> UInt64 {
        next.withLock { n in
            // The counter wraps within its half, leaving the nonce unchanged.
            let nonce = n & 0xFFFF_FFFF_0000_0000
            let counter = UInt32(truncatingIfNeeded: n)
            n = nonce | UInt64(counter &+ UInt32(truncatingIfNeeded: count))
            return nonce | UInt64(counter)
        }
    }

    /// Gives consecutive tokens to records that are written together.
    func number(_ records: inout [LogRecord]) {
        let first = take(records.count)
        for i in records.indices { records[i].token = first &+ UInt64(i) }
    }
}

/// The open root directory of a store, shared by everything below it.
final class RootDirectory: Sendable {
    let descriptor: Int32
    private let system: SystemCalls

    init(_ system: SystemCalls, _ descriptor: Int32) {
        self.system = system
        self.descriptor = descriptor
    }

    deinit { system.close(descriptor) }
}
