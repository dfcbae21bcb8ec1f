import DurableFiles
import Primitives
import Testing

@testable import ShardFS

/// The number of mailboxes that an account may have.
@Suite struct LevelCountTests {
    private static let limit = StoreError(.limit, "")

    private final class Listings: SystemHook {
        let count = Locked(0)

        func before(_ call: SystemCall) -> Errno? {
            if case .list = call { count.withLock { $0 += 1 } }
            return nil
        }
    }

    private static func store(_ maximum: Int, _ hook: (any SystemHook)? = nil) throws -> TestStore {
        var options = StoreOptions()
        options.maximumMailboxes = maximum
        options.hook = hook
        return try TestStore(options)
    }

    @Test func refusesMore() throws {
        let t = try Self.store(4)
        let account = try t.account()
        try account.create(MailboxName("A/B"))
        try account.create(MailboxName("C"))
        // Missing levels count, and nothing is made of a name that does not fit.
        #expect(throws: Self.limit) { try account.create(MailboxName("D/E")) }
        #expect(throws: Self.limit) { try account.rename(MailboxName("C"), to: MailboxName("X/Y/C")) }
        #expect(try account.list().count == 3)
        try account.rename(MailboxName("C"), to: MailboxName("X/C"))
        #expect(throws: Self.limit) { try account.create(MailboxName("D")) }
        // Mail arrives all the same.
        try account.create(.inbox)
        try account.delete(MailboxName("X/C"))
        try account.delete(MailboxName("X"))
        try account.create(MailboxName("D"))
        #expect(throws: Self.limit) { try account.create(MailboxName("E")) }
        t.check()
    }

    @Test func aLevelBecomesAMailboxAgain() throws {
        let t = try Self.store(2)
        let account = try t.account()
        try account.create(MailboxName("A/B"))
        try account.delete(MailboxName("A"))
        try account.create(MailboxName("A"))
        #expect(try account.list().filter(\.isSelectable).count == 2)
        t.check()
    }

    /// A client that creates ten thousand mailboxes costs no walk over all of them each time.
    @Test func isNotCountedEachTime() throws {
        let hook = Listings()
        let t = try Self.store(10_000, hook)
        let account = try t.account()
        func cost(_ name: String) throws -> Int {
            hook.count.withLock { $0 = 0 }
            try account.create(MailboxName(name))
            return hook.count.withLock { $0 }
        }
        _ = try cost("first")
        let early = try cost("second")
        for n in 0..<50 { _ = try cost("box\(n)") }
        #expect(try cost("last") <= early)
        t.check()
    }

    @Test func annotationsOfAllMailboxesCountTogether() throws {
        var options = StoreOptions()
        options.maximumAnnotations = 3
        let t = try TestStore(options)
        let account = try t.account()
        _ = try (t.mailbox(), t.mailbox("Sent"))
        try account.annotate(.inbox, [("/shared/a", [65]), ("/shared/b", [65])])
        try account.annotate(MailboxName("Sent"), [("/shared/a", [65])])
        #expect(throws: Self.limit) { try account.annotate(nil, [("/shared/a", [65])]) }
        try account.annotate(.inbox, [("/shared/a", [66])])
        try account.annotate(.inbox, [("/shared/a", nil)])
        try account.annotate(nil, [("/shared/a", [65])])
        t.check()
    }

    @Test func subscriptions() throws {
        var options = StoreOptions()
        options.maximumSubscriptions = 2
        let t = try TestStore(options)
        let account = try t.account()
        try account.subscribe(MailboxName("A"))
        try account.subscribe(MailboxName("B"))
        #expect(throws: Self.limit) { try account.subscribe(MailboxName("C")) }
        try account.unsubscribe(MailboxName("A"))
        try account.subscribe(MailboxName("C"))
        t.check()
    }
}
