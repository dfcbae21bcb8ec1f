package import MailAccounts
package import SMTPCodec
import ServerRuntime
import ShardFS

/// The resolution of addresses to the places that their mail goes to.
package protocol RecipientRouter: Sendable {
    /// Every place of a recipient, at least one; several for an alias. Blocks: called on a thread of a pool.
    /// - Throws: `refused` for an address that gets no mail here, else what kept the router from telling.
    func destinations(of address: SMTPAddress) throws(DeliveryError) -> [Destination]
}

/// The accounts of this host: each address is the INBOX of the account of that name.
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
