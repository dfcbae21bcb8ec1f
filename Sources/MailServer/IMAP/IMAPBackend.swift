public import ShardFS
public import ShardIndex

/// The accounts behind an IMAP server. Calls come from many connections at once.
public protocol IMAPBackend: ConnectionGate {
    var logins: any LoginChecker { get }

    /// Opens the mail of an account that has logged in; nil when that cannot be done now.
    func open(_ account: UserAccount) async -> IMAPAccount?
}

/// Whom a session belongs to.
public struct IMAPAccount: Sendable {
    public let address: AccountAddress
    public let mail: Account
    /// What was worked out about its messages before; nil without a read cache.
    public var index: AccountIndex?
    /// Not told to this account's programs.
    public var suppressedCapabilities = CapabilityNames([])

    public init(address: AccountAddress, mail: Account) {
        self.address = address
        self.mail = mail
    }
}
