import Primitives
import Testing

@testable import ShardFS

/// Messages staged in the store before their recipients are known.
@Suite struct StagingTests {
    private static func message(_ store: Store, _ text: String) throws -> FinishedMessage {
        let staged = try store.stage()
        try staged.write(Array(text.utf8))
        return try staged.finish()
    }

    @Test(arguments: [Set<Capability>(), [.unnamedFiles], [.hardLinks], [.unnamedFiles, .hardLinks]])
    func goesToSeveralAccounts(without: Set<Capability>) throws {
        var options = StoreOptions()
        options.withoutCapabilities = without
        let t = try TestStore(options)
        let boxes = try [t.mailbox(), t.mailbox(of: "bob@example.com")]
        let results = try Delivery.deliver(
            Self.message(t.store, "to both"), to: [.init(boxes[0]), .init(boxes[1], flags: [.seen, .flagged])])
        #expect(results.map(\.uid) == [UID(1), UID(1)])
        #expect(try boxes.map { try $0.contents() } == [["1:"], ["1:FS"]])
        #expect(try boxes.map { try $0.text(UID(1)) } == ["to both", "to both"])
        let inodes = Set(try boxes.map { try $0.open(UID(1)).identity })
        #expect(inodes.count == (without.contains(.hardLinks) ? 2 : 1))
        let report = try StoreCheck(root: t.path).run()
        #expect(report.findings.filter { $0.code == .leftover || $0.code == .foreignName } == [])
        t.check()
    }

    @Test func aMailboxNamedTwiceHasTheFirstFlags() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let message = try Self.message(t.store, "once")
        _ = try Delivery.deliver(message, to: [.init(inbox, flags: .seen), .init(inbox)])
        #expect(try inbox.contents() == ["1:S"])
        t.check()
    }

    @Test(arguments: [Set<Capability>(), [.unnamedFiles]]) func leavesNothingWhenDropped(
        without: Set<Capability>
    ) throws {
        var options = StoreOptions()
        options.withoutCapabilities = without
        let t = try TestStore(options)
        var message: FinishedMessage? = try Self.message(t.store, "to nobody")
        let during = try StoreCheck(root: t.path).run()
        #expect(during.has(.leftover) == without.contains(.unnamedFiles))
        #expect(during.has(.foreignName) == false)
        #expect(message != nil)
        message = nil
        #expect(try StoreCheck(root: t.path).run().findings == [])
    }

    @Test func theQuotaHoldsForAnAccountThatNobodyKnewOf() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        try inbox.append("before")
        try Hands(at: try t.directory()).write(#"{"quota_messages": 2}"#, to: "../../user.json")
        try Hands(at: try t.directory()).remove("../../quota.ledger")
        try t.reopen()
        let again = try t.mailbox()
        _ = try Delivery.deliver(Self.message(t.store, "second"), to: [.init(again)])
        #expect(throws: StoreError(.overQuota, "")) {
            try Delivery.deliver(Self.message(t.store, "third"), to: [.init(again)])
        }
        #expect(try again.contents().count == 2)
        t.check()
    }

    @Test func killedWritersAreCleanedUpAfter() throws {
        let now = Clocks.wall()
        var options = StoreOptions()
        options.withoutCapabilities = [.unnamedFiles]
        options.clock = { now }
        let t = try TestStore(options)
        let young = try Self.message(t.store, "on its way")
        let hands = Hands(at: t.path)
        try hands.write("x", to: ".tmp/1.2")
        try hands.write("x", to: ".probe.1")
        try hands.write("x", to: "notes")
        try t.store.maintain()
        #expect(try hands.listing().count { $0.contains(".tmp/") } == 2)
        options.clock = { now + 37 * 3600 }
        try Store.open(t.path, options: options).maintain()
        #expect(try hands.listing().filter { $0.contains(".tmp/") || $0.contains(".probe.") } == [])
        #expect(try hands.listing().count { $0.contains("notes") } == 1)
        #expect(young.size == 10)
    }

    @Test func aStoreOpenedForReadingTakesNoMessage() throws {
        let t = try TestStore()
        try t.reopen { $0.readOnly = true }
        #expect(throws: StoreError(.readOnly, "")) { try t.store.stage() }
    }
}
