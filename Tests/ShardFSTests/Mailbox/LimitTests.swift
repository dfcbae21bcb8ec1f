import DurableFiles
import Glibc
import Testing

@testable import ShardFS

@Suite struct LimitTests {
    /// A mailbox whose next UID is `next`.
    private func mailbox(_ t: TestStore, next: UInt64) throws -> Mailbox {
        do { _ = try t.mailbox() }
        let directory = Glibc.open(try t.directory(), O_RDONLY | O_DIRECTORY)
        defer { close(directory) }
        let publisher = FilePublisher(system: SystemCalls())
        var status = try MailboxStatus(parsing: #require(try publisher.read("status.json", in: directory)))
        status.uidCeiling = next
        try publisher.publish(status.serialized(), as: "status.json", in: directory)
        unlink("\(try t.directory())/changes.log")
        try t.reopen()
        return try t.mailbox()
    }

    @Test(
        arguments: [
            (999, ["0000/00000999_.eml", "0001/00001000_.eml"]),
            (9_999_999, ["9999/09999999_.eml", "10000/10000000_.eml"]),
            (99_999_999, ["99999/99999999_.eml", "100000/100000000_.eml"]),
            (4_294_967_293, ["4294967/4294967293_.eml", "4294967/4294967294_.eml"]),
        ] as [(UInt64, [String])])
    func namesGrowWithTheUID(_ next: UInt64, _ names: [String]) throws {
        let t = try TestStore()
        let inbox = try mailbox(t, next: next)
        try inbox.append("one")
        try inbox.append("two")
        for name in names { #expect(access("\(try t.directory())/\(name)", F_OK) == 0, "\(name)") }
        try t.reopen()
        #expect(try t.mailbox().snapshot().messages.map { UInt64($0.uid.rawValue) } == [next, next + 1])
        t.check()
    }

    @Test func theLastUIDIsTheLast() throws {
        let t = try TestStore()
        let inbox = try mailbox(t, next: 4_294_967_294)
        #expect(try inbox.append("last") == UID(4_294_967_294))
        #expect(throws: StoreError(.exhausted, "")) { try inbox.append("one more") }
        #expect(throws: StoreError(.exhausted, "")) { try inbox.copy([UID(4_294_967_294)], to: inbox) }
        #expect(try inbox.snapshot().uidNext == .max)
        _ = try inbox.changeFlags([UID(4_294_967_294)], .add(.seen))
        #expect(try inbox.contents() == ["4294967294:S"])
        t.check()
    }

    @Test func theThirtySecondKeywordAtOneTimeIsRefused() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let names = (1...31).map { "word\($0)" }
        let all = try inbox.keywords(names, create: true)
        #expect(all == .keywordMask)
        try inbox.append("all", all)
        #expect(throws: StoreError(.limit, "")) { try inbox.keywords(["word32"], create: true) }
        #expect(try inbox.keywords(["WORD7"], create: true) == inbox.keywords(["word7"], create: false))
        #expect(try inbox.keywords(["nobody"], create: false).isEmpty)
        for bad in ["", "two words", "\\Seen", "par(en", String(repeating: "x", count: 65), "ü"] {
            #expect(throws: StoreError(.invalidArgument, "")) { try inbox.keywords([bad], create: true) }
        }
        try t.reopen()
        let snapshot = try t.mailbox().snapshot()
        #expect(Set(snapshot.keywords.names(in: try #require(snapshot.messages.first).flags)) == Set(names))
        #expect(snapshot.keywords.isFull)
        t.check()
    }

    @Test func datesAndFlagsThatCannotBe() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        // Beyond what a file can have as its date.
        for date in [Int64.max, .min] {
            let message = try inbox.stage()
            #expect(throws: StoreError(.invalidArgument, "")) { try message.finish(internalDate: date) }
        }
        let message = try inbox.finished("")
        #expect(throws: StoreError(.invalidArgument, "")) {
            try inbox.append(message, flags: MessageFlags(rawValue: 1 << 62))
        }
        #expect(try inbox.contents().isEmpty)
        try inbox.append("dated", date: 86_400)
        #expect(try inbox.open(UID(1)).internalDate == 86_400)
        t.check()
    }

    @Test func quotaIsNeverExceeded() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let user = Glibc.open("\(t.path)/domains/example.com/users/alice/user.json", O_WRONLY | O_CREAT, 0o600)
        #expect(write(user, "{\"quota_mb\": 1}", 15) == 15)
        close(user)
        let half = String(repeating: "x", count: 400_000)
        try inbox.append(half)
        try inbox.append(half)
        let full = StoreError(.overQuota, "")
        #expect(throws: full) { try inbox.append(half) }
        #expect(throws: full) { try inbox.copy([UID(1)], to: inbox) }
        #expect(throws: full) {
            let two = try (0..<2).map { _ in try inbox.finished(String(repeating: "y", count: 200_000)) }
            try inbox.append(two.map { (message: $0, flags: MessageFlags()) })
        }
        #expect(try inbox.contents() == ["1:", "2:"])
        let other = try t.mailbox(of: "bob@example.com")
        try other.append(half)
        #expect(throws: full) { try other.move([UID(1)], to: inbox) }
        #expect(throws: full) { try other.copy([UID(1)], to: inbox) }
        #expect(try other.contents() == ["1:"])
        _ = try inbox.remove([UID(1)])
        #expect(try other.move([UID(1)], to: inbox).copied.count == 1)
        #expect(try other.contents().isEmpty)
        #expect(try t.account().quota().bytes == 800_000)
        #expect(try t.account("bob@example.com").quota().bytes == 0)
        t.check()
    }

    /// RFC 9208 section 5.2: the message limit applies to every way of adding one.
    @Test func refusesMoreMessagesThanTheQuota() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let context = try t.account().context
        try context.files.publish(Array(#"{"quota_messages": 2}"#.utf8), as: "user.json", in: context.directory)
        try inbox.append("a")
        try inbox.append("b")
        let full = StoreError(.overQuota, "")
        #expect(throws: full) { try inbox.append("c") }
        #expect(throws: full) { try inbox.copy([UID(1)], to: inbox) }
        #expect(try !t.account().hasRoom(for: 1))
        let other = try t.mailbox(of: "bob@example.com")
        try other.append("d")
        #expect(throws: full) { try other.move([UID(1)], to: inbox) }
        _ = try inbox.remove([UID(1)])
        #expect(try t.account().hasRoom(for: 1) && !t.account().hasRoom(for: 1, messages: 2))
        #expect(throws: full) {
            let two = try (0..<2).map { _ in try inbox.finished("yy") }
            try inbox.append(two.map { (message: $0, flags: MessageFlags()) })
        }
        // A move within the account needs no quota.
        let archive = try t.mailbox("Archive")
        try inbox.append("e")
        #expect(try inbox.move([UID(2)], to: archive).copied.count == 1)
        let quota = try t.account().quota()
        #expect(quota.messages == 2 && quota.limits == QuotaLimits(bytes: 0, messages: 2))
        t.check()
    }
}
