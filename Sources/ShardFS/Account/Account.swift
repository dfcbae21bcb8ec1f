import DurableFiles
import Glibc
import Primitives

/// A user's mail: the tree of mailboxes, subscriptions and quota. Every method may be called from any thread and
/// blocks for the time of its system calls.
public final class Account: Sendable {
    public let address: AccountAddress
    let context: AccountContext
    /// Kept open though nobody uses them, most recent last.
    private let recent = Locked<[Mailbox]>([])
    let observers = Locked(AccountObservers())

    init(address: AccountAddress, context: AccountContext) {
        self.address = address
        self.context = context
    }

    /// The mailbox of that name; all users of one process share the object.
    /// - Throws: `notFound`, and what opening meets.
    public func mailbox(_ name: MailboxName) throws(StoreError) -> Mailbox {
        let mailbox = try context.mailbox(path: name.relativePath)
        keep(mailbox)
        return mailbox
    }

    /// Lets go of a mailbox that is gone.
    func forget(_ mailbox: Mailbox) { recent.withLock { list in list.removeAll { $0 === mailbox } } }

    private func keep(_ mailbox: Mailbox) {
        let limit = max(1, context.options.idleMailboxes)
        let evicted = recent.withLock { list -> [Mailbox] in
            if list.last === mailbox { return [] }
            list.removeAll { $0 === mailbox }
            list.append(mailbox)
            guard list.count > limit else { return [] }
            defer { list.removeFirst(list.count - limit) }
            return Array(list.prefix(list.count - limit))
        }
        for mailbox in evicted { mailbox.storeView() }
    }

    /// Keeps the views of open mailboxes that changed since, so that the next opening is quick after any end.
    func keepViews() {
        for mailbox in recent.withLock({ $0 }) { mailbox.keepView() }
    }

    /// What is used, and what may be. Counts anew when the ledger is not exact.
    public func quota() throws(StoreError) -> (bytes: UInt64, messages: UInt64, limits: QuotaLimits) {
        var usage = try context.ledger.usage()
        if !usage.isExact, !context.options.readOnly {
            try context.recountQuota()
            usage = try context.ledger.usage()
        }
        return (usage.bytes, usage.messages, try context.quotaLimit.current)
    }

    /// Whether messages of `size` bytes together would fit now. A hint: only an append decides.
    public func hasRoom(for size: UInt64, messages: Int = 1) throws(StoreError) -> Bool {
        let now = try quota()
        let (bytes, count) = (
            now.bytes.addingReportingOverflow(size), now.messages.addingReportingOverflow(UInt64(clamping: messages))
        )
        return now.limits.allow(
            bytes: bytes.overflow ? .max : bytes.partialValue, messages: count.overflow ? .max : count.partialValue)
    }

    /// Marks every open mailbox and the ledger as closed in good order, and lets go of them.
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
    /// The open mailbox at a path below the account's directory.
    func mailbox(path: String) throws(StoreError) -> Mailbox {
        let status: FileStatus
        do { status = try system.status(directory, path) } catch .notFound {
            throw StoreError(.notFound, "there is no such mailbox")
        } catch {
            throw StoreError.system(error, "look at \(path)")
        }
        if let known = open.withLock({ $0[status.identity]?.mailbox }), !known.isBroken, leads(path, to: known) {
            // The directory is the same one, wherever it was before.
            let before = known.path
            if before != path, (try? system.status(directory, before))?.identity != status.identity {
                known.moved(to: path)
            }
            return known
        }
        let opened = try Mailbox.open(self, path: path)
        return open.withLock { table in
            if let other = table[status.identity]?.mailbox, !other.isBroken, other.id == opened.id { return other }
            table = table.filter { $0.value.mailbox != nil }
            table[status.identity] = WeakMailbox(mailbox: opened)
            return opened
        }
    }

    /// Every mailbox of the account that has messages of its own: paths below the account's directory.
    func mailboxPaths() throws(StoreError) -> [String] {
        try mailboxes(among: levels())
    }

    /// Counts the account's messages anew. No lock of it may be held.
    func recountQuota() throws(StoreError) {
        // Recovery of one may need a UIDVALIDITY and so the account's lock: opened, and kept so, before that is taken.
        var ready: [Mailbox] = []
        for path in try mailboxPaths() { ready.append(try mailbox(path: path)) }
        defer { withExtendedLifetime(ready) {} }
        try system.files.hold(UIDValidityCounter.lockName, in: directory, until: deadline) {
            () throws(StoreError) in
            var mailboxes: [Mailbox] = []
            for path in try mailboxPaths() { mailboxes.append(try mailbox(path: path)) }
            mailboxes.sort { $0.id < $1.id }
            try AccountContext.lockedAll(mailboxes[...]) { () throws(StoreError) in
                var bytes: UInt64 = 0
                var messages = 0
                for mailbox in mailboxes {
                    let list = mailbox.state.withLock { $0.view.list }
                    bytes += list.totals.octets
                    messages += list.count
                }
                try ledger.set(bytes: bytes, messages: messages)
            }
        }
    }

    /// Runs `body` with all of `mailboxes`, which are in the order of their ids, locked exclusively.
    static func lockedAll<R>(
        _ mailboxes: ArraySlice<Mailbox>, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        guard let first = mailboxes.first else { return try body() }
        return try first.locked(exclusive: true) { () throws(StoreError) in
            try lockedAll(mailboxes.dropFirst(), body)
        }
    }

    /// The next UIDVALIDITY of the account, durably taken.
    func nextUIDValidity() throws(StoreError) -> UInt32 {
        try counter.next(until: deadline) { () throws(StoreError) in try highestUIDValidity() }
    }

    var counter: UIDValidityCounter {
        let clock = options.clock
        return UIDValidityCounter(system: system, directory: directory, clock: { clock?() ?? Clocks.wall() })
    }

    /// The highest UIDVALIDITY found in the account, deleted mailboxes included; 0 for none.
    func highestUIDValidity() throws(StoreError) -> UInt32 {
        // Levels whose deletion was cut off may still have status.json.
        var paths = try levels()
        for name in try system.files.names(directory, ".deleted") { paths.append(".deleted/\(name)") }
        var highest: UInt32 = 0
        for path in paths {
            let fd: Int32
            do { fd = try system.openDirectory(directory, path) } catch .notFound { continue } catch .notDirectory {
                continue
            } catch {
                throw StoreError.system(error, "open \(path)")
            }
            defer { system.close(fd) }
            // What means nothing has no value; what cannot be read may have the highest.
            do {
                highest = max(highest, try LogFile.open(system, in: fd, readOnly: true)?.openedHeader.uidValidity ?? 0)
            } catch {
                if error.code != .damaged { throw error }
            }
            do {
                if let bytes = try files.read(MailboxStatus.fileName, in: fd) {
                    let status = try MailboxStatus(parsing: bytes)
                    highest = max(highest, status.uidValidity)
                }
            } catch {
                if error.code != .damaged { throw error }
            }
        }
        return highest
    }

    /// Fills a fresh directory with the files of an empty mailbox; durable, but for the directory's own name.
    func makeMailboxFiles(in fd: Int32, uidValidity: UInt32, specialUse: String?) throws(StoreError) -> String {
        var status = MailboxStatus()
        status.uidValidity = uidValidity
        status.mailboxID = MailboxStatus.randomID()
        status.specialUse = specialUse
        let epoch = SystemCalls.random(UInt64.self)
        status.epoch = epoch
        status.boots[options.node] = bootID
        status.uidFloor = 1
        status.uidCeiling = 1 + MailboxStatus.uidStep
        status.modSeqFloor = 1
        status.modSeqCeiling = 1 + MailboxStatus.modSeqStep
        try files.publish(status.serialized(), as: MailboxStatus.fileName, in: fd)
        for name in [MailboxLocks.gateName, MailboxLocks.lockName, Mailbox.statusLockName] {
            system.close(
                try doing("make \(name)") { () throws(Errno) in try system.open(fd, name, O_RDWR | O_CREAT | O_NOFOLLOW)
                })
        }
        try LogWriter(system: system, directory: fd).publish(
            LogHeader(
                epoch: epoch, base: 1, nextUID: 1, oldestAnswerable: 1, uidValidity: uidValidity,
                mailboxID: status.mailboxID, keywords: status.keywords, uidCeiling: status.uidCeiling,
                modSeqCeiling: status.modSeqCeiling, recentUID: 1), [], floor: 1)
        return status.mailboxID
    }
}
