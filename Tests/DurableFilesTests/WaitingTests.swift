import CPosix
import Glibc
import Primitives
import Testing

@testable import DurableFiles

/// Work attempted on a thread that must not wait.
@Suite struct WaitingTests {
    private let scratch: Scratch
    private let system = SystemCalls()

    init() throws { scratch = try Scratch() }

    private static let tmpfs: Int64 = 0x0102_1994

    private func write(_ name: String, _ bytes: [UInt8]) throws -> Int32 {
        let fd = try system.open(scratch.directory, name, O_RDWR | O_CREAT)
        try bytes.withUnsafeBytes { raw in try system.write(fd, raw) }
        try system.sync(fd)
        return fd
    }

    private func read(_ fd: Int32, _ count: Int) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: Errno?
        let filled = bytes.withUnsafeMutableBytes { raw in
            do throws(Errno) { return try system.read(fd, raw, at: 0) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return Array(bytes.prefix(filled))
    }

    @Test func whatIsInMemoryIsRead() throws {
        let fd = try write("a", [1, 2, 3])
        defer { system.close(fd) }
        _ = try read(fd, 3)
        let found = Waiting.attempt { () throws(Errno) in
            let again = try system.open(scratch.directory, "a", O_RDONLY)
            defer { system.close(again) }
            let status = try system.status(scratch.directory, "a")
            let same = try system.status(again)
            return (try read(again, 100), status.size, status.identity == same.identity)
        }
        let (bytes, size, isSame) = try #require(try found?.get())
        #expect(bytes == [1, 2, 3] && size == 3 && isSame)
        #expect(!Waiting.isForbidden)
    }

    @Test func missingFileIsKnownToBeMissing() throws {
        #expect(throws: Errno.notFound) { try system.status(scratch.directory, "none") }
        let result = Waiting.attempt { () throws(Errno) in try system.status(scratch.directory, "none").size }
        if let result { #expect(throws: Errno.notFound) { try result.get() } }
    }

    @Test func fileOnTheDiskIsRefused() throws {
        guard cposix_file_system_type(scratch.path) != Self.tmpfs else { return }
        let fd = try write("cold", [UInt8](repeating: 7, count: 20_000))
        defer { system.close(fd) }
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)
        #expect(Waiting.attempt { () throws(Errno) in try read(fd, 20_000) } == nil)
        #expect(try read(fd, 20_000).count == 20_000)
        let warm = Waiting.attempt { () throws(Errno) in try read(fd, 20_000) }
        #expect(try warm?.get().count == 20_000)
    }

    @Test func longReadIsRefused() throws {
        let fd = try write("long", [UInt8](repeating: 7, count: Waiting.longestRead + 1))
        defer { system.close(fd) }
        #expect(Waiting.attempt { () throws(Errno) in try read(fd, Waiting.longestRead + 1) } == nil)
        #expect(try Waiting.attempt { () throws(Errno) in try read(fd, Waiting.longestRead) }?.get() != nil)
    }

    @Test func changesAreRefused() throws {
        let fd = try write("a", [1])
        defer { system.close(fd) }
        let directory = scratch.directory
        let calls: [() throws -> Void] = [
            { try system.sync(fd) }, { try system.syncData(fd) },
            { system.close(try system.open(directory, "b", O_RDWR | O_CREAT)) }, { try system.unlink(directory, "a") },
            { try system.makeDirectory(directory, "d") }, { try system.truncate(fd, to: 0) },
            { try system.rename(directory, "a", directory, "b", replacing: true) }, { try system.setModified(fd, 1) },
        ]
        for call in calls { #expect(Waiting.attempt(call) == nil) }
        #expect(try read(fd, 10) == [1])
        #expect(throws: Errno.notFound) { try system.status(scratch.directory, "b") }
        #expect(throws: Errno.notFound) { try system.status(scratch.directory, "d") }
    }

    /// An answer made after a refusal that somebody swallowed is none.
    @Test func refusalIsNotForgotten() throws {
        let fd = try write("a", [1])
        defer { system.close(fd) }
        let result = Waiting.attempt { () throws(Errno) in
            try? system.sync(fd)
            return 1
        }
        #expect(result == nil)
        var isRefused = false
        _ = Waiting.attempt { () throws(Errno) in
            try? system.sync(fd)
            do throws(Errno) { try Waiting.commit() } catch { isRefused = true }
        }
        #expect(isRefused)
    }

    @Test func committedChangeHappens() throws {
        let fd = try write("a", [1])
        defer { system.close(fd) }
        let result = Waiting.attempt { () throws(Errno) in
            try Waiting.commit()
            try system.rename(scratch.directory, "a", scratch.directory, "b", replacing: false)
            try system.sync(fd)
        }
        #expect(result != nil)
        #expect(try system.status(scratch.directory, "b").size == 1)
        #expect(!Waiting.isForbidden)
    }
}
