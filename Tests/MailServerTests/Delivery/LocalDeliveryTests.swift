import MIME
import NIOCore
import Primitives
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
        let bob = try #require(SMTPAddress("bob@example.com"))
        #expect(outcomes == [.refused(.mailboxesFull([.address(bob)])), .refused(.mailboxesFull([.address(bob)]))])
        #expect(try f.messages(of: "alice") == [])
        #expect(try f.messages(of: "bob") == [" full"])
    }

    /// SMTP has one reply for all: when the sender tries again, the one who has no room is refused at RCPT, and the
    /// others get the message, once.
    @Test func theNextAttemptReachesTheOthers() async throws {
        let f = try DeliveryFixture()
        try f.limit("bob", bytes: 1 << 20)
        let text = String(repeating: "x", count: 2 << 20)
        // Nobody declared a size, and bob has some room.
        _ = try await f.send(text, to: ["alice@example.com", "bob@example.com"])
        #expect(try f.messages(of: "alice") == [])
        await #expect(throws: Refusal.mailboxFull) { try await f.accept(["bob@example.com"]) }
        // Mail of others is not concerned.
        _ = try await f.accept(["bob@example.com"], from: "other@example.net")
        #expect(try await f.send(text, to: ["alice@example.com"]) == [.delivered])
        #expect(try f.messages(of: "alice")?.count == 1)
        // Room again: forgotten.
        try f.limit("bob", bytes: 4 << 20)
        #expect(try await f.send(text, to: ["bob@example.com"]) == [.delivered])
        try f.limit("bob", bytes: 1 << 20)
        await #expect(throws: Refusal.mailboxFull) { try await f.accept(["bob@example.com"]) }
        try f.check()
    }

    @Test func oneMailboxThatFailsIsRefusedByItselfNextTime() async throws {
        let f = try DeliveryFixture()
        let outcomes = try await f.send("text", to: ["alice@example.com", "bob@example.com"]) {
            try f.replaceMailboxByAFile(of: "bob")
        }
        let bob = try #require(SMTPAddress("bob@example.com"))
        #expect(outcomes == [.refused(.mailboxesFail([.address(bob)])), .refused(.mailboxesFail([.address(bob)]))])
        await #expect(throws: Refusal.cannotStore) { try await f.accept(["bob@example.com"]) }
        #expect(try await f.send("text", to: ["alice@example.com"]) == [.delivered])
        #expect(try f.messages(of: "alice") == [" text"])
    }

    /// One full account does not keep a message from the other destinations of the same recipient.
    @Test(arguments: [true, false]) func oneDestinationIsEnough(isFullAtOnce: Bool) async throws {
        let fixture = try DeliveryFixture(aliases: ["staff@example.com": [DeliveryFixture.alice, DeliveryFixture.bob]])
        if isFullAtOnce { try fixture.fill("bob") }
        let outcomes = try await fixture.send("Subject: all\r\n\r\n", to: ["staff@example.com"]) {
            if !isFullAtOnce { try fixture.fill("bob") }
        }
        #expect(outcomes == [.delivered])
        #expect(try fixture.messages(of: "alice")?.count == 1)
        #expect(try fixture.messages(of: "bob")?.count == 1)
        try fixture.limit("alice", messages: 1)
        await #expect(throws: Refusal.mailboxFull) { try await fixture.accept(["staff@example.com"]) }
    }

    /// Named by itself as well, it refuses the message by its own name.
    @Test func aFullDestinationThatIsARecipientToo() async throws {
        let fixture = try DeliveryFixture(aliases: ["staff@example.com": [DeliveryFixture.alice, DeliveryFixture.bob]])
        let outcomes = try await fixture.send(
            "Subject: all\r\n\r\n", to: ["staff@example.com", "bob@example.com"]
        ) { try fixture.fill("bob") }
        guard case .refused(let refusal)? = outcomes.first else {
            Issue.record("delivered")
            return
        }
        #expect(refusal.text.contains("bob@example.com") && !refusal.text.contains("staff@example.com"))
        #expect(try fixture.messages(of: "alice") == [])
    }

    @Test func manyNamesFitAReply() throws {
        let paths = try (0..<100).map { index in
            SMTPForwardPath.address(try #require(SMTPAddress("recipient-\(index)@example.com")))
        }
        let text = Refusal.mailboxesFull(paths).text
        #expect(text.utf8.count <= 480)
        #expect(text.contains("<recipient-0@example.com>, <recipient-1@example.com>"))
        #expect(text.contains(" more: the mailbox is full"))
    }

    @Test func eachRecipientHasAnOutcomeOfItsOwn() async throws {
        let f = try DeliveryFixture(aliases: Self.list)
        let outcomes = try await f.send(
            "text", to: ["list@example.com", "bob@example.com", "alice@example.com", "alice@example.com"], .each
        ) { try f.fill("bob") }
        // A recipient with two destinations gets the message in those that take it.
        #expect(outcomes == [.delivered, .refused(.mailboxFull), .delivered, .delivered])
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

    /// `user@[own address]` is a user of the first domain (RFC 5321 section 4.1.3).
    @Test(
        arguments: [
            ("alice@[127.0.0.1]", true), ("ALICE@[127.0.0.1]", false), ("alice@[192.0.2.77]", true),
            ("alice@[IPv6:2001:DB8::77]", true), ("alice@[192.0.2.78]", false), ("nobody@[127.0.0.1]", false),
        ])
    func addressLiterals(recipient: String, isTaken: Bool) async throws {
        let f = try DeliveryFixture()
        f.delivery.update(
            LocalDelivery.Settings(
                defaultDomain: "example.com",
                publicAddresses: ["192.0.2.77", "2001:db8::77"].compactMap { IPAddress($0) }, parseLimits: .init()))
        if isTaken {
            #expect(try await f.accept([recipient]).envelope.destinations == [DeliveryFixture.alice])
        } else {
            await #expect(throws: Refusal.unknownUser) { try await f.accept([recipient]) }
        }
    }

    /// Settings changed after the start apply to the next transaction.
    @Test func postmasterFollowsTheSettings() async throws {
        let f = try DeliveryFixture(aliases: [
            "postmaster@example.com": [DeliveryFixture.alice], "postmaster@example.org": [DeliveryFixture.bob],
        ])
        let envelope = try DeliveryFixture.envelope()
        let before = try await f.delivery.begin(envelope)
        f.delivery.update(LocalDelivery.Settings(defaultDomain: "example.org", parseLimits: .init()))
        let after = try await f.delivery.begin(envelope)
        f.delivery.update(LocalDelivery.Settings(defaultDomain: nil, parseLimits: .init()))
        #expect(try await before.recipient(.postmaster, in: envelope) == [DeliveryFixture.alice])
        #expect(try await after.recipient(.postmaster, in: envelope) == [DeliveryFixture.bob])
        let nowhere = try await f.delivery.begin(envelope)
        await #expect(throws: Refusal.relayNotPermitted) { try await nowhere.recipient(.postmaster, in: envelope) }
    }
}
