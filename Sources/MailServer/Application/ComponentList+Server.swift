import Logging
import MailAccounts
import MailDelivery
import MailIMAP
import MailSMTP
import NIOCore
import NIOPosix
import Primitives
import ServerConfiguration
import ServerRuntime
import ShardFS

extension ComponentList {
    /// The number of password checks that may wait; further ones get a temporary failure.
    private static let waitingPasswords = 128

    /// Creates the components of a mail server in dependency order, without opening any listener.
    /// - Returns: The pool for blocking file work.
    mutating func assemble(
        version: String, _ configuration: Configuration, _ log: LogOutput, sockets: BoundSockets
    ) async throws(StartError) -> BlockingPool {
        let cores = NIOCore.System.coreCount
        add(log)
        let eventLoops = add(EventLoops(threads: cores)).group
        add(EventLoopDelay(eventLoops, logger: log.logger("rmail")))
        let pool = add(
            BlockingPool(
                threads: configuration.storage.threads ?? max(4, 2 * cores), maximumWaiting: 100_000,
                inline: configuration.storage.inline ? InlineWork() : nil))
        let passwordPool = add(BlockingPool(threads: max(1, cores - 1), maximumWaiting: Self.waitingPasswords))

        let storage = add(try await ServerStore(configuration, pool: pool, log: log))
        let tls: TLSCertificates? =
            configuration.tls.enabled
            ? add(
                try await TLSCertificates(
                    TLSCertificates.Settings(configuration), pool: pool, logger: log.logger("rmail"),
                    now: Clocks.wall))
            : nil
        let logger = log.logger("rmail")
        let descriptors = DescriptorReserve(
            limit: OpenFiles.raiseLimit(),
            onShortage: { text in
                logger.warning("\(text)")
                // Most descriptors are those of mailboxes that nobody uses at the moment.
                Task { try? await pool.run { () throws(StoreError) in storage.store.releaseIdle() } }
            })
        let limits = add(
            ConnectionLimits(
                ConnectionLimits.Settings(configuration), descriptors: descriptors, now: Clocks.monotonic))
        let secret = try await pool.runStart { () throws(StartError) in try StoreAccess.loginSecret(configuration) }
        let decoy = try await pool.runStart { () throws(StartError) in try StoreAccess.loginDecoy(configuration) }
        let logins = add(
            LoginService(
                accounts: storage.accounts, filePool: pool, passwordPool: passwordPool, limits: limits,
                logger: log.logger("login"), settings: LoginSettings(configuration), decoySecret: secret,
                decoyAccount: decoy, now: Clocks.monotonic))
        add(AccountWatch(accounts: storage.accounts, limits: limits, pool: pool, logger: log.logger("login")))

        let delivery = add(
            LocalDelivery(
                LocalDelivery.Settings(configuration), store: storage.store,
                router: LocalRouter(accounts: storage.accounts, now: Clocks.monotonic), checks: [OwnSenderCheck()],
                index: storage.index,
                limits: limits, pool: pool, logger: log.logger("delivery")))
        add(
            SMTPService(
                SMTPService.Settings(configuration), backend: LocalSMTPBackend(logins: logins, delivery: delivery),
                limits: limits, tls: tls, group: eventLoops, sockets: sockets))
        add(
            IMAPService(
                IMAPService.Settings(configuration), version: version,
                backend: StoreIMAPBackend(
                    logins: logins, store: storage.store, index: storage.index, pool: pool, logger: log.logger("imap")),
                limits: limits, tls: tls, pool: pool, group: eventLoops, sockets: sockets))
        add(Maintenance(store: storage.store, pool: pool, logger: log.logger("maintenance")))
        return pool
    }
}

/// The event loop threads that serve all sockets.
struct EventLoops: ServerComponent {
    let group: MultiThreadedEventLoopGroup

    init(threads: Int) { group = MultiThreadedEventLoopGroup(numberOfThreads: threads) }

    func shutdown(grace: TimeAmount) async {
        // Every channel is closed, so a failure here has no effect.
        try? await group.shutdownGracefully()
    }
}
