/// What a mailbox's log says up to some record: the messages, the intents without a done, and the next UID.
///
/// Pure: records in, state out. Acts on done records only.
struct MailboxView: Sendable {
    /// An intent that has no done record yet.
    struct Intent: Sendable {
        var record: LogRecord
        /// Appends of a set, held back until the set's done record.
        var held: [(LogRecord, Int)] = []
        /// Another change of the same message ran beside it: its order is told by the name alone.
        var contended = false
    }

    private(set) var list = MessageList()
    private(set) var pending: [UInt64: Intent] = [:]
    /// Records applied: the place of the next one.
    private(set) var applied = 0
    private(set) var base: UInt64
    private(set) var highestModSeq: ModSeq
    /// No UID below it is free.
    private(set) var nextUID: UInt64
    private(set) var recentUID: UInt32
    private(set) var oldestAnswerable: ModSeq
    /// The mod-sequence of a clean mark that is the last record.
    private(set) var cleanMark: ModSeq?
    /// Messages whose name must be looked at: their records may stand in the other order than their renames.
    var unconfirmed: Set<UInt32> = []
    /// Every flag that any message has had: tells when a keyword's name must be looked up.
    private(set) var usedFlags: MessageFlags = []

    init(_ header: LogHeader, uidFloor: UInt64) {
        base = header.base
        highestModSeq = max(header.oldestAnswerable, 1)
        nextUID = min(max(header.nextUID, uidFloor, 1), UID.end)
        recentUID = header.recentUID
        oldestAnswerable = header.oldestAnswerable
    }

    /// As it was kept, of the log with this header.
    init(_ viewHeader: ViewHeader, _ list: MessageList, header: LogHeader, uidFloor: UInt64) {
        self.init(header, uidFloor: uidFloor)
        self.list = list
        applied = Int(viewHeader.applied)
        highestModSeq = max(highestModSeq, viewHeader.highestModSeq)
        nextUID = min(max(nextUID, viewHeader.nextUID), UID.end)
        recentUID = max(recentUID, viewHeader.recentUID)
        cleanMark = viewHeader.cleanMark == 0 ? nil : viewHeader.cleanMark
        usedFlags = MessageFlags(rawValue: viewHeader.usedFlags)
    }

    /// The place of the first append that waits for the done record of its set; nil when none does.
    var firstHeld: Int? { pending.values.compactMap { $0.held.first?.1 }.min() }

    /// The mod-sequence that the next record will have.
    var nextModSeq: ModSeq { base + UInt64(applied) + 1 }

    /// Takes in the record at place `index`.
    mutating func apply(_ record: LogRecord, at index: Int) {
        applied = index + 1
        cleanMark = nil
        guard record.isDone else { return intent(record) }
        let modSeq = record.modSeq != 0 ? record.modSeq : base + UInt64(index) + 1
        switch record.kind {
        case .append, .kept:
            if pending[record.token]?.record.kind == .set {
                pending[record.token]!.held.append((record, index))
                return
            }
            pending[record.token] = nil
            put(record, index, modSeq)
        case .set:
            guard let set = pending.removeValue(forKey: record.token) else { break }
            for (held, place) in set.held {
                put(held, place, held.modSeq != 0 ? held.modSeq : base + UInt64(place) + 1)
            }
            // Its own record is not kept by compaction, so it must not count: the highest never goes down.
            return
        case .flags:
            finish(record)
            list.setFlags(record.uid, record.flags.rawValue, modSeq)
            usedFlags.formUnion(record.flags)
        case .expunge:
            finish(record)
            list.remove(record.uid)
            unconfirmed.remove(record.uid)
        case .recent:
            // Nothing that a client can ask for changed, so the mod-sequence stays.
            recentUID = max(recentUID, record.uid)
            return
        case .void:
            finish(record)
            return
        case .clean:
            cleanMark = modSeq
            return
        }
        highestModSeq = max(highestModSeq, modSeq)
    }

    private mutating func intent(_ record: LogRecord) {
        if record.kind == .append { raiseNextUID(UInt64(record.uid) + 1) }
        if record.kind == .set { raiseNextUID(UInt64(record.uid) + UInt64(record.messageSize)) }
        var intent = Intent(record: record)
        if !pending.isEmpty, record.kind == .flags {
            for (token, other) in pending where other.record.uid == record.uid && other.record.kind == .flags {
                intent.contended = true
                pending[token]!.contended = true
            }
        }
        pending[record.token] = intent
    }

    private mutating func finish(_ record: LogRecord) {
        guard !pending.isEmpty, let intent = pending.removeValue(forKey: record.token) else { return }
        if intent.contended { unconfirmed.insert(intent.record.uid) }
    }

    private mutating func put(_ record: LogRecord, _ index: Int, _ modSeq: ModSeq) {
        raiseNextUID(UInt64(record.uid) + 1)
        usedFlags.formUnion(record.flags)
        list.put(
            record.uid, flags: record.flags.rawValue, modSeq: modSeq, size: record.messageSize,
            record: UInt32(truncatingIfNeeded: index))
        highestModSeq = max(highestModSeq, modSeq)
    }

    mutating func raiseNextUID(_ floor: UInt64) { nextUID = max(nextUID, floor) }

    /// A look at the name told the flags; the mod-sequence stays.
    mutating func confirm(_ uid: UInt32, _ flags: MessageFlags) {
        if let entry = list.entry(of: UID(uid)) { list.setFlags(uid, flags.rawValue, entry.modSeq) }
        unconfirmed.remove(uid)
    }

    /// A listing without the lock: the message is (not) there, whatever the log says.
    mutating func show(_ uid: UInt32, _ flags: MessageFlags, size: UInt32) {
        let known = list.entry(of: UID(uid))
        list.put(
            uid, flags: flags.rawValue, modSeq: known?.modSeq ?? highestModSeq, size: size,
            record: known?.record ?? 0)
        raiseNextUID(UInt64(uid) + 1)
    }

    mutating func remove(_ uid: UInt32) { list.remove(uid) }

    /// What was looked up of messages' dates, by UID less the shard's first.
    mutating func setDates(ofShard number: UInt32, _ dates: [UInt16: UInt32]) { list.setDates(ofShard: number, dates) }

    mutating func locateShards() { list.locateShards() }

    mutating func noteDates(_ dates: [(uid: UInt32, date: UInt32)]) { list.noteDates(dates) }

    /// A kind of a later version, or a place that holds nothing to act on.
    mutating func skip(to index: Int) { applied = max(applied, index) }
}
