import Primitives
import Testing

@testable import ShardFS

/// What is kept for restoring is never more than the quota, or than there may be mailboxes.
@Suite struct KeptTests {
    private static func store(_ hour: Locked<Int64>, _ change: (inout StoreOptions) -> Void = { _ in }) throws
        -> TestStore
    {
        var options = StoreOptions()
        options.clock = { hour.withLock { $0 } }
        change(&options)
        let t = try TestStore(options)
        _ = try t.mailbox()
        try Hands(at: try t.directory()).write(#"{"quota_mb": 1}"#, to: "../../user.json")
        return t
    }

    /// A client that fills its account and deletes the mailbox, again and again.
    @Test func deletedMailboxesGoEarly() throws {
        let hour = Locked<Int64>(1_700_000_000)
        let t = try Self.store(hour)
        let account = try t.account()
        for n in 0..<12 {
            let box = try t.mailbox("Box\(n)")
            _ = try box.append(bytes: [UInt8](repeating: 65, count: 900_000))
            try account.delete(MailboxName("Box\(n)"))
            // 1 MiB is the quota.
            #expect(try account.deletedMailboxes().count <= 2)
        }
        #expect(try account.deletedMailboxes().count == 1)
        #expect(try account.quota().bytes == 0)
        t.check()
    }

    /// Expunged messages and deleted mailboxes count together, the oldest go first.
    @Test func theOldestGoFirst() throws {
        // Directories have the machine's times.
        let hour = Locked<Int64>(Clocks.wall() - 7200)
        let t = try Self.store(hour)
        let (account, inbox) = (try t.account(), try t.mailbox())
        _ = try inbox.remove([inbox.append(bytes: [UInt8](repeating: 65, count: 600_000)).uid])
        hour.withLock { $0 += 7200 }
        _ = try t.mailbox("Later").append(bytes: [UInt8](repeating: 65, count: 500_000))
        try account.delete(MailboxName("Later"))
        try account.maintain()
        #expect(try inbox.recoverableMessages() == [])
        #expect(try account.deletedMailboxes().count == 1)
        t.check()
    }

    @Test func asManyAsThereMayBeMailboxes() throws {
        let t = try Self.store(Locked(1_700_000_000)) { $0.maximumMailboxes = 16 }
        try Hands(at: try t.directory()).write("{}", to: "../../user.json")
        let account = try t.account()
        for n in 0..<40 {
            try account.create(MailboxName("Box\(n)"))
            try account.delete(MailboxName("Box\(n)"))
            #expect(try account.deletedMailboxes().count <= 16 + 16 / 8 + 1)
        }
        try account.maintain()
        #expect(try account.deletedMailboxes().count == 16)
        t.check()
    }
}
