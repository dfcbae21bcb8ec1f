import MailServer
import NIOConcurrencyHelpers
import ShardFS
import Testing

/// A store of its own with alice and bob in it, and the backend that knows their password.
final class IMAPTestMail: Sendable {
    static let password = "secret"
    /// For all tests; it lives as long as they do.
    static let pool = BlockingPool(threads: 4, maximumWaiting: 10_000)

    private let directory: TemporaryDirectory
    let store: Store
    let backend: Backend

    init(_ change: (inout StoreOptions) -> Void = { _ in }) throws {
        directory = try TemporaryDirectory()
        var options = StoreOptions()
        options.durability = .none
        change(&options)
        store = try Store.open("\(directory.path)/store", options: options)
        backend = Backend(store)
        for name in ["alice", "bob"] {
            let account = try store.createAccount(AccountAddress(local: name, domain: "example.com"))
            try account.create(.inbox)
            try account.createDefaults()
        }
    }

    var path: String { directory.path }

    func account(_ name: String = "alice") throws -> Account {
        try store.account(AccountAddress(local: name, domain: "example.com"))
    }

    func mailbox(_ name: String = "INBOX", of user: String = "alice") throws -> Mailbox {
        try account(user).mailbox(MailboxName(name))
    }

    /// Appends a message; lines of `text` get CRLF.
    @discardableResult
    func append(
        _ text: String, _ flags: MessageFlags = [], date: Int64? = nil, to name: String = "INBOX"
    ) throws -> UInt32 {
        let mailbox = try mailbox(name)
        let staged = try mailbox.stage()
        try staged.write(Array(text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n").utf8))
        try staged.finish(internalDate: date)
        return try mailbox.append(staged, flags: flags).uid.rawValue
    }

    /// Appends `count` small messages with the subjects `message 1` and so on.
    func fill(_ count: Int) throws {
        for number in 1...count { try append("Subject: message \(number)\n\nbody \(number)\n") }
    }

    /// Knows alice and bob, and counts connections.
    final class Backend: IMAPBackend {
        private let store: Store
        private let open = NIOLockedValueBox(0)

        init(_ store: Store) { self.store = store }

        var connections: Int { open.withLockedValue { $0 } }

        func connectionOpened(from remoteAddress: String) -> Bool {
            open.withLockedValue { $0 += 1 }
            return true
        }

        func connectionClosed(from remoteAddress: String) { open.withLockedValue { $0 -= 1 } }

        func authenticate(
            user: String, password: [UInt8], from remoteAddress: String
        ) async -> IMAPAuthenticationOutcome {
            guard password == Array(IMAPTestMail.password.utf8), let address = try? AccountAddress(parsing: user),
                let mail = try? store.account(address)
            else { return user == "busy" ? .unavailable : user == "disabled" ? .disabled : .refused }
            return .accepted(IMAPAccount(address: address, mail: mail))
        }
    }
}
