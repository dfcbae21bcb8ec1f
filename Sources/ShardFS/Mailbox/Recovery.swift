import DurableFiles
import Glibc

/// Inspects a mailbox's directory before it is opened: checks that status.json and the log belong together, and creates
/// new ones if they do not. May be killed anywhere and run again, because a log of another epoch is ignored.
struct Recovery {
    enum Reason: Equatable {
        /// The machine was restarted, and the mailbox had not been cleanly closed.
        case restart
        /// status.json and the log are of different epochs, or one of them is missing or damaged.
        case mismatch
        /// A store of the old program: no epoch and no log.
        case adoption
    }

    enum Found {
        case current(MailboxStatus, LogFile)
        case needed(Reason)
    }

    let context: AccountContext
    let directory: Int32
    let path: String

    private var system: SystemCalls { context.system }

    /// The status; nil if it is missing or damaged.
    private func status() throws(StoreError) -> MailboxStatus? {
        do {
            guard let bytes = try context.files.read(MailboxStatus.fileName, in: directory) else { return nil }
            return try MailboxStatus(parsing: bytes)
        } catch {
            // Invalid contents count as missing; a file that cannot be read at all is an error.
            if error.code == .damaged, error.errno == nil { return nil }
            throw error
        }
    }

    func inspect() throws(StoreError) -> Found {
        let log = try LogFile.open(system, in: directory, readOnly: context.options.readOnly)
        if log == nil, try isDeleted() { throw StoreError(.notFound, "there is no mailbox at \(path)") }
        guard let status = try status() else {
            if log == nil, try !isMailbox() { throw StoreError(.notFound, "there is no mailbox at \(path)") }
            return .needed(.mismatch)
        }
        guard let epoch = status.epoch else { return .needed(log == nil ? .adoption : .mismatch) }
        guard let log, log.epoch == epoch, log.openedHeader.mailboxID == status.mailboxID else {
            return .needed(.mismatch)
        }
        if context.options.readOnly || status.boots[context.options.node] == context.bootID {
            return .current(status, log)
        }
        return .needed(.restart)
    }

    /// Whether the directory holds the remains of a mailbox that was deleted while it had others below it.
    private func isDeleted() throws(StoreError) -> Bool {
        do {
            _ = try system.status(directory, AccountContext.deletionMark)
            return true
        } catch .notFound {
            return false
        } catch {
            throw StoreError.system(error, "stat \(AccountContext.deletionMark)")
        }
    }

    /// Whether there are shards, which make a directory without status.json and log a mailbox.
    private func isMailbox() throws(StoreError) -> Bool {
        var found = false
        try system.files.forEach(directory, ".") { name, _ in
            if ShardName.parse(name) != nil { found = true }
        }
        return found
    }

    /// Recovers under the exclusive lock, unless another process has done so meanwhile.
    func run(_ locks: MailboxLocks) throws(StoreError) {
        // The account's lock precedes a mailbox's, so a new UIDVALIDITY is taken first, needed or not.
        var spare: UInt32?
        if try status() == nil, try LogFile.open(system, in: directory) == nil {
            spare = try context.nextUIDValidity()
        }
        let hold = try locks.acquire(exclusive: true)
        defer { locks.release(hold) }
        guard case .needed(let reason) = try inspect() else { return }
        if reason == .restart, try resumeClean() { return }
        try rebuild(spareUIDValidity: spare)
    }

    /// Continues the log of a cleanly closed mailbox; false if it was not.
    private func resumeClean() throws(StoreError) -> Bool {
        guard var status = try status(), let mark = status.clean,
            let log = try LogFile.open(system, in: directory), log.epoch == status.epoch
        else { return false }
        let size = try log.size()
        let records = LogFile.records(in: size)
        guard !LogFile.isTorn(size), records > 0, let last = try log.record(at: records - 1), last.kind == .clean,
            last.isDone, log.base + UInt64(records) == mark
        else { return false }
        status.boots[context.options.node] = context.bootID
        _ = try publish(status)
        return true
    }

    /// Starts a new epoch from the names. Exclusive lock.
    func rebuild(spareUIDValidity: UInt32? = nil) throws(StoreError) {
        let oldStatus = try status()
        var oldLog = try LogFile.open(system, in: directory)
        // Its records may not count, but what its header says was assigned has been assigned.
        let header = try oldLog?.header()
        if let log = oldLog, let epoch = oldStatus?.epoch, log.epoch != epoch { oldLog = nil }
        if oldStatus != nil, oldStatus?.epoch == nil { oldLog = nil }
        let contents = try RecoveredContents(
            context: context, directory: directory, log: oldLog,
            // A message renumbered here must get a UID that nobody has ever seen.
            floor: max(oldStatus?.uidFloor ?? 1, oldStatus?.uidCeiling ?? 1, header?.uidCeiling ?? 1),
            uidValidity: oldStatus?.uidValidity ?? header?.uidValidity ?? 0)

        var status = oldStatus ?? MailboxStatus()
        if let header {
            status.keywords.merge(header.keywords)
            if oldStatus == nil { status.uidValidity = header.uidValidity }
            if status.mailboxID.isEmpty { status.mailboxID = header.mailboxID }
            status.uidCeiling = max(status.uidCeiling, header.nextUID)
            status.modSeqCeiling = max(status.modSeqCeiling, header.oldestAnswerable)
            status.uidCeiling = max(status.uidCeiling, header.uidCeiling)
            status.modSeqCeiling = max(status.modSeqCeiling, header.modSeqCeiling)
        }
        if status.uidValidity == 0 {
            guard let spareUIDValidity else { throw StoreError(.damaged, "no UIDVALIDITY for \(path)") }
            status.uidValidity = spareUIDValidity
        }
        if status.mailboxID.isEmpty { status.mailboxID = MailboxStatus.randomID() }
        // The ceilings are above everything ever assigned.
        status.uidFloor = min(max(status.uidCeiling, contents.nextUID, 1), MailboxStatus.uidEnd)
        status.modSeqFloor = min(max(status.modSeqCeiling, contents.highestModSeq + 1, 1), MailboxStatus.modSeqEnd)
        status.uidCeiling = min(status.uidFloor + MailboxStatus.uidStep, MailboxStatus.uidEnd)
        status.modSeqCeiling = min(
            status.modSeqFloor + MailboxStatus.modSeqStep + UInt64(contents.messages.count), MailboxStatus.modSeqEnd)
        let epoch = SystemCalls.random(UInt64.self)
        status.epoch = epoch
        status.boots[context.options.node] = context.bootID
        status.clean = nil
        // First of all: a kill after it causes a needless recount; without it, a kill could leave a wrong count.
        try context.ledger.markRecount()
        // The status first: from here on the old log is ignored.
        status = try publish(status)
        try LogWriter(system: system, directory: directory).publish(
            LogHeader(
                epoch: epoch, base: status.modSeqFloor, nextUID: status.uidFloor, oldestAnswerable: status.modSeqFloor,
                uidValidity: status.uidValidity, mailboxID: status.mailboxID, keywords: status.keywords,
                uidCeiling: status.uidCeiling, modSeqCeiling: status.modSeqCeiling,
                recentUID: contents.recentUID),
            contents.messages, floor: status.modSeqFloor)
    }

    /// Replaces status.json under its lock, merging what others have added since it was read. Ceilings never decrease.
    private func publish(_ status: MailboxStatus) throws(StoreError) -> MailboxStatus {
        try system.files.hold(Mailbox.statusLockName, in: directory, until: context.deadline) {
            () throws(StoreError) in
            var status = status
            if let now = try self.status(), now.uidValidity == status.uidValidity {
                status.keywords.merge(now.keywords)
                status.uidCeiling = max(status.uidCeiling, now.uidCeiling)
                status.modSeqCeiling = max(status.modSeqCeiling, now.modSeqCeiling)
            }
            try context.files.publish(status.serialized(), as: MailboxStatus.fileName, in: directory)
            return status
        }
    }
}
