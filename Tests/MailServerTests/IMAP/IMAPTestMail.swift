import FoundationEssentials
import Glibc
import Primitives
import ShardFS
import ShardIndex
import TestSupport
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// A separate store with alice and three mailboxes, and a backend that knows her password.
final class IMAPTestMail: Sendable {
    static let password = "secret"
    /// Shared by all tests; lives as long as they do.
    /// Does short work on event loops, unless RMAIL_TEST_INLINE is off: the tests run with it and without it.
    static let pool = BlockingPool(
        threads: 4, maximumWaiting: 10_000,
        inline: getenv("RMAIL_TEST_INLINE").map { String(cString: $0) } == "off" ? nil : InlineWork())

    /// In memory where possible: these tests are about the session, not about the disk.
    private let directory: TemporaryDirectory
    let store: Store
    let backend: Backend
    /// The read cache, unless RMAIL_TEST_INDEX is off: the tests run with it and without it.
    let index: ShardIndex?

    /// - Parameter usesIndex: nil to follow RMAIL_TEST_INDEX.
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
        // Tests wait for everything they put.
        options.writeDelay = 0
        return ShardIndex(path: "\(path)/cache", options: options) { Issue.record("read cache: \($0)") }
    }

    // Its writer would mistake the removal of the directory for another program's doing.
    deinit { index?.close() }

    var path: String { directory.path }

    func account(_ name: String = "alice") throws -> Account {
        try store.account(AccountAddress(local: name, domain: "example.com"))
    }

    func mailbox(_ name: String = "INBOX", of user: String = "alice") throws -> Mailbox {
        try account(user).mailbox(MailboxName(name))
    }

    /// Sets a quota for alice's account.
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

    /// A backend with one account, alice's.
    final class Backend: IMAPBackend {
        private let store: Store
        private let index: ShardIndex?

        init(_ store: Store, _ index: ShardIndex?) {
            self.store = store
            self.index = index
        }

        let logins: any LoginChecker = TestLogins(password: IMAPTestMail.password)
        /// `account client code` of the store's errors that commands met.
        let failures = Locked<[String]>([])
        /// The messages of these errors.
        let faults = Locked<[String]>([])

        func storeFailed(_ error: StoreError, for account: AccountAddress?, client: String) {
            failures.withLock { $0.append("\(account?.description ?? "-") \(client) \(error.code)") }
            faults.withLock { $0.append(error.message) }
        }

        func open(_ user: UserAccount) async -> IMAPAccount? {
            guard let mail = try? store.account(user.address) else { return nil }
            var account = IMAPAccount(address: user.address, mail: mail)
            account.index = index?.account(storeID: store.id, user.address)
            return account
        }
    }
}
