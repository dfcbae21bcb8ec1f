import Glibc
import Testing

@testable import ShardFS

@Suite struct DeliveryTests {
    @Test func oneWriteManyLinks() throws {
        let t = try TestStore()
        let boxes = try ["alice", "bob", "carol"].map { try t.mailbox(of: "\($0)@example.com") }
        try boxes[1].append("before")
        let results = try Delivery.deliver(boxes[0].finished("to all"), to: boxes)
        #expect(results.map(\.uid) == [UID(1), UID(2), UID(1)])
        #expect(try zip(boxes, results).map { try $0.text($1.uid) } == ["to all", "to all", "to all"])
        #expect(Set(try zip(boxes, results).map { try $0.open($1.uid).identity }).count == 1)
        #expect(try t.account("bob@example.com").quota().bytes == 12)
        t.check()
    }

    @Test func oneOverQuotaMeansNobody() throws {
        let t = try TestStore()
        let boxes = try ["alice", "bob", "carol"].map { try t.mailbox(of: "\($0)@example.com") }
        let user = Glibc.open("\(t.path)/domains/example.com/users/bob/user.json", O_WRONLY | O_CREAT, 0o600)
        #expect(write(user, "{\"quota_mb\": 1}", 15) == 15)
        close(user)
        let large = try boxes[0].finished(String(repeating: "x", count: 2 << 20))
        #expect(throws: StoreError(.overQuota, "")) { try Delivery.deliver(large, to: boxes) }
        for box in boxes { #expect(try box.contents().isEmpty) }
        for name in ["alice", "bob", "carol"] {
            #expect(try t.account("\(name)@example.com").quota().messages == 0)
        }
        #expect(try Delivery.deliver(boxes[0].finished("small"), to: boxes).count == 3)
        t.check()
    }

    @Test func aMailboxNamedTwiceGetsItOnce() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        #expect(try Delivery.deliver(inbox.finished("once"), to: [inbox, inbox]).map(\.uid) == [UID(1), UID(1)])
        #expect(try inbox.contents() == ["1:"])
        t.check()
    }
}
