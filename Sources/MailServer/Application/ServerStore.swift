import Logging
import MailAccounts
import NIOCore
import Primitives
import ServerConfiguration
import ServerRuntime
import ShardFS
import ShardIndex

/// The open store of a running server, with its accounts and its read cache.
final class ServerStore: ServerComponent {
    struct Settings: Sendable, Equatable {
        /// Made where they are missing; none is ever removed.
        var domains: [String]
    }

    private let access: StoreAccess
    private let pool: BlockingPool
    private let logger: Logger

    var store: Store { access.store }
    var accounts: AccountStore { access.accounts }
    /// nil when it is turned off.
    var index: ShardIndex? { access.index }

    /// Opens the store, made when it is missing, with the domains that it is to have.
    init(_ configuration: Configuration, pool: BlockingPool, log: LogOutput) async throws(StartError) {
        self.pool = pool
        logger = log.logger("rmail")
        let indexLogger = log.logger("index")
        let (access, made) = try await pool.runStart { () throws(StartError) in
            try StoreAccess.open(configuration, now: Clocks.wall) { indexLogger.warning("\($0)") }
        }
        self.access = access
        for domain in made { logger.info("made the domain \(domain)") }
    }

    func reload(_ settings: Settings) async throws(StartError) -> ReloadAction {
        { [self] in await makeDomains(settings.domains) }
    }

    private func makeDomains(_ domains: [String]) async {
        do {
            let made = try await pool.run { [access] () throws(AccountError) in
                try access.accounts.createMissingDomains(domains)
            }
            for domain in made { logger.info("made the domain \(domain)") }
        } catch {
            logger.error("making the domains: \(error)")
        }
    }

    func shutdown(grace: TimeAmount) async {
        do {
            try await pool.run { [access] () throws(StoreError) in
                defer { access.index?.close() }
                try access.store.close()
            }
        } catch {
            logger.error("closing the store: \(error)")
        }
    }
}
