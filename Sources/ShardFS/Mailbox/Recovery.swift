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
        /// The log lost something that may have been read, while the mailbox was open.
        case damage
    }

    enum Found {
        case current(MailboxStatus, LogFile)
        case needed(Reason)
    }

    let context: AccountContext
    let directory: Int32
    let path: String

    var system: SystemCalls { context.system }

    /// The status; nil if it is missing or damaged.
    func status() throws(StoreError) -> MailboxStatus? {
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
        if context.options.readOnly { return .current(status, log) }
        if try isOlder(status, than: log) { return .needed(.mismatch) }
        if BootID.isSame(status.boots[context.options.node], context.bootID) { return .current(status, log) }
        return .needed(.restart)
    }

    /// Whether status.json and the log of one epoch are not of one time: one of them was put back.
    private func isOlder(_ status: MailboxStatus, than log: LogFile) throws(StoreError) -> Bool {
        // The header's copies are written after status.json, and the mark goes before the first change.
        let header = log.openedHeader
        if header.uidCeiling > status.uidCeiling || header.modSeqCeiling > status.modSeqCeiling { return true }
        if status.clean == nil { return false }
        return try !endsClean(log, status)
    }

    /// Whether the log ends whole, with the clean mark that status.json tells of.
    private func endsClean(_ log: LogFile, _ status: MailboxStatus) throws(StoreError) -> Bool {
        let size = try log.size()
        let records = LogFile.records(in: size)
        guard !LogFile.isTorn(size), records > 0, let last = try log.record(at: records - 1) else { return false }
        return last.kind == .clean && last.isDone && log.base + UInt64(records) == status.clean
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
    /// - Parameter doubted: the epoch of files that agree, and with which something is wrong all the same.
    func run(_ locks: MailboxLocks, doubted: UInt64? = nil) throws(StoreError) {
        func reason() throws(StoreError) -> Reason? {
            switch try inspect() {
            case .needed(let reason): reason
            case .current(_, let log): log.epoch == doubted ? .mismatch : nil
            }
        }
        var spare: UInt32?
        while true {
            guard let expected = try reason() else { return }
            // The account's lock precedes a mailbox's, so a new UIDVALIDITY is taken first.
            let plan = try plan(expected)
            if plan.uidValidity == nil { spare = try context.nextUIDValidity(above: plan.highestUIDValidity) }
            let hold = try locks.acquire(exclusive: true)
            defer { locks.release(hold) }
            guard let reason = try reason() else { return }
            if reason == .restart, try resumeClean() { return }
            if try rebuild(reason, spareUIDValidity: spare) { return }
        }
    }

    /// Continues the log of a cleanly closed mailbox; false if it was not.
    private func resumeClean() throws(StoreError) -> Bool {
        guard var status = try status(), status.clean != nil, let log = try LogFile.open(system, in: directory),
            log.epoch == status.epoch, try endsClean(log, status)
        else { return false }
        status.boots[context.options.node] = context.bootID
        _ = try publish(status)
        return true
    }

    /// Starts a new epoch from the names. Exclusive lock.
    /// - Parameter spareUIDValidity: for a mailbox that cannot keep its own.
    /// - Returns: false, with nothing done, if that is needed and was not given.
    func rebuild(_ reason: Reason, spareUIDValidity: UInt32? = nil) throws(StoreError) -> Bool {
        let plan = try plan(reason)
        let spare = spareUIDValidity.flatMap { $0 > plan.highestUIDValidity ? $0 : nil }
        guard let uidValidity = plan.uidValidity ?? spare else { return false }
        var contents = try RecoveredContents(context: context, directory: directory, plan: plan)
        if contents.hasStrays, var raised = plan.status {
            // First the bound: a recovery that is cut off here must not find UIDs above it.
            raised.uidCeiling = min(contents.nextUID + MailboxStatus.uidStep, MailboxStatus.uidEnd)
            _ = try publish(raised)
        }
        // Before messages get other UIDs: their keywords are known by those that they had.
        try carryKeywords(plan, to: uidValidity, contents)
        try contents.settleNames()

        var status = plan.status ?? MailboxStatus()
        status.uidValidity = uidValidity
        if let header = plan.header {
            status.keywords.merge(header.keywords)
            if status.mailboxID.isEmpty { status.mailboxID = header.mailboxID }
            status.modSeqCeiling = max(status.modSeqCeiling, header.oldestAnswerable, header.modSeqCeiling)
        }
        status.uidCeiling = max(status.uidCeiling, plan.ceiling)
        if status.mailboxID.isEmpty { status.mailboxID = MailboxStatus.randomID() }
        for letter in try usedLetters(contents).subtracting(status.keywords.letters).letters.utf8 {
            // Its name was lost with both files: the substitute is stored, so that the letter is assigned to no other.
            let name = KeywordTable.substitute(for: letter)
            if status.keywords.flag(name) == nil { status.keywords.set(letter, name) }
        }
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
        // First of all: a kill after it causes a needless recount; without it, a kill could leave a wrong count. Again
        // with the new log, because a recount may end in between.
        try context.ledger.markRecount()
        // The status first: from here on the old log is ignored.
        status = try publish(status)
        try LogWriter(system: system, directory: directory).publish(
            LogHeader(
                epoch: epoch, base: status.modSeqFloor, nextUID: status.uidFloor, oldestAnswerable: status.modSeqFloor,
                uidValidity: status.uidValidity, mailboxID: status.mailboxID, keywords: status.keywords,
                uidCeiling: status.uidCeiling, modSeqCeiling: status.modSeqCeiling,
                recentUID: contents.recentUID),
            contents.messages, floor: status.modSeqFloor
        ) { (replace) throws(StoreError) in try context.ledger.markRecount(with: replace) }
        return true
    }

    /// Returns the keyword letters of messages, live or recoverable.
    private func usedLetters(_ contents: RecoveredContents) throws(StoreError) -> MessageFlags {
        var used = contents.messages.reduce(MessageFlags()) { $0.union($1.flags) }
        for hour in try system.files.names(directory, ExpungedName.directory) where ExpungedName.isHour(hour) {
            try system.files.forEach(directory, "\(ExpungedName.directory)/\(hour)") { name, _ in
                used.formUnion(ExpungedName(String(decoding: name, as: UTF8.self))?.flags ?? [])
            }
        }
        return used.intersection(.keywordMask)
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

    /// Writes keywords.json, if there is one, for the messages that are there, under the UIDVALIDITY that they get.
    private func carryKeywords(
        _ plan: RecoveryPlan, to uidValidity: UInt32, _ contents: RecoveredContents
    ) throws(StoreError) {
        var file: KeywordFile
        do throws(StoreError) {
            guard let found = try context.files.keywordFile(in: directory) else { return }
            file = found
        } catch {
            guard error.code == .damaged, error.errno == nil else { throw error }
            return
        }
        let before = file
        // Without status.json and log the names are of the last one.
        let known = plan.status?.uidValidity ?? plan.header?.uidValidity ?? file.keywords.keys.max() ?? uidValidity
        file.keywords[uidValidity] = file.keywords[known]
        file.change = nil
        var there: [UInt32: [UInt32]] = [:]
        for hour in try system.files.names(directory, ExpungedName.directory) where ExpungedName.isHour(hour) {
            for name in try system.files.names(directory, "\(ExpungedName.directory)/\(hour)") {
                if let file = ExpungedName(name) { there[file.uidValidity, default: []].append(file.uid) }
            }
        }
        there[uidValidity, default: []] += contents.messages.map(\.uid)
        // Under the one that they have until status.json is replaced, too.
        if known != uidValidity { there[known, default: []] += contents.messages.map(\.uid) }
        for key in there.keys { there[key]?.sort() }
        file.keep(there)
        if file != before { try context.files.publish(file.serialized(), as: KeywordFile.fileName, in: directory) }
    }
}
