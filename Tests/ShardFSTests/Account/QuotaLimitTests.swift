import DurableFiles
import Primitives
import Testing

@testable import ShardFS

@Suite struct QuotaLimitTests {
    private static let later = Clocks.wall() + 1000

    @Test(
        arguments: [
            (#"{"quota_mb": 1024}"#, 1 << 30), (#"{"quota_mb": 0}"#, 0), (#"{}"#, 0), (#"{"quota_mb": null}"#, 0),
            (#"{"quota_mb": 0.5}"#, 1 << 19), (#"{"quota_mb": 1e30}"#, .max),
            (#"{"quota_mb": 18446744073709551615}"#, .max),
            (#"{"username": "alice", "quota_mb": 1}"#, 1 << 20),
        ] as [(String, UInt64)])
    func reads(_ row: (String, UInt64)) throws {
        let scratch = try AccountScratch()
        try scratch.write(row.0, to: "user.json")
        #expect(try QuotaLimit(system: scratch.system, directory: scratch.directory).current.bytes == row.1)
    }

    @Test(
        arguments: [
            (#"{"quota_messages": 7}"#, 0, 7), (#"{"quota_mb": 2, "quota_messages": 1e30}"#, 2 << 20, .max),
            (#"{"quota_mb": 2, "quota_messages": null}"#, 2 << 20, 0), (#"{"quota_messages": 0}"#, 0, 0),
        ] as [(String, UInt64, UInt64)])
    func readsBoth(_ row: (String, UInt64, UInt64)) throws {
        let scratch = try AccountScratch()
        try scratch.write(row.0, to: "user.json")
        let limits = try QuotaLimit(system: scratch.system, directory: scratch.directory).current
        #expect(limits == QuotaLimits(bytes: row.1, messages: row.2))
    }

    @Test(arguments: [
        "", "{", "[]", "7", #"{"quota_messages": "x"}"#, #"{"quota_mb": -1}"#, #"{"quota_mb": "many"}"#,
        #"{"quota_mb": -0.5}"#,
    ])
    func aBrokenFileKeepsTheLastLimit(_ broken: String) throws {
        let scratch = try AccountScratch()
        try scratch.write(broken, to: "user.json")
        let limit = QuotaLimit(system: scratch.system, directory: scratch.directory, clock: { Self.later })
        #expect(throws: StoreError(.damaged, "")) { try limit.current.bytes }
        try scratch.write(#"{"quota_mb": 2}"#, to: "user.json")
        #expect(try limit.current.bytes == 2 << 20)
        try scratch.write(broken, to: "user.json")
        #expect(try limit.current.bytes == 2 << 20)
        #expect(try limit.current.bytes == 2 << 20)
        try scratch.write(#"{"quota_mb": 3}"#, to: "user.json")
        #expect(try limit.current.bytes == 3 << 20)
    }

    @Test func noFileIsNoLimit() throws {
        let scratch = try AccountScratch()
        #expect(try QuotaLimit(system: scratch.system, directory: scratch.directory).current.bytes == 0)
    }

    @Test func readsAgainOnlyWhenTheFileChanged() throws {
        let scratch = try AccountScratch()
        try scratch.write(#"{"quota_mb": 2}"#, to: "user.json")
        let reads = ReadCounter()
        let limit = QuotaLimit(
            system: SystemCalls(hook: reads), directory: scratch.directory, clock: { Self.later })
        for _ in 0..<5 { #expect(try limit.current.bytes == 2 << 20) }
        #expect(reads.count == 1)
        try scratch.write(#"{"quota_mb": 9}"#, to: "user.json")
        #expect(try limit.current.bytes == 9 << 20)
        #expect(reads.count == 2)
    }

    /// An edit in place within one tick of the file system's clock, with the same size: the stamp does not change.
    @Test func aYoungFileIsReadEachTime() throws {
        let scratch = try AccountScratch()
        try scratch.write(#"{"quota_mb": 2}"#, to: "user.json")
        let reads = ReadCounter()
        let limit = QuotaLimit(system: SystemCalls(hook: reads), directory: scratch.directory, clock: { 0 })
        for _ in 0..<3 { #expect(try limit.current.bytes == 2 << 20) }
        #expect(reads.count == 3)
    }
}

/// Counts how often a file is opened.
final class ReadCounter: SystemHook {
    private let opens = Locked(0)
    var count: Int { opens.withLock { $0 } }

    func before(_ call: SystemCall) -> Errno? {
        if case .open = call { opens.withLock { $0 += 1 } }
        return nil
    }
}
