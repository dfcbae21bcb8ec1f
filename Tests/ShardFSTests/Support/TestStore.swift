import Glibc
import TestSupport
import Testing

@testable import ShardFS

/// A store in a temporary directory, removed at the end, with one account and an INBOX.
final class TestStore {
    private let place = TemporaryDirectory()
    var store: Store
    var options: StoreOptions

    init(_ options: StoreOptions = StoreOptions()) throws {
        self.options = options
        store = try Store.open(place.path, options: options)
    }

    var path: String { place.path }

    func account(_ address: String = "alice@example.com") throws -> Account {
        let address = try AccountAddress(parsing: address)
        return try store.createAccount(address)
    }

    /// A mailbox of alice's, created if missing.
    func mailbox(_ name: String = "INBOX", of address: String = "alice@example.com") throws -> Mailbox {
        let account = try account(address)
        let name = try MailboxName(name)
        do { return try account.mailbox(name) } catch {
            guard error.code == .notFound else { throw error }
        }
        try account.create(name)
        return try account.mailbox(name)
    }

    /// The same store opened as another process would.
    static func second(_ t: TestStore) throws -> Store { try Store.open(t.path, options: t.options) }

    /// Reopens the store as a new process would: nothing is shared with the old one.
    func reopen(_ change: (inout StoreOptions) -> Void = { _ in }) throws {
        change(&options)
        store = try Store.open(path, options: options)
    }

    func directory(_ mailbox: String = "INBOX", of address: String = "alice@example.com") throws -> String {
        "\(path)/\(Store.path(try AccountAddress(parsing: address)))/\(try MailboxName(mailbox).relativePath)"
    }
}

extension Mailbox {
    @discardableResult
    func append(_ text: String, _ flags: MessageFlags = [], date: Int64? = nil) throws -> UID {
        try append(bytes: Array(text.utf8), flags: flags, internalDate: date).uid
    }

    /// A message that only needs to be appended.
    func finished(_ text: String, date: Int64? = nil) throws(StoreError) -> FinishedMessage {
        let message = try stage()
        try message.write(Array(text.utf8))
        return try message.finish(internalDate: date)
    }

    /// Adds a message that has every letter, so that none is left for other keywords.
    @discardableResult
    func fillLetters() throws -> UID {
        let used = try snapshot().keywords.names.count
        _ = try keywords((used..<31).map { "full\($0)" }, create: true)
        return try append("full", .keywordMask)
    }

    func text(_ uid: UID) throws -> String { String(decoding: try open(uid).read(), as: UTF8.self) }

    /// `uid:flags` of every message, in order.
    func contents() throws -> [String] {
        var all: [String] = []
        try snapshot().messages.forEach { all.append("\($0.uid):\($0.flags.letters)") }
        return all
    }
}
