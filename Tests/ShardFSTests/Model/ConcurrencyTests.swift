import FoundationEssentials
import Glibc
import Testing

/// Several threads and several processes on one store, some of them killed, judged by `shardfs-stress`.
///
/// The program is looked for beside the test bundle; `SHARDFS_STRESS` names another. `SHARDFS_STRESS_SEED` sets the
/// seed, which a failure prints.
@Suite(.serialized) struct ConcurrencyTests {
    private static func setting(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    static let program: String? = {
        if let path = setting("SHARDFS_STRESS") { return path }
        guard let bundle = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
            let slash = bundle.lastIndex(of: "/")
        else { return nil }
        let path = "\(bundle[..<slash])/shardfs-stress"
        return access(path, X_OK) == 0 ? path : nil
    }()

    @Test("the judge finds what was planted", .enabled(if: program != nil))
    func judge() throws {
        let (status, output) = try Self.run(["--mode", "self-test"])
        #expect(status == 0, "\(output)")
    }

    @Test(
        "no rule is broken", .enabled(if: program != nil),
        arguments: [(processes: 1, threads: 4, seconds: 1), (processes: 4, threads: 2, seconds: 3)])
    func stress(_ processes: Int, _ threads: Int, _ seconds: Int) throws {
        let seed = Self.setting("SHARDFS_STRESS_SEED") ?? String(UInt64.random(in: 1...999_999))
        let (status, output) = try Self.run([
            "--seed", seed, "--processes", "\(processes)", "--threads", "\(threads)", "--seconds", "\(seconds)",
        ])
        #expect(status == 0, "\(output)")
    }

    /// Runs the program to its end.
    private static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let program = try #require(Self.program)
        var template = Array("/tmp/shardfs-stress-XXXXXX".utf8CString)
        let fd = template.withUnsafeMutableBufferPointer { mkstemp($0.baseAddress!) }
        let file = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            close(fd)
            unlink(file)
        }
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, fd, 1)
        var id = pid_t()
        let failed = posix_spawn(&id, program, &actions, nil, words, environ)
        try #require(failed == 0)
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
        let output = try String(decoding: Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        return (status, output)
    }
}
