package import MailAccounts
package import SMTPCodec
import ServerRuntime
import ShardFS

/// Resolution of recipient addresses to destinations.
package protocol RecipientRouter: Sendable {
    /// Returns all destinations of a recipient: at least one, several for an alias. Blocks; called on a pool thread.
    /// - Throws: `refused` for an address that does not receive mail here; other errors if it could not be looked up.
    func destinations(of address: SMTPAddress) throws(DeliveryError) -> [Destination]
}

/// Routes each address to the INBOX of the local account of that name.
package struct LocalRouter: RecipientRouter {
    package let accounts: AccountStore

    package init(accounts: AccountStore) { self.accounts = accounts }

    package func destinations(of address: SMTPAddress) throws(DeliveryError) -> [Destination] {
        guard accounts.domainExists(address.domain) else { throw .refused(.relayNotPermitted) }
        guard let account = try? AccountAddress(local: address.accountName, domain: address.domain) else {
            throw .refused(.unknownUser)
        }
        let found: UserAccount?
        do throws(AccountError) { found = try accounts.find(account)?.account } catch { throw .accounts(error) }
        guard let found else { throw .refused(.unknownUser) }
        guard found.enabled else { throw .refused(.disabled) }
        return [.local(account, .inbox, [])]
    }
}
