import DurableFiles
import Glibc
import TestSupport
import Testing

@testable import ShardFS

/// No descriptor is free, at each call in turn: the operation fails whole, no mailbox refuses changes because of it, and
/// all goes on as soon as descriptors are free again.
@Suite struct DescriptorTests {
    /// The ways to add, change and remove a message.
    static let runs: [FaultRun] = [.append, .set, .flagOne, .expunge, .copyMany, .move, .deliver, .extraOne]

    @Test(arguments: runs, [1, Int.max]) func noDescriptorIsFree(_ run: FaultRun, times: Int) throws {
        let bench = try FaultBench(run)
        var wrong: [String] = []
        // Only calls that take a descriptor fail, so from one failure on to the next.
        var next: Int? = 0
        while let at = next, wrong.count < 10 {
            let (found, failed) = try Self.fail(bench, .noDescriptors(from: at, times: times))
            wrong += found
            next = failed.map { $0 + 1 }
        }
        #expect(wrong.isEmpty, "\(run.rawValue):\n\(wrong.joined(separator: "\n"))")
    }

    /// Runs the operation in mailboxes that sessions have selected, which go on with the same ones.
    /// - Returns: what is wrong, and the number of the call that failed.
    private static func fail(
        _ bench: FaultBench, _ mode: FaultHook.Mode
    ) throws -> (wrong: [String], failed: Int?) {
        let path = bench.scratch.copy(bench.image)
        defer { removeTree(path) }
        let hook = FaultHook()
        let store = try bench.store(path, hook)
        let selected = try bench.run.places.compactMap { place in try place.find(store).map { (place, $0) } }
        let before = try store.world(bench.run.places)
        var failure: StoreError?
        hook.arm(mode)
        do { try bench.run.run(store) } catch let error as StoreError { failure = error }
        let failed = hook.disarm().failed
        var wrong: [String] = []
        if let failure, failure.errno != .tooManyFiles {
            wrong.append("the caller heard of \(failure.code): \(failure)")
        }
        if failure != nil, bench.run.isAllOrNone {
            for (key, mailbox) in try store.world(bench.run.places) where mailbox.messages != before[key]?.messages {
                wrong.append("\(key): \(mailbox.listing), before it was \(before[key]?.listing ?? "nothing")")
            }
        }
        for (place, mailbox) in selected {
            if mailbox.isBroken { wrong.append("\(place.key) refuses changes") }
            do { try mailbox.append("a later message") } catch let error as StoreError {
                if error.code != .gone { wrong.append("\(place.key): \(error)") }
            }
        }
        if failure != nil {
            // The same once more, as a client would; what cannot be done whole may be done by now.
            do { try bench.run.run(store) } catch let error as StoreError {
                if ![.exists, .notFound, .gone, .notAllowed].contains(error.code) {
                    wrong.append("the second attempt: \(error)")
                }
            }
        }
        wrong += try AtRest(store: store, places: bench.run.places).violations()
        check(store)
        // A new mailbox that could neither be finished nor removed is left to the upkeep.
        try store.account(AccountAddress(parsing: Place.inbox.address)).maintain()
        wrong += AtRest(store: store, places: []).leftovers().map { "left: \($0)" }
        return (
            wrong.map { "\(mode), call \(failed ?? "none"), \(failure.map { "\($0)" } ?? "no error"): \($0)" },
            failed?.split(separator: ":").first.flatMap { Int($0) }
        )
    }
}
