import DurableFiles
import Glibc
import TestSupport
import Testing

@testable import ShardFS

/// Each call of each operation fails in turn: the caller gets an error, nothing is half done, and the store keeps
/// working.
@Suite struct FaultTests {
    static let errors: [Errno] = [.noSpace, .io, .quota, .tooManyFiles, .readOnly]
    /// Every error at every call, where `SHARDFS_ALL_FAULTS` is set; else one at each, in rotation.
    static let all = getenv("SHARDFS_ALL_FAULTS") != nil

    @Test(arguments: FaultRun.allCases) func oneCallFails(_ run: FaultRun) throws {
        let bench = try FaultBench(run)
        let calls = try bench.calls()
        var wrong: [String] = []
        for (i, error) in Self.errors.enumerated() {
            for at in 0..<calls where wrong.count < 10 && (Self.all || at % Self.errors.count == i) {
                wrong += try Self.fail(bench, .once(at: at, error), error)
            }
        }
        #expect(wrong.isEmpty, "\(run.rawValue), \(calls) calls:\n\(wrong.joined(separator: "\n"))")
    }

    @Test(arguments: FaultRun.allCases) func theDiskIsFull(_ run: FaultRun) throws {
        let bench = try FaultBench(run)
        let calls = try bench.calls()
        var wrong: [String] = []
        for at in 0..<calls where wrong.count < 10 {
            wrong += try Self.fail(bench, .full(from: at, .noSpace), .noSpace)
        }
        #expect(wrong.isEmpty, "\(run.rawValue), \(calls) calls:\n\(wrong.joined(separator: "\n"))")
    }

    @Test(arguments: FaultRun.allCases, [1, 40]) func shortWrites(_ run: FaultRun, limit: Int) throws {
        let bench = try FaultBench(run)
        let wrong = try Self.fail(bench, .shortWrites(limit), .io)
        #expect(wrong.isEmpty, "\(run.rawValue):\n\(wrong.joined(separator: "\n"))")
    }

    /// Runs the operation with faults, then checks the store.
    static func fail(_ bench: FaultBench, _ mode: FaultHook.Mode, _ error: Errno) throws -> [String] {
        let path = bench.scratch.copy(bench.image)
        defer { removeTree(path) }
        let hook = FaultHook()
        var wrong: [String] = []
        var failure: StoreError?
        var store: Store?
        // On a disk that stays full, a published message cannot always be undone.
        let strict = if case .full = mode { false } else { true }
        do {
            if bench.run == .openStore {
                hook.arm(mode)
                store = try bench.store(path, hook)
            } else {
                let open = try bench.store(path, hook)
                store = open
                hook.arm(mode)
                try bench.run.run(open)
            }
        } catch let error as StoreError { failure = error }
        let (_, failed, failedRemoval) = hook.disarm()
        if let failure, failed == nil { wrong.append("failed with nothing wrong: \(failure)") }
        if let failure, failure.errno != error {
            wrong.append("the caller heard of another error: \(failure.code): \(failure)")
        }

        // In the same process, with the disk working again.
        if let store {
            wrong += try judge(store, bench, failure, strict)
            for place in bench.run.places {
                guard let mailbox = try place.find(store) else { continue }
                let next = try mailbox.snapshot().uidNext
                let uid = try mailbox.append("a later message")
                if uid < next { wrong.append("\(place.key): UID \(uid) is below UIDNEXT") }
            }
            wrong += try AtRest(store: store, places: bench.run.places).violations()
            if !failedRemoval { wrong += AtRest(store: store, places: []).leftovers().map { "left: \($0)" } }
        }
        store = nil
        wrong += AtRest.openDescriptors(below: path).map { "open: \($0)" }

        // From another process.
        let fresh = try Store.open(path, options: bench.run.options(bench.run.boot))
        wrong += try judge(fresh, bench, failure, strict, "a later message")
        wrong += try AtRest(store: fresh, places: bench.run.places).violations()
        return wrong.map { "\(mode), call \(failed ?? "none"), \(failure.map { "\($0)" } ?? "no error"): \($0)" }
    }

    private static func judge(
        _ store: Store, _ bench: FaultBench, _ failure: StoreError?, _ strict: Bool, _ ignoring: String? = nil
    ) throws -> [String] {
        for place in bench.run.places {
            // The next holder of the lock settles unfinished work.
            try place.find(store)?.locked(exclusive: true) { () throws(StoreError) in }
        }
        var now = bench.adopting(try store.world(bench.run.places))
        if let ignoring {
            for (key, mailbox) in now { now[key]?.messages = mailbox.messages.filter { $0.value.text != ignoring } }
        }
        var rules = bench.rules()
        if failure == nil { rules.before = bench.after }
        if failure != nil, strict, bench.run.isAllOrNone { rules.after = bench.before }
        return rules.violations(now)
    }
}
