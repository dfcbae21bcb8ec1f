import Glibc
import Testing

@testable import ShardFS

/// Random histories against the model. `SHARDFS_MODEL_SEED` runs one seed, `SHARDFS_MODEL_STEPS` makes runs longer.
@Suite struct ModelTests {
    private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    static let seeds: [UInt64] =
        number("SHARDFS_MODEL_SEED").map { [$0] } ?? (0..<4).map { _ in UInt64.random(in: 1...999_999) }
    static let steps = number("SHARDFS_MODEL_STEPS") ?? 120

    @Test(arguments: seeds) func randomOperations(_ seed: UInt64) throws {
        let run = try ModelRun(seed: seed)
        do {
            for _ in 0..<Self.steps { try run.step() }
        } catch {
            let last = run.trace.suffix(12).joined(separator: "\n")
            Issue.record("seed \(seed), step \(run.trace.count): \(error)\n\(last)")
        }
        run.store.check()
    }
}
