import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// A message being added: written, finished once, then appended any number of times.
@Suite struct StagedMessageTests {
    private func errorCode(_ body: () throws(StoreError) -> Void) -> StoreError.Code? {
        do throws(StoreError) {
            try body()
            return nil
        } catch { return error.code }
    }

    @Test func aFinishedMessageTakesNothingMore() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let staged = try inbox.stage()
        try staged.write(Array("whole".utf8))
        let message = try staged.finish(internalDate: 86_400)
        #expect(message.size == 5)
        #expect(errorCode { () throws(StoreError) in try staged.write(Array("more".utf8)) } == .invalidArgument)
        #expect(errorCode { () throws(StoreError) in _ = try staged.finish() } == .invalidArgument)
        // The refused call has changed nothing, and the bytes can still be read.
        #expect(try staged.read(at: 1, count: 10) == Array("hole".utf8))
        let other = try t.mailbox("Other")
        #expect(try inbox.append(message).uid == UID(1))
        #expect(try inbox.append([(message, .seen), (message, .flagged)]).map(\.uid) == [UID(2), UID(3)])
        #expect(try other.append(message, flags: .answered).uid == UID(1))
        #expect(try inbox.contents() == ["1:", "2:S", "3:F"])
        #expect(try other.text(UID(1)) == "whole")
        #expect(try inbox.open(UID(3)).internalDate == 86_400)
        #expect(try inbox.open(UID(3)).digest() == message.digest)
        t.check()
    }

    private final class FullDisk: SystemHook {
        let isFull = Locked(false)
        func before(_ call: SystemCall) -> Errno? {
            guard case .write = call else { return nil }
            return isFull.withLock { $0 } ? .noSpace : nil
        }
    }

    @Test func afterAFailedWriteItCannotBeFinished() throws {
        let disk = FullDisk()
        var options = StoreOptions()
        options.hook = disk
        let t = try TestStore(options)
        let staged = try t.mailbox().stage()
        try staged.write(Array("half".utf8))
        disk.isFull.withLock { $0 = true }
        #expect(errorCode { () throws(StoreError) in try staged.write(Array("a message".utf8)) } == .noSpace)
        disk.isFull.withLock { $0 = false }
        #expect(errorCode { () throws(StoreError) in try staged.write(Array("a message".utf8)) } == .noSpace)
        #expect(errorCode { () throws(StoreError) in _ = try staged.finish() } == .noSpace)
        t.check()
    }

    @Test(arguments: [nil, 0, 1_600_000_000, 4_294_967_295, -1, -2_000_000_000, 9_300_000_000] as [Int64?])
    func bytesInMemoryAreAppendedAtOnce(date: Int64?) throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let before = inbox.context.now
        let result = try inbox.append(bytes: Array("a\r\n\0b".utf8), flags: [.seen, .draft], internalDate: date)
        #expect(result.uid == UID(1))
        #expect(try inbox.text(result.uid) == "a\r\n\0b")
        #expect(try inbox.snapshot().messages.first?.flags == [.seen, .draft])
        let reported = try inbox.open(result.uid).internalDate
        if let date { #expect(reported == date) } else { #expect(reported >= before - 1) }
        let entry = try #require(try inbox.snapshot().messages.first)
        #expect(try inbox.internalDate(of: entry) == reported)
        #expect(try inbox.contents().count == 1)
        t.check()
    }

    /// A date is kept or refused, as the file system holds it or not, and is never another one.
    @Test(
        arguments: [-9_000_000_000_000, -62_167_219_200, -2_147_483_649, 253_402_300_799, 9_000_000_000_000] as [Int64])
    func datesThatFewFileSystemsHold(date: Int64) throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let code = errorCode { () throws(StoreError) in _ = try inbox.append(bytes: [97], internalDate: date) }
        let kept = try inbox.snapshot().messages.map { try inbox.internalDate(of: $0) }
        #expect(code == .invalidArgument && kept.isEmpty || code == nil && kept == [date])
        t.check()
    }

    /// Dates that the view's columns cannot hold are looked up once, not for each message of their shard.
    @Test func rareDatesAreLookedUpOnce() throws {
        let t = try TestStore()
        for uid in 1...50 { _ = try t.mailbox().append(bytes: [97], internalDate: Int64(-uid)) }
        try t.reopen()
        let inbox = try t.mailbox()
        let dates = try inbox.snapshot().messages.map { try inbox.internalDate(of: $0) }
        #expect(dates == (1...50).map { -$0 })
        #expect(inbox.state.withLock { $0.rareDates.count } == 50)
        t.check()
    }
}
