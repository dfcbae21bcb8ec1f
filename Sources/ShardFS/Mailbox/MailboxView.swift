/// The state of a mailbox according to its log up to some record: the messages, the open intents, and the next UID.
///
/// Purely computed from the records. Only done records change messages.
struct MailboxView: Sendable {
    /// An intent without a done record so far.
    struct Intent: Sendable {
        var record: LogRecord
        /// The appends of a set, held back until the set's done record.
        var held: [(LogRecord, Int)] = []
        /// Another change of the same message ran concurrently: only the name shows their order.
        var contended = false
    }

    private(set) var list = MessageList()
    private(set) var pending: [UInt64: Intent] = [:]
    /// The number of applied records, and the place of the next one.
    private(set) var applied = 0
    private(set) var base: UInt64
    private(set) var highestModSeq: ModSeq
    /// Every UID below this is taken.
    private(set) var nextUID: UInt64
    private(set) var recentUID: UInt32
    private(set) var oldestAnswerable: ModSeq
    /// The mod-sequence of the clean mark, if that is the last record.
    private(set) var cleanMark: ModSeq?
    /// Messages whose names must be checked: their records may be in a different order than their renames.
    var unconfirmed: Set<UInt32> = []
    /// All flags that any message has had: shows when a keyword's name must be looked up.
    private(set) var usedFlags: MessageFlags = []
    /// How often letters were freed, and which of them nobody has been told of yet.
    private(set) var freeings: UInt64 = 0
    private var freed: MessageFlags = []
    /// keywords.json has to be read: never read so far, or changed by a record.
    var keywordsChanged = true

    init(_ header: LogHeader, uidFloor: UInt64) {
        base = header.base
        highestModSeq = max(header.oldestAnswerable, 1)
        nextUID = min(max(header.nextUID, uidFloor, 1), UID.end)
        recentUID = header.recentUID
        oldestAnswerable = header.oldestAnswerable
    }

    /// Restores a cached view of the log with this header.
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

    /// The place of the first append held back for its set's done record; nil if there is none.
    var firstHeld: Int? { pending.values.compactMap { $0.held.first?.1 }.min() }

    /// The mod-sequence of the next record.
    var nextModSeq: ModSeq { base + UInt64(applied) + 1 }

    /// Applies the record at place `index`.
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
            // Compaction does not keep the set's own record, so it must not count: the highest mod-sequence never
            // decreases.
            return
        case .flags:
            finish(record)
            list.setFlags(record.uid, record.flags.rawValue, modSeq)
            usedFlags.formUnion(record.flags)
            if record.changesKeywords { keywordsChanged = true }
        case .expunge:
            finish(record)
            list.remove(record.uid)
            unconfirmed.remove(record.uid)
        case .recent:
            // Nothing visible to clients changed, so the mod-sequence stays.
            recentUID = max(recentUID, record.uid)
            return
        case .void:
            finish(record)
            if record.changesKeywords { keywordsChanged = true }
            return
        case .clean:
            cleanMark = modSeq
            return
        case .letters:
            // No message changes with it, so that no mod-sequence that a client can have does.
            finish(record)
            freeings += 1
            freed.formUnion(record.flags)
            usedFlags.subtract(record.flags)
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
        if record.changesKeywords { keywordsChanged = true }
        list.put(
            record.uid, flags: record.flags.rawValue, modSeq: modSeq, size: record.messageSize,
            record: UInt32(truncatingIfNeeded: index))
        highestModSeq = max(highestModSeq, modSeq)
    }

    /// Whether a set without its end may be one that was acknowledged: its done records have begun, or something that
    /// cannot be read stands behind its intent. All its names were durable before that was written.
    func hasSetInDoubt(torn: Bool) -> Bool {
        pending.values.contains { intent in
            intent.record.kind == .set && intent.held.count < Int(intent.record.messageSize)
                && (torn || !intent.held.isEmpty)
        }
    }

    /// Letters were being freed by a writer that died: only an exclusive holder can say that they are.
    var isFreeingLetters: Bool { !pending.isEmpty && pending.values.contains { $0.record.kind == .letters } }

    /// The letters freed since the last call.
    mutating func takeFreed() -> MessageFlags {
        defer { freed = [] }
        return freed
    }

    mutating func raiseNextUID(_ floor: UInt64) { nextUID = max(nextUID, floor) }

    /// Sets the flags found in the name; the mod-sequence is unchanged.
    mutating func confirm(_ uid: UInt32, _ flags: MessageFlags) {
        if let entry = list.entry(of: UID(uid)) { list.setFlags(uid, flags.rawValue, entry.modSeq) }
        unconfirmed.remove(uid)
    }

    /// Adds or updates a message found by a listing without the lock, whatever the log says.
    mutating func show(_ uid: UInt32, _ flags: MessageFlags, size: UInt32) {
        let known = list.entry(of: UID(uid))
        list.put(
            uid, flags: flags.rawValue, modSeq: known?.modSeq ?? highestModSeq, size: size,
            record: known?.record ?? 0)
        raiseNextUID(UInt64(uid) + 1)
    }

    mutating func remove(_ uid: UInt32) { list.remove(uid) }

    /// Sets the dates of a shard's messages, by UID minus the shard's first UID.
    mutating func setDates(ofShard number: UInt32, _ dates: [UInt16: UInt32]) { list.setDates(ofShard: number, dates) }

    mutating func locateShards() { list.locateShards() }

    mutating func noteDates(_ dates: [(uid: UInt32, date: UInt32)]) { list.noteDates(dates) }

    /// Skips records without effect, such as those of a later version's kind.
    mutating func skip(to index: Int) { applied = max(applied, index) }
}
