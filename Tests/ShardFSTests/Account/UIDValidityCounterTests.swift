import DurableFiles
import Primitives
import TestSupport
import Testing

@testable import ShardFS

@Suite struct UIDValidityCounterTests {
    private func counter(_ scratch: AccountScratch, at time: Int64) -> UIDValidityCounter {
        UIDValidityCounter(system: scratch.system, directory: scratch.directory, clock: { time })
    }

    @Test func followsTheClockAndNeverRepeats() throws {
        let scratch = try AccountScratch()
        try scratch.write("1000\n", to: "uidvalidity")
        let none = { () throws(StoreError) -> UInt32 in throw StoreError(.system, "not to be asked") }
        #expect(try counter(scratch, at: 2000).next(until: 0, highestInUse: none) == 2000)
        #expect(try counter(scratch, at: 2000).next(until: 0, highestInUse: none) == 2001)
        #expect(try counter(scratch, at: 5).next(until: 0, highestInUse: none) == 2002)
        #expect(try counter(scratch, at: -1).next(until: 0, highestInUse: none) == 2003)
        #expect(try counter(scratch, at: 1 << 40).next(until: 0, highestInUse: none) == 2004)
        #expect(try scratch.read("uidvalidity") == "2004\n")
    }

    @Test(arguments: [
        nil, "", "0", "abc", "12x", "-5", "4294967296", "99999999999999999999999", "1\n2",
        String(repeating: "1", count: 500),
    ])
    func rebuiltWhenItSaysNothing(_ content: String?) throws {
        let scratch = try AccountScratch()
        for (highest, now, expected) in [(7000, 2000, 7001), (7, 9000, 9001), (0, 0, 1)] as [(UInt32, Int64, UInt32)] {
            try? scratch.system.unlink(scratch.directory, "uidvalidity")
            if let content { try scratch.write(content, to: "uidvalidity") }
            #expect(try counter(scratch, at: now).next(until: 0) { highest } == expected)
            #expect(try scratch.read("uidvalidity") == "\(expected)\n")
        }
    }

    @Test func endsWithATypedError() throws {
        let scratch = try AccountScratch()
        try scratch.write("4294967294", to: "uidvalidity")
        #expect(try counter(scratch, at: 1).next(until: 0) { 0 } == 4_294_967_295)
        #expect(throws: StoreError(.exhausted, "")) { try counter(scratch, at: 1).next(until: 0) { 0 } }
        #expect(try scratch.read("uidvalidity") == "4294967295\n")
        try scratch.write("?", to: "uidvalidity")
        #expect(throws: StoreError(.exhausted, "")) { try counter(scratch, at: 1).next(until: 0) { .max } }
    }

    @Test func aDirectoryInItsPlaceIsRefused() throws {
        let scratch = try AccountScratch()
        try scratch.makeDirectory("uidvalidity")
        #expect(throws: StoreError(.damaged, "")) { try counter(scratch, at: 1).next(until: 0) { 0 } }
    }

    @Test func distinctAmongThreads() throws {
        let scratch = try AccountScratch()
        let given = Locked<[UInt32]>([])
        onThreads(4) { _ in
            for _ in 0..<10 {
                let value = try? counter(scratch, at: 100).next(until: inMilliseconds(20_000)) { 0 }
                given.withLock { if let value { $0.append(value) } }
            }
        }
        let values = given.withLock { $0 }
        #expect(values.count == 40)
        #expect(Set(values).count == 40)
    }

    @Test func busyWhileTheAccountIsLocked() throws {
        let scratch = try AccountScratch()
        let held = try LockFile.acquire(scratch.system, in: scratch.directory, ".lock", until: 0)
        #expect(throws: StoreError(.busy, "")) { try counter(scratch, at: 1).next(until: 0) { 0 } }
        #expect(try counter(scratch, at: 1).nextUnderLock { 41 } == 42)
        held.release()
    }
}
