import Glibc
import ShardFS
import TestSupport
import Testing

@testable import ShardIndex

/// A `shardindex-writer` process to be killed.
final class Child {
    private let pid: pid_t
    private let output: Int32
    private var text = ""

    init(_ scratch: CacheScratch, firstUID: UInt32, lastUID: UInt32 = .max / 2) throws {
        let program = Program.built("shardindex-writer")
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        let words = [
            program, scratch.path, CacheScratch.storeID, scratch.address.description, "\(firstUID)", "\(lastUID)",
        ]
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var made: pid_t = 0
        try #require(posix_spawn(&made, program, &actions, nil, &pointers, environ) == 0)
        posix_spawn_file_actions_destroy(&actions)
        close(ends[1])
        pid = made
        output = ends[0]
    }

    /// Waits until at least `uid` is reported as written; returns the highest UID reported.
    @discardableResult
    func waitFor(_ uid: UInt32) throws -> UInt32 {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let lines = text.split(separator: "\n")
            if let last = lines.last, text.hasSuffix("\n"), let reported = UInt32(last), reported >= uid {
                return reported
            }
            let count = read(output, &bytes, bytes.count)
            try #require(count > 0, "the writer ended")
            text += String(decoding: bytes[0..<count], as: UTF8.self)
        }
    }

    func kill() {
        Glibc.kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        close(output)
    }
}
