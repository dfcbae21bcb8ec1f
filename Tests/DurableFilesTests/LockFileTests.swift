import DurableFiles
import Primitives
import TestSupport
import Testing

@Suite struct LockFileTests {
    @Test func excludesThreadsAndLosesNoUpdate() throws {
        let scratch = try Scratch()
        try scratch.write("0", to: "counter")
        onThreads(4) { _ in
            for _ in 0..<25 {
                // Reading and replacing are separate: only the lock prevents lost updates.
                try? scratch.hold(".lock", until: inMilliseconds(20_000)) { () throws(FileError) in
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
        let scratch = try Scratch()
        let held = try LockFile.acquire(scratch.system, in: scratch.directory, ".lock", until: 0)
        #expect(throws: FileError(.busy, "")) {
            try scratch.hold(".lock", until: inMilliseconds(3)) {}
        }
        #expect(try LockFile.tryAcquire(scratch.system, in: scratch.directory, ".lock") == nil)
        #expect(scratch.openDescriptors().count == 1)
        held.release()
        #expect(scratch.openDescriptors().isEmpty)
        #expect(try LockFile.tryAcquire(scratch.system, in: scratch.directory, ".lock") != nil)
    }

    @Test func releasedWhenTheBodyThrows() throws {
        let scratch = try Scratch()
        #expect(throws: FileError(.readOnly, "")) {
            try scratch.hold(".lock", until: 0) { () throws(FileError) in
                throw FileError(.readOnly, "stop")
            }
        }
        #expect(try scratch.hold(".lock", until: 0) { 7 } == 7)
        #expect(scratch.openDescriptors().isEmpty)
    }

    @Test func refusesWhatIsNoLockFile() throws {
        let scratch = try Scratch()
        try scratch.makeDirectory("folder")
        #expect(throws: FileError(.damaged, "")) {
            try scratch.hold("folder", until: 0) {}
        }
        try scratch.makeDirectory("gone")
        let gone = try scratch.system.openDirectory(scratch.directory, "gone")
        defer { scratch.system.close(gone) }
        try scratch.system.removeDirectory(scratch.directory, "gone")
        #expect(throws: FileError(.gone, "")) { _ = try LockFile.acquire(scratch.system, in: gone, ".lock", until: 0) }
    }

    @Test func noticesThatTheFileWasRemovedMeanwhile() throws {
        let scratch = try Scratch()
        let system = SystemCalls(hook: RemovingHook(scratch: scratch))
        #expect(throws: FileError(.gone, "")) {
            _ = try LockFile.acquire(system, in: scratch.directory, ".lock", until: 0)
        }
        #expect(scratch.openDescriptors().isEmpty)
    }
}

/// Removes the lock file between its opening and its locking.
private struct RemovingHook: SystemHook {
    let scratch: Scratch

    func before(_ call: SystemCall) -> Errno? {
        if case .lock(_, let operation) = call, operation & 2 != 0 {
            try? scratch.system.unlink(scratch.directory, ".lock")
        }
        return nil
    }
}
