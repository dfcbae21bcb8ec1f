import TestSupport
import Testing

@testable import ShardFS

/// The power fails at every point of a run: whatever unsynced data the disk kept, the rules hold.
@Suite struct PowerCutTests {
    @Test(arguments: CutRun.allCases) func everyCut(_ run: CutRun) throws {
        let scenario = try run.record()
        var check = CutCheck(scenario)
        if [.move, .moveAcrossAccounts, .moveIntoDeadShard, .renameInbox].contains(run) { check.exhaustive = 9 }
        let outcome = check.run()
        #expect(outcome.states > 10, "too few states to mean anything")
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

    static let mutations = [
        Mutation(.append, "the fsync of the message") { node, names, _ in names.isMessage(node) },
        Mutation(.append, "the fsync of the shard") { node, names, _ in names.isShard(node) },
        Mutation(.append, "the fsync of the shard's parent") { node, names, _ in names.isMailbox(node) },
        Mutation(.append, "the date in the sync of the message", keepsData: true) { node, names, _ in
            names.isMessage(node)
        },
        Mutation(.withoutUnnamedFiles, "the fsync of the message") { node, names, _ in names.isMessage(node) },
        Mutation(.firstAppend, "the fsync of the directories above") { node, names, _ in
            ["domains", "example.com", "users", "alice", "mailboxes"].contains { name in names.has(node) { $0 == name }
            }
        },
        Mutation(.set, "the fdatasync of the log") { node, names, _ in names.isLog(node) },
        Mutation(.set, "the fsync of the shards") { node, names, _ in names.isShard(node) },
        Mutation(.set, "the fsync of the messages") { node, names, _ in names.isMessage(node) },
        Mutation(.copy, "the fdatasync of the log") { node, names, _ in names.isLog(node) },
        Mutation(.copy, "the fsync of the shards") { node, names, _ in names.isShard(node) },
        Mutation(.flagsFull, "the fsync of the shard") { node, names, _ in names.isShard(node) },
        Mutation(.expunge, "the fsync of the shard and of .expunged") { node, names, _ in
            names.isShard(node) || names.isExpunged(node)
        },
        Mutation(.move, "the fsync of both shards") { node, names, _ in names.isShard(node) },
        Mutation(.createMailbox, "the fsync of the level above") { node, names, _ in
            names.has(node) { $0 == "mailboxes" }
        },
        Mutation(.rename, "the fsync of the levels above") { node, names, _ in names.has(node) { $0 == "mailboxes" } },
        Mutation(.delete, "the fsync of the levels above") { node, names, _ in
            names.has(node) { $0 == "mailboxes" || $0 == ".deleted" }
        },
        Mutation(.deliver, "the fdatasync of the logs") { node, names, _ in names.isLog(node) },
        Mutation(.deliverFromStore, "the fsync of the message") { node, names, _ in names.isMessage(node) },
        Mutation(.deliverFromStore, "the fdatasync of the logs") { node, names, _ in names.isLog(node) },
        Mutation(.deliverFromStoreWithoutUnnamedFiles, "the fsync of the message") { node, names, _ in
            names.isMessage(node)
        },
        Mutation(.deliverFromStoreWithoutUnnamedFiles, "the fsync of the shards") { node, names, _ in
            names.isShard(node)
        },
        Mutation(.letters, "the fsync of the shard") { node, names, _ in names.isShard(node) },
        Mutation(.ceilings, "the fsync of status.json") { node, names, _ in names.isStatus(node) },
        Mutation(.ceilings, "the fsync after status.json's rename") { _, _, previous in
            if case .rename(_, _, _, MailboxStatus.fileName, _, _)? = previous { true } else { false }
        },
        Mutation(.recovery, "the fsyncs after the renames of status.json and the log") { _, _, previous in
            guard case .rename(_, _, _, let name, _, _)? = previous else { return false }
            return name == MailboxStatus.fileName || name == LogFile.fileName
        },
        Mutation(.recovery, "the fsync of the shard") { node, names, _ in names.isShard(node) },
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
