import DurableFiles
package import Logging
import Primitives
package import ServerRuntime
import ShardFS

/// Ends the sessions of accounts that were disabled or removed, by whatever process: the accounts with open connections
/// are looked at several times a second, one `stat` each.
package final class AccountWatch: ServerComponent {
    /// Half of the second within which an operator may rely on it.
    private static let interval = Duration.milliseconds(500)

    private let accounts: AccountStore
    private let limits: ConnectionLimits
    private let pool: BlockingPool
    private let logger: Logger
    /// The state in which each file was when it allowed its account.
    private let seen = Locked<[String: FileStamp]>([:])

    /// - Parameter pool: reads user.json.
    package init(accounts: AccountStore, limits: ConnectionLimits, pool: BlockingPool, logger: Logger) {
        self.accounts = accounts
        self.limits = limits
        self.pool = pool
        self.logger = logger
    }

    /// Looks until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            await check()
            do { try await Task.sleep(for: Self.interval) } catch { return }
        }
    }

    /// Looks once at all accounts that have connections.
    package func check() async {
        let names = limits.accounts
        let ended: [String]
        if names.isEmpty {
            ended = []
        } else {
            let found = try? await pool.run { [self] () throws(AccountError) in names.filter { !isAllowed($0) } }
            ended = found ?? []
        }
        let current = Set(names)
        seen.withLock { $0 = $0.filter { current.contains($0.key) } }
        for name in ended {
            logger.notice(
                "ending the sessions of an account that is disabled or gone", metadata: ["account": "\(name)"])
            limits.revoke(name)
        }
    }

    /// Whether sessions of the account may go on; also when that cannot be told now.
    private func isAllowed(_ name: String) -> Bool {
        guard let address = try? AccountAddress(login: name) else { return true }
        do throws(AccountError) {
            let stamp = try accounts.stamp(address)
            if let stamp, seen.withLock({ $0[name] }) == stamp { return true }
            guard let (account, stamp) = try accounts.find(address), account.enabled else {
                seen.withLock { $0[name] = nil }
                return false
            }
            seen.withLock { $0[name] = stamp }
            return true
        } catch {
            return true
        }
    }
}
