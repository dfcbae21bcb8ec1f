import Primitives

/// The directory of a mailbox when its status.json was last written. A copy of the directory has another inode; a
/// renamed one keeps its own.
struct MailboxPlace: Sendable, Equatable {
    var inode: UInt64
    /// The address of the account.
    var account: String

    init(inode: UInt64, account: String) {
        self.inode = inode
        self.account = account
    }

    /// Nil for anything that is no place.
    init?(_ json: JSONValue?) {
        guard let inode = json?["inode"]?.unsignedInteger, let account = json?["account"]?.string else { return nil }
        self.init(inode: inode, account: account)
    }

    var json: JSONValue { .object(["account": .string(account), "inode": .uint(inode)]) }
}
