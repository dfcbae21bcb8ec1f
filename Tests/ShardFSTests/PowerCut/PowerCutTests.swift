import TestSupport
import Testing

@testable import ShardFS

/// The power fails at every point of a run: whatever unsynced data the disk kept, the rules hold.
@Suite struct PowerCutTests {
    @Test(arguments: CutRun.allCases) func everyCut(_ run: CutRun) throws {
        let scenario = try run.record()
        var check = CutCheck(scenario)
        // Of these the acknowledgements count; every cut of the same calls is in another run.
        check.isQuick = [
            .groundAppend, .groundSet, .groundCopy, .groundDeliver, .groundCreate, .firstMailboxAppend, .firstSet,
            .firstCopy, .firstDeliver, .extraKeywords,
        ].contains(run)
        if [.move, .moveAcrossAccounts, .moveIntoDeadShard, .renameInbox].contains(run) { check.exhaustive = 9 }
        let outcome = check.run()
        #expect(outcome.states > (check.isQuick ? 0 : 4), "too few states to mean anything")
        let seed = "SHARDFS_SEED=\(SeededGenerator.testSeed)"
        let wrong = outcome.violations.joined(separator: "\n")
        #expect(outcome.violations.isEmpty, "\(run.rawValue), \(seed), \(outcome.states) states: \(wrong)")
        let calls = scenario.recorder.events.count
        print("power cut: \(run.rawValue): \(outcome.states) states, \(calls) calls, \(seed)")
    }

    /// A sync removed from the recording: the same check must notice that it is missing.
    struct Mutation: Sendable, CustomTestStringConvertible {
        /// Called with the synced node, the names of all nodes, and the previous event.
        typealias Forgets = @Sendable (DiskImage.Node, RecordedNames, DiskEvent?) -> Bool
        var run: CutRun
        var name: String
        var forgets: Forgets
        /// Replaces the sync by fdatasync(2) instead of removing it.
        var keepsData = false
        var testDescription: String { "\(run.rawValue) without \(name)" }

        init(
            _ run: CutRun, _ name: String, keepsData: Bool = false,
            _ forgets: @escaping Forgets
        ) {
            self.run = run
            self.name = name
            self.keepsData = keepsData
            self.forgets = forgets
        }

        func mutate(_ event: DiskEvent, _ previous: DiskEvent?, _ names: RecordedNames) -> DiskEvent? {
            guard case .sync(let node, _) = event, forgets(node, names, previous) else { return event }
            return keepsData ? .sync(node, dataOnly: true) : nil
        }
    }

    /// What the matrix of `SyncMatrixTests` does not have: other ways to store the same message.
    static let mutations = [
        Mutation(.append, "the date in the sync of the message", keepsData: true) { node, names, _ in
            names.isMessage(node)
        },
        Mutation(.withoutUnnamedFiles, "the fsync of the message") { node, names, _ in names.isMessage(node) },
        Mutation(.deliverFromStore, "the fsync of the message") { node, names, _ in names.isMessage(node) },
        Mutation(.deliverFromStoreWithoutUnnamedFiles, "the fsync of the message") { node, names, _ in
            names.isMessage(node)
        },
        Mutation(.letters, "the fsync of the shard") { node, names, _ in names.isShard(node) },
    ]

    @Test(arguments: mutations) func forgottenSync(_ mutation: Mutation) throws {
        let scenario = try mutation.run.record()
        var check = CutCheck(scenario, mutate: mutation.mutate)
        check.enough = 1
        let outcome = check.run()
        #expect(!outcome.violations.isEmpty, "\(outcome.states) states, and nobody missed it")
        print(
            "power cut: \(mutation.testDescription), after \(outcome.states) states: \(outcome.violations.first ?? "")")
    }
}
