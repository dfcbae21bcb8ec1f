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
        let after = try store.world(places)
        steps.append(Step(name: name, kind: kind, after: after))
        recorder.mark(steps.count)
    }

    /// Sets the state before the recording, for scenarios that record the opening.
    func began(with world: World) { start = world }

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
