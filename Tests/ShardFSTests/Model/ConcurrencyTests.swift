import Glibc
import TestSupport
import Testing

/// Several threads and several processes on one store, some of them killed, judged by `shardfs-stress`.
///
/// The program is expected beside the test bundle; `SHARDFS_STRESS` names another. `SHARDFS_STRESS_SEED` sets the seed,
/// which a failure prints.
@Suite(.serialized) struct ConcurrencyTests {
    private static func setting(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    static let program: String? = {
        if let path = setting("SHARDFS_STRESS") { return path }
        let path = Program.built("shardfs-stress")
        return access(path, X_OK) == 0 ? path : nil
    }()

    @Test("the judge finds what was planted", .enabled(if: program != nil))
    func judge() throws {
        let (output, status) = try Self.run(["--mode", "self-test"])
        #expect(status == 0, "\(output)")
    }

    @Test(
        "no rule is broken", .enabled(if: program != nil),
        arguments: [(processes: 1, threads: 4, seconds: 1), (processes: 4, threads: 2, seconds: 3)])
    func stress(_ processes: Int, _ threads: Int, _ seconds: Int) throws {
        let seed = Self.setting("SHARDFS_STRESS_SEED") ?? String(UInt64.random(in: 1...999_999))
        let (output, status) = try Self.run([
            "--seed", seed, "--processes", "\(processes)", "--threads", "\(threads)", "--seconds", "\(seconds)",
        ])
        #expect(status == 0, "\(output)")
    }

    /// Runs the program until it ends.
    private static func run(_ arguments: [String]) throws -> (output: String, status: Int32) {
        try Program.run([#require(program)] + arguments)
    }
}
