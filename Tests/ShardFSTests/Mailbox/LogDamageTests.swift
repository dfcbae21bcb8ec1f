import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// Logs that lost something: wrong sectors, cut ends, writes that failed half-way.
@Suite struct LogDamageTests {
    /// Where a mailbox's log stands, and its size.
    private static func log(_ t: TestStore) throws -> (path: String, size: Int) {
        let path = "\(try t.directory())/\(LogFile.fileName)"
        var s = stat()
        try #require(stat(path, &s) == 0)
        return (path, Int(s.st_size))
    }

    private static func spoil(_ path: String, _ range: Range<Int>, with byte: UInt8) throws {
        let fd = Glibc.open(path, O_RDWR)
        defer { close(fd) }
        let bytes = [UInt8](repeating: byte, count: range.count)
        try #require(pwrite(fd, bytes, bytes.count, range.lowerBound) == bytes.count)
    }

    /// A set in a log with something before it, its UIDs, and where its records begin.
    private static func set(of count: Int) throws -> (TestStore, [UID], begin: Int) {
        var options = StoreOptions()
        options.bootID = "boot-1"
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        try inbox.append("before")
        let begin = try log(t).size
        let message = try inbox.finished("of a set")
        let set: [(message: FinishedMessage, flags: MessageFlags)] = (0..<count).map {
            (message, $0 % 2 == 0 ? [] : .seen)
        }
        return (t, try inbox.append(set).map(\.uid), begin)
    }

    /// An acknowledged set stays, whichever sector of its records is lost, with and without a restart.
    @Test(arguments: [2, 6, 7, 20], [UInt8(0), 0xAA]) func anAcknowledgedSetStays(_ count: Int, _ byte: UInt8) throws {
        for boot in ["boot-1", "boot-2"] {
            var sector = 0
            while true {
                let (t, uids, begin) = try Self.set(of: count)
                let (path, size) = try Self.log(t)
                let start = begin / 512 * 512 + sector * 512
                sector += 1
                if start >= size { break }
                try Self.spoil(path, max(start, begin)..<min(start + 512, size), with: byte)
                try t.reopen { $0.bootID = boot }
                let found = try t.mailbox().snapshot().messages.map(\.uid)
                #expect(found == [UID(1)] + uids, "sector at \(start) of \(size), \(boot)")
                for uid in uids { #expect(try t.mailbox().text(uid) == "of a set") }
                #expect(try t.mailbox().append("later") > uids.last ?? UID(1))
                t.check()
            }
            #expect(sector > 1)
        }
    }

    /// So it does when a log loses its end inside the set's records, at the border of a record or not.
    @Test(arguments: [1, 2, 3], [0, 20]) func aSetWhoseEndIsCutStays(_ records: Int, _ bytes: Int) throws {
        for boot in ["boot-1", "boot-2"] {
            let (t, uids, begin) = try Self.set(of: 4)
            let (path, _) = try Self.log(t)
            // After the intent and some appends; without any of them only if the rest is unreadable.
            let left = begin + records * LogRecord.size + bytes
            if records == 1, bytes == 0 { continue }
            try #require(truncate(path, off_t(left)) == 0)
            try t.reopen { $0.bootID = boot }
            #expect(try t.mailbox().snapshot().messages.map(\.uid) == [UID(1)] + uids, "\(left) of the log, \(boot)")
            t.check()
        }
    }

    /// A set of which nothing but the intent was written leaves no name.
    @Test(arguments: ["boot-1", "boot-2"]) func aSetThatNeverBeganToEndIsRolledBack(_ boot: String) throws {
        let (t, uids, begin) = try Self.set(of: 3)
        try #require(truncate(try Self.log(t).path, off_t(begin + LogRecord.size)) == 0)
        try t.reopen { $0.bootID = boot }
        #expect(try t.mailbox().contents() == ["1:"])
        #expect(try t.mailbox().append("later") > uids.last ?? UID(1))
        t.check()
    }

    /// Wrong records at the end may have been right when somebody read them.
    @Test(arguments: [1, 2, 3]) func wrongRecordsAtTheEndBeginAnew(_ count: Int) throws {
        let t = try TestStore()
        let before: MailboxSnapshot
        do {
            let inbox = try t.mailbox()
            for i in 1...3 { try inbox.append("message \(i)") }
            _ = try inbox.remove([UID(3)])
            _ = try inbox.changeFlags([UID(1)], .add(.seen))
            before = try inbox.snapshot()
        }
        let (path, size) = try Self.log(t)
        try Self.spoil(path, size - count * LogRecord.size..<size, with: 0xAA)
        try t.reopen()
        let inbox = try t.mailbox()
        #expect(try inbox.contents() == ["1:S", "2:"])
        #expect(try inbox.snapshot().highestModSeq > before.highestModSeq)
        #expect(try inbox.append("new") > UID(3), "UID 3 was given out")
        t.check()
    }

    /// A log that is cut while a process has read it, and written on by another that has not.
    @Test(arguments: [1, 2], [0, 1]) func aFollowerNoticesACut(_ changes: Int, _ more: Int) throws {
        let t = try TestStore()
        let follower = try t.mailbox()
        for i in 1...3 { try follower.append("message \(i)") }
        for flags in [MessageFlags.seen, .flagged] { _ = try follower.changeFlags([UID(1)], .add(flags)) }
        let before = try follower.snapshot()
        let (path, size) = try Self.log(t)
        try #require(truncate(path, off_t(size - 2 * changes * LogRecord.size)) == 0)
        let other = try TestStore.second(t).account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        for flags in [MessageFlags.draft, .answered, .deleted].prefix(changes + more) {
            _ = try other.changeFlags([UID(2)], .add(flags))
        }
        #expect(try Self.log(t).size >= size)
        let flags = try other.contents()
        _ = try follower.changeFlags([UID(3)], .add(.seen), unchangedSince: before.highestModSeq)
        let after = try follower.snapshot()
        for uid in [UID(2), UID(3)] {
            let changed = try #require(after.messages.entry(of: uid))
            #expect(changed.modSeq > before.highestModSeq, "a mod-sequence that the follower had seen")
        }
        #expect(try follower.contents().prefix(2) == flags.prefix(2))
        #expect(try other.contents() == follower.contents())
        #expect(try other.snapshot().messages.map(\.modSeq) == follower.snapshot().messages.map(\.modSeq))
        #expect(try other.append("new") > UID(3))
        t.check()
    }

    @Test func aFollowerOfALogThatIsOnlyShorter() throws {
        let t = try TestStore()
        let follower = try t.mailbox()
        for i in 1...3 { try follower.append("message \(i)") }
        _ = try follower.changeFlags([UID(1)], .add(.seen))
        let before = try follower.snapshot()
        let (path, size) = try Self.log(t)
        try #require(truncate(path, off_t(size - 4 * LogRecord.size)) == 0)
        #expect(try follower.snapshot().highestModSeq > before.highestModSeq)
        #expect(try follower.contents() == ["1:S", "2:", "3:"])
        #expect(try follower.append("new") > UID(3))
        t.check()
    }

    /// A cached view tells what was read of a log that has been cut since.
    @Test func aCachedViewNoticesACut() throws {
        var options = StoreOptions()
        options.viewCache = MemoryViewCache()
        let t = try TestStore(options)
        let before: MailboxSnapshot
        do {
            let inbox = try t.mailbox()
            for i in 1...3 { try inbox.append("message \(i)") }
            _ = try inbox.changeFlags([UID(1)], .add(.seen))
            before = try inbox.snapshot()
            inbox.keepView()
        }
        let (path, size) = try Self.log(t)
        try #require(truncate(path, off_t(size - 2 * LogRecord.size)) == 0)
        try t.reopen()
        #expect(try t.mailbox().snapshot().highestModSeq > before.highestModSeq)
        #expect(try t.mailbox().contents() == ["1:S", "2:", "3:"])
        t.check()
    }

    /// Fails the write of several done records after two of them.
    private final class HalfWrite: SystemHook {
        enum State { case idle, armed, intents, cut, failed }
        let state = Locked(State.idle)
        let afterTwo: @Sendable () -> Void

        init(_ afterTwo: @escaping @Sendable () -> Void) { self.afterTwo = afterTwo }

        func before(_ call: SystemCall) -> Errno? {
            guard case .write(_, let bytes) = call, bytes.count >= 2 * LogRecord.size else { return nil }
            let isDone = bytes[4] & 0x80 != 0
            let fails = state.withLock { s in
                switch s {
                case .armed where !isDone: s = .intents
                case .intents where isDone: s = .cut
                case .cut:
                    s = .failed
                    return true
                default: break
                }
                return false
            }
            guard fails else { return nil }
            afterTwo()
            return .noSpace
        }

        func writeLimit() -> Int? { state.withLock { $0 == .intents || $0 == .cut } ? 2 * LogRecord.size : nil }
    }

    /// Whole records of a write that failed half-way stay: a follower has read them.
    @Test func aWriteThatFailsHalfWay() throws {
        let t = try TestStore()
        do {
            let inbox = try t.mailbox()
            for i in 1...6 { try inbox.append("message \(i)") }
        }
        let follower = try t.mailbox()
        let seen = Locked<ModSeq>(0)
        let hook = HalfWrite { seen.withLock { $0 = (try? follower.snapshot().highestModSeq) ?? 0 } }
        var options = t.options
        options.hook = hook
        let writer = try Store.open(t.path, options: options).account(AccountAddress(parsing: "alice@example.com"))
            .mailbox(.inbox)
        hook.state.withLock { $0 = .armed }
        #expect(throws: StoreError.self) { try writer.remove([4, 3, 2, 1].map { UID($0) }) }
        #expect(hook.state.withLock { $0 } == .failed)
        let told = seen.withLock { $0 }
        #expect(try told > 0 && follower.expunged(since: 0) != [])
        let uid = try writer.append("later")
        let entry = try #require(writer.snapshot().messages.entry(of: uid))
        #expect(entry.modSeq > told)
        #expect(try writer.snapshot().messages.map(\.uid) == [UID(5), UID(6), uid])
        #expect(try follower.snapshot().messages.map(\.modSeq) == writer.snapshot().messages.map(\.modSeq))
        t.check()
    }
}
