import FoundationEssentials
import Logging
import MIME
import NIOCore
import SMTPCodec
import ShardFS
import TestSupport
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailDelivery
@testable import MailServer
@testable import ServerRuntime

/// A store with alice and bob, and a delivery with a table as its router.
final class DeliveryFixture: Sendable {
    /// Shared by all tests; lives as long as they do.
    static let pool = BlockingPool(threads: 2, maximumWaiting: 1000)

    private struct TableRouter: RecipientRouter {
        let table: [String: [Destination]]

        func destinations(of address: SMTPAddress) throws(DeliveryError) -> [Destination] {
            guard let found = table[address.description] else { throw .refused(.unknownUser) }
            return found
        }
    }

    private let directory = TemporaryDirectory(inMemory: true)
    let store: Store
    let delivery: LocalDelivery

    static let alice = Destination.local(address("alice"), .inbox, [])
    static let bob = Destination.local(address("bob"), .inbox, .flagged)

    /// - Parameter aliases: table entries in addition to `alice@example.com` and `bob@example.com`.
    init(checks: [any MailCheck] = [], aliases: [String: [Destination]] = [:]) throws {
        var options = StoreOptions()
        options.durability = .none
        store = try Store.open("\(directory.path)/store", options: options)
        for user in ["alice", "bob"] { try store.createAccount(Self.address(user)).create(.inbox) }
        let users = ["alice@example.com": [Self.alice], "bob@example.com": [Self.bob]]
        var logger = Logger(label: "delivery")
        logger.logLevel = .critical
        delivery = LocalDelivery(
            LocalDelivery.Settings(defaultDomain: "example.com", parseLimits: .init()), store: store,
            router: TableRouter(table: users.merging(aliases) { $1 }), checks: checks, index: nil,
            limits: ConnectionLimits(ConnectionLimits.Settings(), now: { 0 }), pool: Self.pool, logger: logger)
    }

    static func address(_ user: String) -> AccountAddress {
        try! AccountAddress(local: user, domain: "example.com")
    }

    static let sender = "sender@example.net"

    static func envelope(from sender: String = sender, user: SMTPUser? = nil) throws -> SMTPEnvelope {
        SMTPEnvelope(
            sender: .address(try #require(SMTPAddress(sender))), user: user, remoteAddress: "192.0.2.7",
            clientName: "client.example.net")
    }

    /// Runs a transaction up to its accepted recipients.
    func accept(
        _ recipients: [String], size: Int? = nil, from sender: String = sender
    ) async throws -> (transaction: InboundTransaction, envelope: SMTPEnvelope) {
        var envelope = try Self.envelope(from: sender)
        envelope.parameters.size = size
        let transaction = try await delivery.begin(envelope)
        for recipient in recipients {
            let path = SMTPForwardPath.address(try #require(SMTPAddress(recipient)))
            let destinations = try await transaction.recipient(path, in: envelope)
            envelope.recipients.append(SMTPRecipient(path: path, destinations: destinations))
        }
        return (transaction, envelope)
    }

    /// Sends a message; `before` runs once all of its bytes have been sent.
    func send(
        _ text: String, to recipients: [String], _ atomicity: InboundMessage.Atomicity = .allOrNone,
        before: () throws -> Void = {}
    ) async throws -> [RecipientOutcome] {
        let (transaction, envelope) = try await accept(recipients)
        let message = try await transaction.beginMessage(envelope)
        try await message.append(ByteBuffer(string: text))
        try before()
        return await message.deliver(envelope, atomicity)
    }

    /// `flags text` of every message in a mailbox; nil if the mailbox does not exist.
    func messages(of user: String, in name: String = "INBOX") throws -> [String]? {
        let account = try store.account(Self.address(user))
        guard let mailbox = try? account.mailbox(MailboxName(name)) else { return nil }
        var found: [String] = []
        try mailbox.snapshot().messages.forEach {
            let text = String(decoding: try mailbox.open($0.uid).read(), as: UTF8.self)
            found.append("\($0.flags.letters) \(text)")
        }
        return found
    }

    /// Limits a user to one message, and fills the mailbox with it.
    func fill(_ user: String) throws {
        try limit(user, messages: 1)
        let mailbox = try store.account(Self.address(user)).mailbox(.inbox)
        _ = try mailbox.append(bytes: Array("full".utf8))
    }

    func limit(_ user: String, messages: Int = 0, bytes: Int = 0) throws {
        let text = #"{"quota_messages": \#(messages), "quota_mb": \#(Double(bytes) / 1_048_576)}"#
        try Data(text.utf8).write(to: URL(filePath: "\(directory(of: user))/user.json"))
    }

    /// Damages a user's INBOX.
    func replaceMailboxByAFile(of user: String) throws {
        let path = "\(directory(of: user))/mailboxes/INBOX"
        try FileManager.default.removeItem(atPath: path)
        try Data().write(to: URL(filePath: path))
    }

    private func directory(of user: String) -> String { "\(store.root)/domains/example.com/users/\(user)" }

    /// Checks that the store is sound and holds nothing left over from failed deliveries.
    func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let report = try StoreCheck(root: store.root).run()
        #expect(report.errors == [], sourceLocation: sourceLocation)
        let left = report.findings.filter { $0.code == .leftover || $0.code == .foreignName }
        #expect(left == [], sourceLocation: sourceLocation)
    }
}
