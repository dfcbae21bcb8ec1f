package import Logging
package import MIME
package import Primitives
import SMTPCodec
package import ServerRuntime
package import ShardFS
package import ShardIndex

/// Delivery of mail to the accounts of this host.
///
/// A message reaches all its local recipients in one step, before the client gets the reply.
package final class LocalDelivery: UpdatableComponent {
    /// The reloadable settings; a change applies to later transactions.
    package struct Settings: Sendable, Equatable {
        /// The domain assumed for `<postmaster>` and for addresses at this host's IP addresses, or nil if there is none.
        package var defaultDomain: String?
        /// IP addresses that lead here besides those of the network interfaces.
        package var publicAddresses: [IPAddress]
        /// The limits for parsing incoming messages into summaries.
        package var parseLimits: ParseLimits

        /// Bytes that may be kept of a message while it comes in.
        package var memory: Int

        package init(
            defaultDomain: String?, publicAddresses: [IPAddress] = [], parseLimits: ParseLimits, memory: Int = 1 << 20
        ) {
            self.defaultDomain = defaultDomain
            self.publicAddresses = publicAddresses
            self.memory = memory
            self.parseLimits = parseLimits
        }
    }

    package let store: Store
    package let router: any RecipientRouter
    /// The checks, in the order in which they run.
    package let checks: [any MailCheck]
    /// The read cache, or nil if it is off.
    package let index: ShardIndex?
    package let limits: ConnectionLimits
    package let pool: BlockingPool
    package let logger: Logger
    let refused: RefusedDeliveries
    private let settings: Locked<Settings>

    package init(
        _ settings: Settings, store: Store, router: any RecipientRouter, checks: [any MailCheck],
        index: ShardIndex?, limits: ConnectionLimits, pool: BlockingPool, logger: Logger,
        now: @escaping @Sendable () -> Int64 = Clocks.monotonic
    ) {
        self.settings = Locked(settings)
        self.store = store
        self.router = router
        self.checks = checks
        self.index = index
        self.limits = limits
        self.pool = pool
        self.logger = logger
        refused = RefusedDeliveries(now: now)
    }

    package func update(_ settings: Settings) { self.settings.withLock { $0 = settings } }

    /// Begins a transaction once every check has accepted its sender.
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

    /// Converts an error to the answer to the client, and logs it unless it is a refusal.
    /// - Parameters:
    ///   - what: the work that failed; a fixed text.
    ///   - accounts: the accounts that the message was for.
    /// - Parameter what: the failed action, for the log.
    package func refusal(
        for error: PoolError<DeliveryError>, _ what: String, accounts: String? = nil
    ) -> Refusal {
        if case .work(.refused(let refusal)) = error { return refusal }
        var metadata: Logger.Metadata = ["error": "\(error)"]
        if let accounts { metadata["to"] = "\(accounts)" }
        logger.warning("\(what)", metadata: metadata)
        guard case .work(.store(let failure)) = error else { return .cannotStore }
        return failure.refusal
    }
}
