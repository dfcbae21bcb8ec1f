import DurableFiles
import Primitives
import Testing

@testable import ShardFS

/// Messages being received take part of their account's quota together, whatever connections they come in by.
@Suite struct StagingShareTests {
    private static let overQuota = StoreError(.overQuota, "")

    private static func store(_ quota: String) throws -> TestStore {
        let t = try TestStore()
        _ = try t.mailbox()
        try Hands(at: try t.directory()).write(quota, to: "../../user.json")
        return t
    }

    @Test func announcedSizesCountTogether() throws {
        let t = try Self.store(#"{"quota_mb": 1}"#)
        let (inbox, sent) = (try t.mailbox(), try t.mailbox("Sent"))
        var first: StagedMessage? = try inbox.stage(size: 700_000)
        #expect(first != nil)
        #expect(throws: Self.overQuota) { try sent.stage(size: 400_000) }
        // Another account has a quota of its own.
        #expect(throws: Never.self) { try t.mailbox(of: "bob@example.com").stage(size: 1 << 30) }
        first = nil
        let second = try sent.stage(size: 400_000)
        #expect(throws: Self.overQuota) { try inbox.stage(size: 700_000) }
        try second.write([UInt8](repeating: 65, count: 400_000))
        _ = try sent.append(second.finish())
        // Stored now, and not counted twice.
        #expect(throws: Never.self) { try inbox.stage(size: 600_000) }
        #expect(throws: Self.overQuota) { try inbox.stage(size: 700_000) }
        t.check()
    }

    /// A client that is refused may try again at once, whoever still refers to the message.
    @Test func cancelledMessageTakesNoRoom() throws {
        let t = try Self.store(#"{"quota_mb": 1}"#)
        let inbox = try t.mailbox()
        let first = try inbox.stage(size: 700_000)
        try first.write([UInt8](repeating: 65, count: 1_000))
        first.cancel()
        #expect(throws: Never.self) { try inbox.stage(size: 700_000) }
        #expect(throws: StoreError(.invalidArgument, "")) { try first.write([65]) }
        #expect(throws: StoreError(.invalidArgument, "")) { try first.finish() }
        // It takes none when it goes, either.
        first.cancel()
        t.check()
    }

    /// False if the quota has no room for them.
    private static func write(_ bytes: [UInt8], to message: StagedMessage) -> Bool {
        do throws(StoreError) {
            try message.write(bytes)
            return true
        } catch {
            #expect(error.code == .overQuota)
            return false
        }
    }

    @Test func bytesThatWereNotAnnouncedCountAsTheyCome() throws {
        let t = try Self.store(#"{"quota_mb": 4}"#)
        let inbox = try t.mailbox()
        let piece = [UInt8](repeating: 65, count: 1 << 18)
        let messages = try (0..<3).map { _ in try inbox.stage() }
        var written = 0
        var refused: Set<Int> = []
        for _ in 0..<16 {
            for (i, message) in messages.enumerated() where !refused.contains(i) {
                if Self.write(piece, to: message) { written += piece.count } else { refused.insert(i) }
            }
        }
        #expect(written <= 4 << 20 && written > 2 << 20)
        #expect(refused.count >= 2)
        #expect(try inbox.context.staged.withLock { $0.bytes } <= 4 << 20)
        t.check()
    }

    /// A finished message takes its size alone, whatever was reserved while it came.
    @Test func finishedMessagesTakeTheirSize() throws {
        let t = try Self.store(#"{"quota_mb": 1}"#)
        let inbox = try t.mailbox()
        let small = try (0..<10).map { try inbox.finished("small \($0)") }
        #expect(inbox.context.staged.withLock { $0.bytes } == 70)
        #expect(try inbox.stage(size: 1_000_000).size == 0)
        _ = try inbox.append(small.map { (message: $0, flags: MessageFlags()) })
        #expect(inbox.context.staged.withLock { $0.bytes } == 0)
        t.check()
    }

    @Test func messagesCount() throws {
        let t = try Self.store(#"{"quota_messages": 2}"#)
        let inbox = try t.mailbox()
        try inbox.append("one")
        let second = try inbox.stage()
        #expect(throws: Self.overQuota) { try inbox.stage() }
        try second.write(Array("two".utf8))
        _ = try inbox.append(second.finish())
        #expect(throws: Self.overQuota) { try inbox.stage() }
        t.check()
    }

    @Test func replacementTakesTheSameRoom() throws {
        let t = try Self.store(#"{"quota_mb": 1}"#)
        let inbox = try t.mailbox()
        let first = try inbox.stage(size: 700_000)
        let second = try inbox.stage(inPlaceOf: first)
        try second.write([UInt8](repeating: 65, count: 800_000))
        _ = try inbox.append(second.finish())
        #expect(inbox.context.staged.withLock { $0.bytes } == 0)
        t.check()
    }

    /// The room on the file system is looked at as bytes arrive, not only when a message begins.
    @Test func aMessageEndsWhenRoomDoes() throws {
        let free = Locked<UInt64>(1 << 40)
        var options = StoreOptions()
        options.minimumFreeBytes = 100 << 20
        options.space = {
            DiskSpace(freeBytes: free.withLock { $0 }, totalBytes: 1 << 40, freeFiles: 1 << 20, totalFiles: 1 << 20)
        }
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        let message = try t.store.stage()
        try message.write([UInt8](repeating: 65, count: 1 << 19))
        free.withLock { $0 = 0 }
        // A look is good for half a second.
        while !t.store.room.isLow { SystemCalls.pause(nanoseconds: 1_000_000) }
        #expect(throws: StoreError(.noSpace, "")) { try message.write([UInt8](repeating: 65, count: 1 << 20)) }
        #expect(throws: StoreError(.noSpace, "")) { try inbox.stage() }
        t.check()
    }
}
