// status.json with its ceilings, and its copy in the log's header.
import DurableFiles
import Primitives

extension Mailbox {
    static let statusLockName = ".status.lock"

    func readStatus() throws(StoreError) -> MailboxStatus {
        guard let bytes = try context.files.read(MailboxStatus.fileName, in: directory) else {
            if !context.leads(path, to: self) { throw StoreError(.gone, "the mailbox was deleted") }
            throw StoreError(.damaged, "\(MailboxStatus.fileName) of \(path) is missing")
        }
        return try MailboxStatus(parsing: bytes)
    }

    /// Reads, changes and replaces status.json under its own lock; durable on return.
    @discardableResult
    func updateStatus(_ change: (inout MailboxStatus) throws(StoreError) -> Void) throws(StoreError) -> MailboxStatus {
        try system.files.hold(Self.statusLockName, in: directory, until: context.deadline) {
            () throws(StoreError) in
            var status = try readStatus()
            guard status.mailboxID == id else {
                throw StoreError(.gone, "the mailbox was replaced by another of the same name")
            }
            let before = status
            try change(&status)
            if status != before {
                try context.files.publish(
                    status.serialized(), as: MailboxStatus.fileName, in: directory)
            }
            state.withLock { s in
                // The file may be ahead of what this process has read of the log, and name letters that were freed.
                let known = s.status.keywords
                s.status = status
                s.status.keywords = known
                s.headerStale = true
            }
            return status
        }
    }

    // MARK: ceilings

    /// Whether `uids` more UIDs and `records` more records stay below the durable ceilings.
    func hasRoom(uids: Int, records: Int) -> Bool {
        state.withLock { s in
            s.view.nextUID + UInt64(uids) <= s.status.uidCeiling
                && s.view.nextModSeq + UInt64(records) + 4_096 <= s.status.modSeqCeiling
        }
    }

    /// Raises the ceilings if they leave room for less than half a step beyond the given numbers; with `always`, only
    /// if they do not leave room for those. Called without the mailbox's lock.
    /// - Throws: `exhausted`, with `always`, if too few UIDs or mod-sequences are left.
    func raiseCeilings(uids: Int, records: Int, always: Bool = false) throws(StoreError) {
        let (nextUID, nextModSeq, status) = state.withLock { ($0.view.nextUID, $0.view.nextModSeq, $0.status) }
        let wantedUID = nextUID + UInt64(uids) + (always ? 0 : MailboxStatus.uidStep / 2)
        let wantedModSeq = nextModSeq + UInt64(records) + 4_096 + (always ? 0 : MailboxStatus.modSeqStep / 2)
        let uidShort = wantedUID > status.uidCeiling && status.uidCeiling < MailboxStatus.uidEnd
        let modSeqShort = wantedModSeq > status.modSeqCeiling && status.modSeqCeiling < MailboxStatus.modSeqEnd
        if always {
            if nextUID + UInt64(uids) > MailboxStatus.uidEnd {
                throw StoreError(
                    .exhausted, "the mailbox has no UIDs left: the last one, \(UID.lastGiven), has been assigned")
            }
            if wantedModSeq > MailboxStatus.modSeqEnd {
                throw StoreError(.exhausted, "the mailbox has no mod-sequences left")
            }
        }
        guard uidShort || modSeqShort else { return }
        try updateStatus { (status) throws(StoreError) in
            status.uidCeiling = max(
                status.uidCeiling, min(nextUID + UInt64(uids) + MailboxStatus.uidStep, MailboxStatus.uidEnd))
            status.modSeqCeiling = max(
                status.modSeqCeiling,
                min(nextModSeq + UInt64(records) + MailboxStatus.modSeqStep, MailboxStatus.modSeqEnd))
        }
    }

    /// Raises the ceilings ahead of need, after a completed operation that must not fail any more: an operation that
    /// needs them reports the error.
    func raiseCeilingsAhead() { try? raiseCeilings(uids: 0, records: 0) }

    /// Runs `body` under the lock with room for `uids` UIDs and `records` records below the ceilings.
    func locked<R>(
        exclusive: Bool, uids: Int, records: Int, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        while true {
            let result = try locked(exclusive: exclusive) { () throws(StoreError) -> R? in
                guard hasRoom(uids: uids, records: records) else { return nil }
                return try body()
            }
            if let result { return result }
            try raiseCeilings(uids: uids, records: records, always: true)
        }
    }

    // MARK: header

    /// Copies the ceilings and keywords into the log's header if they changed. Exclusive lock.
    func refreshHeader() throws(StoreError) {
        let (stale, log, status) = state.withLock { ($0.headerStale, $0.log, $0.status) }
        guard stale else { return }
        var header = try log.header()
        header.uidCeiling = max(header.uidCeiling, status.uidCeiling)
        header.modSeqCeiling = max(header.modSeqCeiling, status.modSeqCeiling)
        header.keywords.merge(status.keywords)
        try log.write(header, in: directory)
        state.withLock { $0.headerStale = false }
    }

    // MARK: the clean mark

    /// Removes the mark, durably, before the first change after it. Exclusive lock.
    func removeCleanMark() throws(StoreError) {
        try updateStatus { (status) throws(StoreError) in status.clean = nil }
        // The next opener must not mistake the mark's record for the last one of the log.
        try write([LogRecord(.void, done: true)])
        let log = state.withLock { $0.log }
        try log.syncData()
    }

    /// Syncs every directory that holds messages, live or expunged. New names before the old ones go.
    func syncAllNames() throws(StoreError) {
        for hour in try system.files.names(directory, ExpungedName.directory)
        where ExpungedName.isHour(hour) {
            try syncBelow("\(ExpungedName.directory)/\(hour)")
        }
        // All of them: another process may have renamed in a shard that this one never opened.
        for name in try system.files.names(directory, ".") where ShardName.parse(name) != nil {
            do throws(StoreError) { try syncBelow(name) } catch {
                // Not a directory, so it holds no messages.
                guard error.code == .damaged else { throw error }
            }
        }
    }

    /// Marks the mailbox as cleanly closed: everything is durable and the log's last record says so.
    public func close() throws(StoreError) {
        guard !options.readOnly, !isBroken else { return }
        // Before the mark is set, since taking the lock would remove it.
        if options.viewCache != nil { _ = try? listTouched() }
        do throws(StoreError) {
            try locked(exclusive: true, uids: 0, records: 1) { () throws(StoreError) in
                let log = state.withLock { $0.log }
                if options.durability == .none {
                    // The messages themselves were never synced.
                    try doing("sync the file system") { () throws(Errno) in try system.syncFileSystem(directory) }
                }
                try syncAllNames()
                try write([LogRecord(.clean, done: true)])
                try log.syncData()
                guard let mark = state.withLock({ $0.view.cleanMark }) else { return }
                // Makes the log's name durable too, in the same directory; the mark alone counts for nothing.
                try updateStatus { (status) throws(StoreError) in status.clean = mark }
            }
            storeView()
        } catch {
            if error.code == .gone { return }
            // A failed sync would succeed the next time, and the mark would vouch for lost data.
            if error.errno != nil, error.code != .busy { throw breakMailbox(error) }
            throw error
        }
    }
}
