import DurableFiles

/// Which of a mailbox's old files count in a recovery, and whether its UIDVALIDITY can stay.
///
/// It stays only with a bound above every UID that may have been given out under it. Files that contradict each other,
/// that are another mailbox's, or that are older than the names beside them give no such bound: the mailbox then gets a
/// UIDVALIDITY higher than any that the account ever had.
struct RecoveryPlan {
    /// Nil if it is missing, damaged, or another mailbox's.
    var status: MailboxStatus?
    /// The log's header, if it is this mailbox's.
    var header: LogHeader?
    var log: LogFile?
    /// Whether the log is of the epoch of status.json, so that its records tell more than what was given out.
    var isLogCurrent = false
    /// Nil: a new one is needed.
    var uidValidity: UInt32?
    /// A new UIDVALIDITY is higher than this: the highest in the files at hand.
    var highestUIDValidity: UInt32 = 0
    /// Names from this UID on are a hand's work: the machine runs, and they were never given out. Nil after a restart.
    var handmade: UInt64?

    /// No UID at or above it is known to have been given out.
    var ceiling: UInt64 {
        max(status?.uidFloor ?? 1, status?.uidCeiling ?? 1, header?.uidCeiling ?? 1, header?.nextUID ?? 1)
    }
}

extension Recovery {
    func plan(_ reason: Reason) throws(StoreError) -> RecoveryPlan {
        var plan = RecoveryPlan()
        plan.status = try status()
        plan.log = try LogFile.open(system, in: directory)
        plan.header = try plan.log?.header()
        let names = UsedUIDs(system: system, directory: directory)
        for validity in [plan.status?.uidValidity, plan.header?.uidValidity, try names.highestUIDValidity()] {
            // The last value leaves no room above it, and no account has come that far.
            if let validity, validity < .max { plan.highestUIDValidity = max(plan.highestUIDValidity, validity) }
        }
        // A store of the old program has nothing that this could be judged by.
        let isAdopted = plan.status != nil && plan.status?.epoch == nil
        var isOutnumbered = false
        if reason != .damage, !isAdopted, let known = plan.status?.uidValidity ?? plan.header?.uidValidity {
            // Given out above every bound that the files have: they are older than the names.
            isOutnumbered = try names.highest(known, below: plan.ceiling + UsedUIDs.handmade) >= plan.ceiling
        }
        if reason == .mismatch || isOutnumbered { try judge(&plan) }
        if let status = plan.status, let header = plan.header {
            plan.isLogCurrent = status.epoch == header.epoch
        } else {
            plan.isLogCurrent = plan.status == nil && plan.header != nil
        }
        if plan.header == nil { plan.log = nil }
        if !isOutnumbered { plan.uidValidity = plan.status?.uidValidity ?? plan.header?.uidValidity }
        if reason == .damage { plan.handmade = plan.ceiling + UsedUIDs.handmade }
        return plan
    }

    /// Takes out what is another mailbox's, and both files if they contradict each other.
    private func judge(_ plan: inout RecoveryPlan) throws(StoreError) {
        if plan.status == nil, plan.header == nil { return }
        let others = try context.identities(besides: directory)
        let counter = try context.counter.last()
        func isForeign(_ id: String, _ validity: UInt32) -> Bool {
            others.ids.contains(id) || others.validities.contains(validity) || validity > counter ?? .max
        }
        let (status, header) = (plan.status, plan.header)
        if let status, status.epoch != nil, isForeign(status.mailboxID, status.uidValidity) { plan.status = nil }
        if let header, isForeign(header.mailboxID, header.uidValidity) { plan.header = nil }
        if let status = plan.status, let header = plan.header, status.epoch != nil, status.epoch != header.epoch,
            status.mailboxID != header.mailboxID
        {
            // One of them is another account's, and nothing tells which.
            plan.status = nil
            plan.header = nil
        }
    }
}

/// The UIDs that names show as given out, in shards and in `.expunged/`.
struct UsedUIDs {
    /// A name that many UIDs above the ceiling was never given out.
    static let handmade: UInt64 = 1_000_000

    let system: SystemCalls
    let directory: Int32

    /// The highest UID below `end` of a name in a shard, or in `.expunged/` under the UIDVALIDITY; 0 for none.
    /// - Parameters:
    ///   - from: nothing below it is looked for.
    ///   - passing: shards that need no look.
    func highest(
        _ uidValidity: UInt32, from: UInt64 = 0, below end: UInt64, passing: (UInt32) -> Bool = { _ in false }
    ) throws(StoreError) -> UInt64 {
        var highest: UInt64 = 0
        func take(_ uid: UInt32) {
            if UInt64(uid) >= from, UInt64(uid) < end { highest = max(highest, UInt64(uid)) }
        }
        var numbers: [UInt32] = []
        try system.files.forEach(directory, ".") { name, kind in
            if let number = ShardName.parse(name), kind == .directory || kind == .unknown { numbers.append(number) }
        }
        for number in numbers.sorted(by: >)
        where (UInt64(number) + 1) * UInt64(UID.perShard) > max(from, highest)
            && UInt64(number) * UInt64(UID.perShard) < end && !passing(number)
        {
            try forEachName(ShardName.string(number)) { name in
                if let file = MessageFileName.parse(name), file.uid / UID.perShard == number { take(file.uid) }
            }
        }
        try forEachExpunged { if $0.uidValidity == uidValidity { take($0.uid) } }
        return highest
    }

    /// The highest UIDVALIDITY of the names in `.expunged/`; 0 for none.
    func highestUIDValidity() throws(StoreError) -> UInt32 {
        var highest: UInt32 = 0
        try forEachExpunged { highest = max(highest, $0.uidValidity) }
        return highest
    }

    private func forEachExpunged(_ body: (ExpungedName) -> Void) throws(StoreError) {
        for hour in try system.files.names(directory, ExpungedName.directory) where ExpungedName.isHour(hour) {
            try forEachName("\(ExpungedName.directory)/\(hour)") { name in
                if let file = ExpungedName(String(decoding: name, as: UTF8.self)) { body(file) }
            }
        }
    }

    private func forEachName(_ path: String, _ body: (UnsafeBufferPointer<UInt8>) -> Void) throws(StoreError) {
        do {
            try system.files.forEach(directory, path) { name, kind in
                if kind == .file || kind == .unknown { body(name) }
            }
        } catch {
            // Removed meanwhile, or no directory.
            if error.errno != .notFound, error.errno != .notDirectory { throw error }
        }
    }
}
