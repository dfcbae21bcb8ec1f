package import MailAccounts
package import SMTPCodec
import ServerRuntime
import ShardFS

/// Resolution of recipient addresses to destinations.
package protocol RecipientRouter: Sendable {
    /// Returns all destinations of a recipient: at least one, several for an alias. Blocks; called on a pool thread.
    /// - Throws: `refused` for an address that does not receive mail here; other errors if it could not be looked up.
    func destinations(of address: SMTPAddress) throws(DeliveryError) -> [Destination]

    /// A domain of this host, or nil if there is none: for addresses of the host itself when the configuration names no
    /// domain. Blocks.
    func anyDomain() throws(DeliveryError) -> String?
}

extension RecipientRouter {
    package func anyDomain() throws(DeliveryError) -> String? { nil }
}

/// Routes each address to the INBOX of the local account of that name.
///
/// The addresses that every domain must have go to its ``Administrators`` if no account has the name.
package struct LocalRouter: RecipientRouter {
    /// RFC 5321 section 4.5.1, RFC 2142 section 4.
    private static let roles: Set<String> = ["postmaster", "abuse"]

    package let accounts: AccountStore
    private let administrators: Administrators

    /// - Parameter now: monotonic nanoseconds.
    package init(accounts: AccountStore, now: @escaping @Sendable () -> Int64) {
        self.accounts = accounts
        administrators = Administrators(accounts: accounts, now: now)
    }

    package func anyDomain() throws(DeliveryError) -> String? {
        do throws(AccountError) { return try accounts.domains().first } catch { throw .accounts(error) }
    }

    private func role(_ name: String, of domain: String) throws(DeliveryError) -> [Destination] {
        guard Self.roles.contains(name) else { throw .refused(.unknownUser) }
        let found: [AccountAddress]
        do throws(AccountError) { found = try administrators.of(domain) } catch { throw .accounts(error) }
        guard !found.isEmpty else { throw .refused(.unknownUser) }
        return found.map { .local($0, .inbox, []) }
    }

    package func destinations(of address: SMTPAddress) throws(DeliveryError) -> [Destination] {
        guard accounts.domainExists(address.domain) else { throw .refused(.relayNotPermitted) }
        guard let account = try? AccountAddress(local: address.accountName, domain: address.domain) else {
            throw .refused(.unknownUser)
        }
        let found: UserAccount?
        do throws(AccountError) { found = try accounts.find(account)?.account } catch { throw .accounts(error) }
        // A disabled account still gets its mail; only its logins are refused.
        guard found != nil else { return try role(account.local, of: account.domain) }
        return [.local(account, .inbox, [])]
    }
}
