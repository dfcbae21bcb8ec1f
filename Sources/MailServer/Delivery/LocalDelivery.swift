package import Logging
package import MIME
import Primitives
import SMTPCodec
package import ServerRuntime
package import ShardFS
package import ShardIndex

/// Mail for the accounts of this host.
///
/// Every local recipient of a message gets it as one step, before the client is told that it was accepted.
package final class LocalDelivery: UpdatableComponent {
    /// The settings that a reload replaces; they hold for transactions that begin later.
    package struct Settings: Sendable, Equatable {
        /// The domain of `<postmaster>`; nil when there is none.
        package var postmasterDomain: String?
        /// Bounds of the summaries that are made while messages come in.
        package var parseLimits: ParseLimits

        package init(postmasterDomain: String?, parseLimits: ParseLimits) {
            self.postmasterDomain = postmasterDomain
            self.parseLimits = parseLimits
        }
    }

    package let store: Store
    package let router: any RecipientRouter
    /// In the order in which they are asked.
    package let checks: [any MailCheck]
    /// The read cache; nil when it is turned off.
    package let index: ShardIndex?
    package let limits: ConnectionLimits
    package let pool: BlockingPool
    package let logger: Logger
    private let settings: Locked<Settings>

    package init(
        _ settings: Settings, store: Store, router: any RecipientRouter, checks: [any MailCheck],
        index: ShardIndex?, limits: ConnectionLimits, pool: BlockingPool, logger: Logger
    ) {
        self.settings = Locked(settings)
        self.store = store
        self.router = router
        self.checks = checks
        self.index = index
        self.limits = limits
        self.pool = pool
        self.logger = logger
    }

    package func update(_ settings: Settings) { self.settings.withLock { $0 = settings } }

    /// Begins a transaction with its sender, whom every check accepts.
    package func begin(_ envelope: SMTPEnvelope) async throws(Refusal) -> InboundTransaction {
        let checks = checks.map { $0.begin() }
        var changes = MessageChanges()
        for check in checks {
            switch await check.sender(envelope) {
            case .accepted(let more): changes.add(more)
            case .refused(let refusal): throw refusal
            }
        }
        return InboundTransaction(
            delivery: self, settings: settings.withLock { $0 }, checks: checks, changes: changes)
    }

    /// Logs a failure.
    /// - Returns: the answer to the client.
    package func refusal(for error: PoolError<DeliveryError>, _ what: String) -> Refusal {
        if case .work(.refused(let refusal)) = error { return refusal }
        logger.warning("\(what): \(error)")
        guard case .work(.store(let failure)) = error else { return .cannotStore }
        return failure.refusal
    }
}
