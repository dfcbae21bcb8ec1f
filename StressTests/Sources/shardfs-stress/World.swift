import Glibc
import ShardFS

/// The accounts and mailboxes of all workers: few, so that they meet.
enum World {
    static let mailboxes = [
        "alice@example.com/INBOX", "alice@example.com/Work", "bob@example.com/INBOX", "bob@example.com/Old/Deep",
    ]
    /// Bob's limit in MiB: low enough to be reached.
    static let bobsQuota = 1
    /// A mailbox with more messages is thinned out.
    static let crowded = 60
    static let systemFlags: [(name: String, flag: MessageFlags)] = [
        ("\\Answered", .answered), ("\\Deleted", .deleted), ("\\Flagged", .flagged), ("\\Seen", .seen),
        ("\\Draft", .draft),
    ]
    static let keywords = ["Red", "Green", "Blue", "$Forwarded"]

    static func options(boot: String) -> StoreOptions {
        var options = StoreOptions()
        options.bootID = boot
        return options
    }

    static func mailbox(_ name: String, in store: Store) throws(StoreError) -> Mailbox {
        let slash = name.firstIndex(of: "/")!
        let account = try store.account(AccountAddress(parsing: String(name[..<slash])))
        return try account.mailbox(MailboxName(String(name[name.index(after: slash)...])))
    }

    /// The directory of a mailbox's files (docs/storage.md section 1).
    static func directory(_ name: String, in store: Store) -> String {
        let parts = name.split(separator: "/")
        let address = parts[0].split(separator: "@")
        let levels = parts.dropFirst().map { "mailboxes/\($0)" }.joined(separator: "/")
        return "\(store.root)/domains/\(address[1])/users/\(address[0])/\(levels)"
    }

    /// Makes the accounts and mailboxes.
    static func make(_ store: Store) throws {
        for name in mailboxes {
            let slash = name.firstIndex(of: "/")!
            let account = try store.createAccount(AccountAddress(parsing: String(name[..<slash])))
            try account.create(MailboxName(String(name[name.index(after: slash)...])))
            _ = try account.quota()
        }
        let user = "\(store.root)/domains/example.com/users/bob/user.json"
        let bytes = Array("{\"quota_mb\": \(bobsQuota)}\n".utf8)
        let fd = open(user, O_WRONLY | O_CREAT, 0o600)
        _ = write(fd, bytes, bytes.count)
        close(fd)
    }

    /// Flags by name, so that mailboxes with different letters can be compared.
    static func names(_ flags: MessageFlags, _ table: KeywordTable) -> [String] {
        systemFlags.filter { flags.contains($0.flag) }.map(\.name) + table.names(in: flags)
    }

    static func flags(_ names: [String], in mailbox: Mailbox) throws(StoreError) -> MessageFlags {
        var flags: MessageFlags = []
        for (name, flag) in systemFlags where names.contains(name) { flags.formUnion(flag) }
        flags.formUnion(try mailbox.keywords(names.filter { !$0.hasPrefix("\\") }, create: true))
        return flags
    }
}
