import DurableFiles
import Glibc
import Primitives

/// A user's mail: the mailbox tree, subscriptions and quota. Every method may be called from any thread and blocks for
/// its system calls.
public final class Account: Sendable {
    public let address: AccountAddress
    let context: AccountContext
    /// Idle mailboxes kept open, most recently used last.
    private let recent = Locked<[Mailbox]>([])
    let observers = Locked(AccountObservers())

    init(address: AccountAddress, context: AccountContext) {
        self.address = address
        self.context = context
    }

    /// Opens the mailbox of that name; all users in one process share the object.
    /// - Throws: `notFound`, and the errors of opening it.
    public func mailbox(_ name: MailboxName) throws(StoreError) -> Mailbox {
        let mailbox: Mailbox
        do throws(StoreError) {
            mailbox = try context.mailbox(path: name.relativePath)
        } catch {
            guard error.isLackOfDescriptors else { throw error }
            releaseIdle()
            mailbox = try context.mailbox(path: name.relativePath)
        }
        keep(mailbox)
        return mailbox
    }

    /// Closes the mailboxes that nobody uses, and what those in use can open again.
    func releaseIdle() {
        let idle = recent.withLock { list in
            defer { list = [] }
            return list
        }
        for mailbox in idle { mailbox.storeView() }
        for mailbox in context.open.withLock({ $0.values.compactMap(\.mailbox) }) { mailbox.releaseDescriptors() }
    }

    /// Stops keeping a deleted mailbox open.
    func forget(_ mailbox: Mailbox) { recent.withLock { list in list.removeAll { $0 === mailbox } } }

    private func keep(_ mailbox: Mailbox) {
        let limit = max(1, context.options.idleMailboxes)
        let evicted = recent.withLock { list -> [Mailbox] in
            if list.last === mailbox { return [] }
            if Waiting.isForbidden, list.count >= limit {
                // The view of one that is evicted is stored, which waits.
                Waiting.refuse()
                return []
            }
            list.removeAll { $0 === mailbox }
            list.append(mailbox)
            guard list.count > limit else { return [] }
            defer { list.removeFirst(list.count - limit) }
            return Array(list.prefix(list.count - limit))
        }
        for mailbox in evicted { mailbox.storeView() }
    }

    /// Stores the changed views of open mailboxes, so that the next opening is quick even after a crash.
    func keepViews() {
        for mailbox in recent.withLock({ $0 }) { mailbox.keepView() }
    }

    /// Returns the quota usage and limits. Recounts first if the ledger is not exact, unless the store is read-only.
    public func quota() throws(StoreError) -> (bytes: UInt64, messages: UInt64, limits: QuotaLimits) {
        var usage = try context.ledger.usage()
        if !usage.isExact, !context.isEstimated, !context.options.readOnly {
            try context.recountQuota()
            usage = try context.ledger.usage()
        }
        return (usage.bytes, usage.messages, try context.quotaLimit.current)
    }

    /// Whether messages of `size` bytes in total would fit now. Only a hint: the append decides.
    public func hasRoom(for size: UInt64, messages: Int = 1) throws(StoreError) -> Bool {
        let now = try quota()
        let (bytes, count) = (
            now.bytes.addingReportingOverflow(size), now.messages.addingReportingOverflow(UInt64(clamping: messages))
        )
        return now.limits.allow(
            bytes: bytes.overflow ? .max : bytes.partialValue, messages: count.overflow ? .max : count.partialValue)
    }

    /// Marks every open mailbox and the ledger as cleanly closed, and releases them.
    public func close() throws(StoreError) {
        let open = recent.withLock { list in
            defer { list = [] }
            return list
        }
        for mailbox in open { try mailbox.close() }
        if !context.options.readOnly { try context.ledger.close() }
    }
}

/// A mailbox that is open somewhere in this process.
struct WeakMailbox: Sendable {
    weak let mailbox: Mailbox?
}

extension AccountContext {
    /// Returns the open mailbox at a path below the account's directory, opening it if necessary.
    func mailbox(path: String) throws(StoreError) -> Mailbox {
        let status: FileStatus
        do { status = try system.status(directory, path) } catch .notFound {
            throw StoreError(.notFound, "there is no such mailbox")
        } catch {
            throw StoreError.system(error, "stat \(path)")
        }
        if let known = open.withLock({ $0[status.identity]?.mailbox }), !known.isBroken, leads(path, to: known) {
            // The same directory, perhaps moved since.
            let before = known.path
            if before != path, (try? system.status(directory, before))?.identity != status.identity {
                known.moved(to: path)
            }
            return known
        }
        try mayWait()
        let opened = try Mailbox.open(self, path: path)
        return open.withLock { table in
            if let other = table[status.identity]?.mailbox, !other.isBroken, other.id == opened.id { return other }
            table = table.filter { $0.value.mailbox != nil }
            table[status.identity] = WeakMailbox(mailbox: opened)
            return opened
        }
    }

    /// Runs `body` with all of `mailboxes`, sorted by id, locked exclusively.
    static func lockedAll<R>(
        _ mailboxes: ArraySlice<Mailbox>, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        guard let first = mailboxes.first else { return try body() }
        return try first.locked(exclusive: true) { () throws(StoreError) in
            try lockedAll(mailboxes.dropFirst(), body)
        }
    }

    /// Takes the next UIDVALIDITY of the account, durably: one that no mailbox of it ever had.
    /// - Parameter above: the highest in files that may not be counted otherwise.
    func nextUIDValidity(above: UInt32) throws(StoreError) -> UInt32 {
        let above = max(above, try highestUIDValidity())
        return try counter.next(until: deadline, above: above) { () throws(StoreError) in above }
    }

    var counter: UIDValidityCounter {
        let clock = options.clock
        return UIDValidityCounter(system: system, directory: directory, clock: { clock?() ?? Clocks.wall() })
    }

    /// The highest UIDVALIDITY found in the account, including deleted mailboxes; 0 if there is none.
    func highestUIDValidity() throws(StoreError) -> UInt32 { try identities(besides: nil).highest }

    /// Creates the files of an empty mailbox in a new directory and returns the mailbox id. Durable except for the
    /// directory's own name.
    func makeMailboxFiles(in fd: Int32, uidValidity: UInt32, specialUse: String?) throws(StoreError) -> String {
        var status = MailboxStatus()
        status.uidValidity = uidValidity
        status.mailboxID = MailboxStatus.randomID()
        status.specialUse = specialUse
        let epoch = SystemCalls.random(UInt64.self)
        status.epoch = epoch
        status.boots[options.node] = bootID
        status.place = MailboxPlace(
            inode: try doing("stat a new mailbox") { () throws(Errno) in try system.status(fd).inode }, account: name)
        status.uidFloor = 1
        status.uidCeiling = 1 + MailboxStatus.uidStep
        status.modSeqFloor = 1
        status.modSeqCeiling = 1 + MailboxStatus.modSeqStep
        try files.publish(status.serialized(), as: MailboxStatus.fileName, in: fd)
        for name in [MailboxLocks.gateName, MailboxLocks.lockName, Mailbox.statusLockName] {
            system.close(
                try doing("create \(name)") { () throws(Errno) in
                    try system.open(fd, name, O_RDWR | O_CREAT | O_NOFOLLOW)
                })
        }
        try LogWriter(system: system, directory: fd).publish(
            LogHeader(
                epoch: epoch, base: 1, nextUID: 1, oldestAnswerable: 1, uidValidity: uidValidity,
                mailboxID: status.mailboxID, keywords: status.keywords, uidCeiling: status.uidCeiling,
                modSeqCeiling: status.modSeqCeiling, recentUID: 1), [], floor: 1, durable: false)
        return status.mailboxID
    }
}
