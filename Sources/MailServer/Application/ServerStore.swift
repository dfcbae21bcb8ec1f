import Logging
import MailAccounts
import NIOCore
import Primitives
import ServerConfiguration
import ServerRuntime
import ShardFS
import ShardIndex

/// The open store of a running server, with its accounts and read cache.
final class ServerStore: ServerComponent {
    struct Settings: Sendable, Equatable {
        /// Domains to create if missing; none is ever removed.
        var domains: [String]
    }

    private let access: StoreAccess
    private let pool: BlockingPool
    private let logger: Logger

    var store: Store { access.store }
    var accounts: AccountStore { access.accounts }
    /// The read cache, or nil if it is off.
    var index: ShardIndex? { access.index }

    /// Opens the store, creating it and its configured domains if missing.
    init(_ configuration: Configuration, pool: BlockingPool, log: LogOutput) async throws(StartError) {
        self.pool = pool
        logger = log.logger("rmail")
        let storeLogger = log.logger("store")
        let indexLogger = log.logger("index")
        let (access, made) = try await pool.runStart { () throws(StartError) in
            try StoreAccess.open(
                configuration, now: Clocks.wall, notice: { storeLogger.warning("\($0)") },
                indexLog: { indexLogger.warning("\($0)") })
        }
        self.access = access
        for domain in made { logger.info("created the domain \(domain)") }
    }

    func reload(_ settings: Settings) async throws(StartError) -> ReloadAction {
        { [self] in await makeDomains(settings.domains) }
    }

    private func makeDomains(_ domains: [String]) async {
        do {
            let made = try await pool.run { [access] () throws(AccountError) in
                try access.accounts.createMissingDomains(domains)
            }
            for domain in made { logger.info("created the domain \(domain)") }
        } catch {
            logger.error("could not create the domains: \(error)")
        }
    }

    func shutdown(grace: TimeAmount) async {
        do {
            try await pool.run { [access] () throws(StoreError) in
                defer { access.index?.close() }
                try access.store.close()
            }
        } catch {
            logger.error("could not close the store: \(error)")
        }
    }
}
