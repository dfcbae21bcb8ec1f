import Glibc

@testable import ShardFS

/// A run of the engine whose calls are recorded, step by step.
final class CutScenario {
    struct Step {
        var name: String
        var kind: StepKind
        var after: World
    }

    let scratch = FastScratch()
    let recorder = CallRecorder()
    let places: [Place]
    let path: String
    private(set) var options = StoreOptions()
    private(set) var store: Store
    private(set) var image: DiskImage
    private(set) var start: World
    private(set) var steps: [Step] = []
    /// The SAVEDATEs that were durable before the recording, by mailbox id and UID.
    private(set) var saved: [String: [UInt32: Int64?]] = [:]
    /// The mailboxes deleted, each with its step.
    private(set) var deletions: [(step: Int, name: String)] = []
    /// A message that recovery gives a new UID: another one each time that it is cut off.
    var stray: (uid: UInt32, text: String)?

    /// A mailbox as if the stray had got the UID that it is expected under.
    func withStrayInPlace(_ mailbox: MailboxWorld) -> MailboxWorld {
        guard let stray,
            let found = mailbox.messages.first(where: { $0.value.text == stray.text && $0.key > stray.uid })
        else { return mailbox }
        var mailbox = mailbox
        mailbox.messages[found.key] = nil
        mailbox.messages[stray.uid] = found.value
        return mailbox
    }

    /// Whether messages are removed for good.
    var purges = false
    /// How many events are those of processes that died before the first step, their directories unsynced.
    private(set) var ground = 0
    static let unsynced: Set<SyncClass> = [.level, .account, .above, .root, .deleted, .expunged]

    /// - Parameters:
    ///   - prepare: makes the initial store, durably, before the recording; the store is then dropped as by a kill.
    ///   - recordsOpening: whether the opening of the store is part of the recording.
    init(
        _ places: [Place] = [.inbox], boot: String = "boot-1", durability: StoreOptions.Durability = .messages,
        without: Set<Capability> = [], recordsOpening: Bool = false, prepare: (String, StoreOptions) throws -> Void
    ) throws {
        self.places = places
        path = scratch.next()
        mkdir(path, 0o700)
        options.bootID = "boot-1"
        options.durability = durability
        options.withoutCapabilities = without
        options.clock = { 1_700_000_000 }
        options.lockWait = 1
        try prepare(path, options)
        options.bootID = boot
        var recorded = options
        recorded.hook = recorder
        if recordsOpening {
            image = recorder.start(path)
            start = [:]
            store = try Store.open(path, options: recorded)
        } else {
            store = try Store.open(path, options: recorded)
            start = try store.world(places)
            saved = try store.saveDates(places)
            image = recorder.start(path)
        }
    }

    /// Runs other processes that die without a sync of the directories that they made; what they made is acknowledged
    /// to nobody.
    func dead(_ body: (Store) throws -> Void) throws {
        precondition(steps.isEmpty)
        var options = options
        options.hook = recorder
        try body(Store.open(path, options: options))
        ground = recorder.events.count
    }

    /// Runs one acknowledged step.
    func step(_ name: String, _ kind: StepKind = .single, _ body: (CutScenario) throws -> Void) throws {
        try body(self)
        // A look at a closed mailbox opens it again.
        if name.hasPrefix("close") { recorder.mark(steps.count + 1) }
        let after = try store.world(places)
        steps.append(Step(name: name, kind: kind, after: after))
        if !name.hasPrefix("close") { recorder.mark(steps.count) }
    }

    /// Sets the state before the recording, for scenarios that record the opening.
    func began(with world: World, _ saved: [String: [UInt32: Int64?]]) {
        start = world
        self.saved = saved
    }

    /// Notes that what was deleted is removed for good in the next step.
    func purged() { deletions = [] }

    /// Notes that the next step deletes a mailbox.
    func willDelete(_ name: String) { deletions.append((steps.count, name)) }

    func mailbox(_ place: Place = .inbox) throws -> Mailbox { try place.open(store) }
}

/// The marks that readers may have seen, derived only from the bytes of the change logs.
struct ShownMarks {
    var highestUID: UInt32 = 0
    var highestModSeq: ModSeq = 0

    /// Adds every done record of a log.
    mutating func add(log bytes: [UInt8]) -> String? {
        guard let header = bytes.withUnsafeBytes({ LogHeader($0) }) else { return nil }
        highestModSeq = max(highestModSeq, header.oldestAnswerable)
        var at = LogHeader.size
        var index: UInt64 = 0
        while at + LogRecord.size <= bytes.count {
            index += 1
            let record = bytes.withUnsafeBytes { LogRecord($0.baseAddress! + at) }
            at += LogRecord.size
            guard let record, record.isDone else { continue }
            switch record.kind {
            case .append, .kept, .flags, .expunge:
                highestUID = max(highestUID, record.uid)
                highestModSeq = max(highestModSeq, record.modSeq != 0 ? record.modSeq : header.base + index)
            case .set, .recent, .void, .clean, .letters: break
            }
        }
        return header.mailboxID
    }
}

extension Store {
    /// The SAVEDATEs that the logs tell, by mailbox id and UID.
    func saveDates(_ places: [Place]) throws -> [String: [UInt32: Int64?]] {
        var dates: [String: [UInt32: Int64?]] = [:]
        for place in places {
            guard let mailbox = try place.find(self) else { continue }
            let messages = try mailbox.snapshot().messages
            for i in 0..<messages.count {
                dates[mailbox.id, default: [:]][messages[i].uid.rawValue] = try mailbox.details(messages[i]).saved
            }
        }
        return dates
    }
}
