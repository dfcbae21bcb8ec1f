import MIME
import NIOCore
import SMTPCodec
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailDelivery
@testable import MailServer
@testable import ServerRuntime

@Suite struct LocalDeliveryTests {
    private static let list: [String: [Destination]] = [
        "list@example.com": [DeliveryFixture.alice, DeliveryFixture.bob]
    ]

    @Test(arguments: [InboundMessage.Atomicity.allOrNone, .each])
    func anAliasIsDeliveredOnceToEveryPlace(atomicity: InboundMessage.Atomicity) async throws {
        let f = try DeliveryFixture(aliases: Self.list)
        let outcomes = try await f.send(
            "text", to: ["alice@example.com", "list@example.com", "bob@example.com"], atomicity)
        #expect(outcomes == [.delivered, .delivered, .delivered])
        #expect(try f.messages(of: "alice") == [" text"])
        #expect(try f.messages(of: "bob") == ["F text"])
        try f.check()
    }

    @Test func oneFullMailboxMeansNobody() async throws {
        let f = try DeliveryFixture()
        let outcomes = try await f.send("text", to: ["alice@example.com", "bob@example.com"]) { try f.fill("bob") }
        #expect(outcomes == [.refused(.aMailboxFull), .refused(.aMailboxFull)])
        #expect(try f.messages(of: "alice") == [])
        #expect(try f.messages(of: "bob") == [" full"])
    }

    @Test func eachRecipientHasAnOutcomeOfItsOwn() async throws {
        let f = try DeliveryFixture(aliases: Self.list)
        let outcomes = try await f.send(
            "text", to: ["list@example.com", "bob@example.com", "alice@example.com", "alice@example.com"], .each
        ) { try f.fill("bob") }
        // A recipient with two destinations gets the message in both or in none.
        #expect(outcomes == [.refused(.mailboxFull), .refused(.mailboxFull), .delivered, .delivered])
        #expect(try f.messages(of: "alice") == [" text"])
        #expect(try f.messages(of: "bob") == [" full"])
    }

    @Test func aDeclaredSizeThatDoesNotFitIsRefusedAtOnce() async throws {
        let f = try DeliveryFixture()
        try f.limit("alice", messages: 0)
        try f.fill("bob")
        _ = try await f.accept(["alice@example.com"], size: 100)
        await #expect(throws: Refusal.mailboxFull) { try await f.accept(["bob@example.com"], size: 100) }
    }

    @Test func recipientsElsewhereAreRefused() async throws {
        let remote = Destination.remote(try #require(SMTPAddress("x@example.org")))
        let f = try DeliveryFixture(aliases: ["away@example.com": [DeliveryFixture.alice, remote]])
        await #expect(throws: Refusal.relayNotPermitted) { try await f.accept(["away@example.com"]) }
        await #expect(throws: Refusal.unknownUser) { try await f.accept(["nobody@example.com"]) }
    }

    @Test func aMailboxThatIsMissingIsMade() async throws {
        let alice = DeliveryFixture.address("alice")
        let lists = try MailboxName("Lists/Swift")
        let f = try DeliveryFixture(aliases: ["swift@example.com": [.local(alice, lists, .seen)]])
        #expect(try await f.send("text", to: ["swift@example.com"]) == [.delivered])
        #expect(try f.messages(of: "alice", in: "Lists/Swift") == ["S text"])
        #expect(try f.messages(of: "alice") == [])
    }

    @Test func aDroppedMessageLeavesNothing() async throws {
        let f = try DeliveryFixture()
        let (transaction, envelope) = try await f.accept(["alice@example.com"])
        try await transaction.beginMessage(envelope).append(.init(string: "text"))
        #expect(try f.messages(of: "alice") == [])
        try f.check()
    }

    /// Settings changed after the start apply to the next transaction.
    @Test func postmasterFollowsTheSettings() async throws {
        let f = try DeliveryFixture(aliases: [
            "postmaster@example.com": [DeliveryFixture.alice], "postmaster@example.org": [DeliveryFixture.bob],
        ])
        let envelope = try DeliveryFixture.envelope()
        let before = try await f.delivery.begin(envelope)
        f.delivery.update(LocalDelivery.Settings(postmasterDomain: "example.org", parseLimits: .init()))
        let after = try await f.delivery.begin(envelope)
        f.delivery.update(LocalDelivery.Settings(postmasterDomain: nil, parseLimits: .init()))
        #expect(try await before.recipient(.postmaster, in: envelope) == [DeliveryFixture.alice])
        #expect(try await after.recipient(.postmaster, in: envelope) == [DeliveryFixture.bob])
        let nowhere = try await f.delivery.begin(envelope)
        await #expect(throws: Refusal.relayNotPermitted) { try await nowhere.recipient(.postmaster, in: envelope) }
    }
}
