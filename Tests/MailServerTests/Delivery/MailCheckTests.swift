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

@Suite struct MailCheckTests {
    /// Returns fixed decisions.
    private struct FixedCheck: MailCheck, TransactionCheck {
        var senderDecision = CheckDecision.accept
        var contentDecision = CheckDecision.accept

        func begin() -> any TransactionCheck { self }
        func sender(_ envelope: SMTPEnvelope) async -> CheckDecision { senderDecision }
        func content(_ content: StagedContent, _ envelope: SMTPEnvelope) async -> CheckDecision { contentDecision }
    }

    /// Remembers the sender, and adds it to the message with the last bytes of the content.
    private struct RememberingCheck: MailCheck {
        final class Transaction: TransactionCheck {
            private let seen = Locked("")

            func sender(_ envelope: SMTPEnvelope) async -> CheckDecision {
                seen.withLock { $0 = "\(envelope.sender)" }
                return .accept
            }

            func content(_ content: StagedContent, _ envelope: SMTPEnvelope) async -> CheckDecision {
                let end = try? await content.read(at: content.size - 3, count: 100)
                let text = String(decoding: end ?? [], as: UTF8.self)
                return .accepted(MessageChanges(fields: ["X-Seen: \(seen.withLock { $0 }) \(text)\r\n"]))
            }
        }

        func begin() -> any TransactionCheck { Transaction() }
    }

    /// Makes no decision.
    private struct SilentCheck: MailCheck, TransactionCheck {
        func begin() -> any TransactionCheck { self }
    }

    private static let later = Refusal(451, subject: 7, detail: 24, "SPF cannot be checked for the moment")
    private static let never = Refusal(550, subject: 7, detail: 1, "Spam")

    @Test(arguments: [later, never]) func aSenderIsRefused(refusal: Refusal) async throws {
        let f = try DeliveryFixture(checks: [SilentCheck(), FixedCheck(senderDecision: .refused(refusal))])
        await #expect(throws: refusal) { try await f.accept([]) }
        #expect(refusal.isTemporary == (refusal.code == 451))
    }

    @Test(arguments: [InboundMessage.Atomicity.allOrNone, .each])
    func aContentIsRefusedForEverybody(atomicity: InboundMessage.Atomicity) async throws {
        let f = try DeliveryFixture(checks: [FixedCheck(contentDecision: .refused(Self.never)), SilentCheck()])
        let outcomes = try await f.send("text", to: ["alice@example.com", "bob@example.com"], atomicity)
        #expect(outcomes == [.refused(Self.never), .refused(Self.never)])
        #expect(try f.messages(of: "alice") == [])
        #expect(try f.messages(of: "bob") == [])
        try f.check()
    }

    @Test func changesAreMadeBeforeTheMessageIsVisible() async throws {
        let junk = MessageChanges.Redirection(to: try MailboxName("Junk"), flags: .seen)
        let f = try DeliveryFixture(checks: [
            FixedCheck(
                senderDecision: .accepted(MessageChanges(fields: ["First: 1\r\n"])),
                contentDecision: .accepted(MessageChanges(fields: ["Second: 2\r\n"], redirection: junk))),
            FixedCheck(contentDecision: .accepted(MessageChanges(fields: ["Third: 3\r\n"]))),
        ])
        let body = String(repeating: "0123456789", count: 60_000)
        #expect(try await f.send(body, to: ["alice@example.com", "bob@example.com"]) == [.delivered, .delivered])
        let text = "Third: 3\r\nSecond: 2\r\nFirst: 1\r\n" + body
        #expect(try f.messages(of: "alice", in: "Junk") == ["S \(text)"])
        #expect(try f.messages(of: "bob", in: "Junk") == ["FS \(text)"])
        #expect(try f.messages(of: "alice") == [])
        #expect(try f.messages(of: "bob") == [])
        try f.check()
    }

    @Test func aCheckHasAStateForEachTransaction() async throws {
        let f = try DeliveryFixture(checks: [RememberingCheck()])
        #expect(try await f.send("the end", to: ["alice@example.com"]) == [.delivered])
        #expect(try f.messages(of: "alice") == [" X-Seen: <sender@example.net> end\r\nthe end"])
    }

    @Test func usersSendFromTheirOwnAddresses() async throws {
        let alice = SMTPUser(addresses: [try #require(SMTPAddress("alice@example.com"))])
        for (sender, user, isOwn) in [
            ("alice@example.com", alice, true), ("Alice+x@example.com", alice, true),
            ("bob@example.com", alice, false), ("bob@example.com", nil, true),
        ] {
            let decision = OwnSenderCheck.decision(try DeliveryFixture.envelope(from: sender, user: user))
            #expect(decision == (isOwn ? .accept : .refused(.notYourAddress)), "\(sender)")
        }
        var envelope = try DeliveryFixture.envelope(user: alice)
        envelope.sender = .null
        #expect(OwnSenderCheck.decision(envelope) == .accept)
    }
}
