package import Logging
package import MailAccounts
package import ServerRuntime
package import ShardFS
package import ShardIndex

/// The backend that serves this host's accounts.
package final class StoreIMAPBackend: IMAPBackend {
    package let logins: any LoginChecker
    private let store: Store
    private let index: ShardIndex?
    private let pool: BlockingPool
    private let logger: Logger

    /// - Parameters:
    ///   - index: the read cache; nil when it is turned off.
    ///   - pool: runs the engine's blocking calls.
    package init(logins: any LoginChecker, store: Store, index: ShardIndex?, pool: BlockingPool, logger: Logger) {
        self.logins = logins
        self.store = store
        self.index = index
        self.pool = pool
        self.logger = logger
    }

    package func open(_ account: UserAccount) async -> IMAPAccount? {
        do {
            let mail = try await pool.run { [store] () throws(StoreError) in try store.account(account.address) }
            var result = IMAPAccount(address: account.address, mail: mail)
            result.index = index?.account(storeID: store.id, account.address)
            result.suppressedCapabilities = CapabilityNames(account.suppressCapabilities)
            return result
        } catch {
            logger.error(
                "an account cannot be opened", metadata: ["account": "\(account.address)", "error": "\(error)"])
            return nil
        }
    }

    /// Logs failures of the store; errors caused by the client's request are not logged.
    package func storeFailed(_ error: StoreError, for account: AccountAddress?, client: String) {
        switch error.code {
        case .notFound, .exists, .invalidName, .invalidArgument, .limit, .overQuota, .gone, .readOnly, .exhausted,
            .notAllowed:
            return
        default:
            logger.error(
                "a command failed because of the store",
                metadata: [
                    "account": "\(account?.description ?? "-")", "client": "\(client)", "code": "\(error.code)",
                    "error": "\(error)",
                ])
        }
    }

}
