import FoundationEssentials
import Glibc
import ShardFS
import ShardIndex
import TestSupport
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// A store of its own with alice and three mailboxes in it, and the backend that knows her password.
final class IMAPTestMail: Sendable {
    static let password = "secret"
    /// For all tests; it lives as long as they do.
    static let pool = BlockingPool(threads: 4, maximumWaiting: 10_000)

    /// In memory where there is such a place: these tests are about the session, not about the disk.
    private let directory: TemporaryDirectory
    let store: Store
    let backend: Backend
    /// The read cache, unless RMAIL_TEST_INDEX is off: the tests are run with it and without.
    let index: ShardIndex?

    /// - Parameter usesIndex: nil for what RMAIL_TEST_INDEX says.
    init(usesIndex: Bool? = nil, _ change: (inout StoreOptions) -> Void = { _ in }) throws {
        directory = TemporaryDirectory(inMemory: true)
        var options = StoreOptions()
        options.durability = .none
        change(&options)
        store = try Store.open("\(directory.path)/store", options: options)
        let isOff = getenv("RMAIL_TEST_INDEX").map { String(cString: $0) } == "off"
        index = usesIndex ?? !isOff ? Self.index(in: directory.path) : nil
        backend = Backend(store, index)
        let account = try store.createAccount(AccountAddress(local: "alice", domain: "example.com"))
        try account.create(.inbox)
        for (name, use) in [("Sent", "\\Sent"), ("Trash", "\\Trash")] {
            try account.create(MailboxName(name), specialUse: use)
        }
    }

    private static func index(in path: String) -> ShardIndex {
        var options = IndexOptions()
        // What was put is waited for.
        options.writeDelay = 0
        return ShardIndex(path: "\(path)/cache", options: options) { Issue.record("read cache: \($0)") }
    }

    // Its writer would take the removal of the directory for the act of another program.
    deinit { index?.close() }

    var path: String { directory.path }

    func account(_ name: String = "alice") throws -> Account {
        try store.account(AccountAddress(local: name, domain: "example.com"))
    }

    func mailbox(_ name: String = "INBOX", of user: String = "alice") throws -> Mailbox {
        try account(user).mailbox(MailboxName(name))
    }

    /// Gives alice's account a quota.
    func limitAlice(toMiB limit: Int, messages: Int = 0) throws {
        let path = "\(store.root)/domains/example.com/users/alice/user.json"
        let user = #"{"username": "alice", "quota_mb": \#(limit), "quota_messages": \#(messages)}"#
        try Data(user.utf8).write(to: URL(filePath: path))
    }

    /// Appends a message; lines of `text` get CRLF.
    @discardableResult
    func append(
        _ text: String, _ flags: MessageFlags = [], date: Int64? = nil, to name: String = "INBOX"
    ) throws -> UInt32 {
        let text = text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        return try mailbox(name).append(bytes: Array(text.utf8), flags: flags, internalDate: date).uid.rawValue
    }

    /// Appends `count` small messages with the subjects `message 1` and so on.
    func fill(_ count: Int) throws {
        for number in 1...count { try append("Subject: message \(number)\n\nbody \(number)\n") }
    }

    /// Knows alice.
    final class Backend: IMAPBackend {
        private let store: Store
        private let index: ShardIndex?

        init(_ store: Store, _ index: ShardIndex?) {
            self.store = store
            self.index = index
        }

        let logins: any LoginChecker = TestLogins(password: IMAPTestMail.password)

        func open(_ user: UserAccount) async -> IMAPAccount? {
            guard let mail = try? store.account(user.address) else { return nil }
            var account = IMAPAccount(address: user.address, mail: mail)
            account.index = index?.account(storeID: store.id, user.address)
            return account
        }
    }
}
