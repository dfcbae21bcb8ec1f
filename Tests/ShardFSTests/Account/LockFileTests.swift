import TestSupport
import Testing

@testable import ShardFS

@Suite struct LockFileTests {
    @Test func excludesThreadsAndLosesNoUpdate() throws {
        let scratch = try AccountScratch()
        try scratch.write("0", to: "counter")
        onThreads(4) { _ in
            for _ in 0..<25 {
                // Reading and replacing apart: only the lock keeps updates from getting lost.
                try? LockFile.hold(scratch.system, in: scratch.directory, ".lock", until: inMilliseconds(20_000)) {
                    () throws(StoreError) in
                    let publisher = FilePublisher(system: scratch.system)
                    let bytes = try publisher.read("counter", in: scratch.directory) ?? []
                    let next = (Int(String(decoding: bytes, as: UTF8.self)) ?? 0) + 1
                    try publisher.publish(Array(String(next).utf8), as: "counter", in: scratch.directory)
                }
            }
        }
        #expect(try scratch.read("counter") == "100")
        #expect(scratch.openDescriptors().isEmpty)
    }

    @Test func busyAtTheDeadlineAndFreeAfterRelease() throws {
        let scratch = try AccountScratch()
        let held = try LockFile.acquire(scratch.system, in: scratch.directory, ".lock", until: 0)
        #expect(throws: StoreError(.busy, "")) {
            try LockFile.hold(scratch.system, in: scratch.directory, ".lock", until: inMilliseconds(3)) {}
        }
        #expect(try LockFile.tryAcquire(scratch.system, in: scratch.directory, ".lock") == nil)
        #expect(scratch.openDescriptors().count == 1)
        held.release()
        #expect(scratch.openDescriptors().isEmpty)
        #expect(try LockFile.tryAcquire(scratch.system, in: scratch.directory, ".lock") != nil)
    }

    @Test func releasedWhenTheBodyThrows() throws {
        let scratch = try AccountScratch()
        #expect(throws: StoreError(.limit, "")) {
            try LockFile.hold(scratch.system, in: scratch.directory, ".lock", until: 0) { () throws(StoreError) in
                throw StoreError(.limit, "stop")
            }
        }
        #expect(try LockFile.hold(scratch.system, in: scratch.directory, ".lock", until: 0) { 7 } == 7)
        #expect(scratch.openDescriptors().isEmpty)
    }

    @Test func refusesWhatIsNoLockFile() throws {
        let scratch = try AccountScratch()
        try scratch.makeDirectory("folder")
        #expect(throws: StoreError(.damaged, "")) {
            try LockFile.hold(scratch.system, in: scratch.directory, "folder", until: 0) {}
        }
        try scratch.makeDirectory("gone")
        let gone = try scratch.system.openDirectory(scratch.directory, "gone")
        defer { scratch.system.close(gone) }
        try scratch.system.removeDirectory(scratch.directory, "gone")
        #expect(throws: StoreError(.gone, "")) { try LockFile.hold(scratch.system, in: gone, ".lock", until: 0) {} }
    }

    @Test func noticesThatTheFileWasRemovedMeanwhile() throws {
        let scratch = try AccountScratch()
        let system = System(hook: RemovingHook(scratch: scratch))
        #expect(throws: StoreError(.gone, "")) {
            try LockFile.hold(system, in: scratch.directory, ".lock", until: 0) {}
        }
        #expect(scratch.openDescriptors().isEmpty)
    }
}

/// Somebody who removes the lock file between its opening and its locking.
private struct RemovingHook: SystemHook {
    let scratch: AccountScratch

    func before(_ call: SystemCall) -> Errno? {
        if case .lock(_, let operation) = call, operation & 2 != 0 {
            try? scratch.system.unlink(scratch.directory, ".lock")
        }
        return nil
    }
}
