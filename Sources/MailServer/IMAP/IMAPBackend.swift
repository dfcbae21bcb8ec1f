package import MailAccounts
package import ShardFS
package import ShardIndex

/// The accounts behind an IMAP server. Calls come from many connections at once.
package protocol IMAPBackend: Sendable {
    var logins: any LoginChecker { get }

    /// Opens the mail of an account that has logged in; nil when that cannot be done now.
    func open(_ account: UserAccount) async -> IMAPAccount?
}

/// Whom a session belongs to.
package struct IMAPAccount: Sendable {
    package let address: AccountAddress
    package let mail: Account
    /// What was worked out about its messages before; nil without a read cache.
    package var index: AccountIndex?
    /// Not told to this account's programs.
    package var suppressedCapabilities = CapabilityNames([])

    package init(address: AccountAddress, mail: Account) {
        self.address = address
        self.mail = mail
    }
}
