package import MailAccounts
package import ShardFS
package import ShardIndex

/// The accounts behind an IMAP server. Calls come from many connections at once.
package protocol IMAPBackend: Sendable {
    var logins: any LoginChecker { get }

    /// Opens the mail of a logged-in account; nil when it cannot be opened now.
    func open(_ account: UserAccount) async -> IMAPAccount?

    /// Called with every store error that a command encounters.
    func storeFailed(_ error: StoreError, for account: AccountAddress?, client: String)
}

extension IMAPBackend {
    package func storeFailed(_ error: StoreError, for account: AccountAddress?, client: String) {}
}

/// The account that a session is logged in to.
package struct IMAPAccount: Sendable {
    package let address: AccountAddress
    package let mail: Account
    /// The read cache of its messages; nil when the cache is turned off.
    package var index: AccountIndex?
    /// Capabilities hidden from this account's clients.
    package var suppressedCapabilities = CapabilityNames([])

    package init(address: AccountAddress, mail: Account) {
        self.address = address
        self.mail = mail
    }
}
