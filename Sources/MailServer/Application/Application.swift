import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ShardFS
import ShardIndex

/// The server as a whole: starts everything in order, obeys signals, and stops in reverse.
///
/// SIGINT and SIGTERM stop it gracefully. SIGHUP reads the configuration and the certificate again: checked first,
/// refused whole if wrong; listeners and sessions stay.
public final class MailServerApplication: Sendable {
    /// Makes the protocols' servers; nothing listens yet.
    public typealias ServiceFactory = @Sendable (ServerEnvironment) throws(StartError) -> [any MailService]

    /// How long sessions may finish what they are at when the server stops.
    static let grace = TimeAmount.seconds(10)
    /// Password checks that may wait; more are told to try again.
    private static let waitingPasswords = 128

    private let version: String
    private let source: ConfigurationSource
    private let running: NIOLockedValueBox<Configuration>
    private let log: LogOutput
    private let logger: Logger
    private let files = LocalAccountFiles()

    private init(_ version: String, _ source: ConfigurationSource, _ configuration: Configuration) {
        self.version = version
        self.source = source
        running = NIOLockedValueBox(configuration)
        log = LogOutput(configuration)
        logger = log.logger("rmail")
    }

    /// Runs until a signal stops it.
    /// - Parameters:
    ///   - version: of the program, for clients that ask.
    ///   - configuration: read from `source`, resolved.
    ///   - warnings: what was odd about it.
    /// - Throws: one sentence on what kept the server from starting.
    public static func run(
        version: String, _ source: ConfigurationSource, _ configuration: Configuration, warnings: [String],
        services: ServiceFactory
    ) async throws(StartError) {
        let application = MailServerApplication(version, source, configuration)
        for warning in warnings { application.logger.warning("\(warning)") }
        OpenFiles.raiseLimit()
        let signals = SignalEvents()
        defer { signals.cancel() }
        let cores = NIOCore.System.coreCount
        let filePool = BlockingPool(
            threads: configuration.storage.threads ?? max(4, 2 * cores), maximumWaiting: 100_000)
        let passwordPool = BlockingPool(threads: max(1, cores - 1), maximumWaiting: waitingPasswords)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: cores)
        let result: Result<Void, StartError>
        do throws(StartError) {
            result = .success(
                try await application.serve(configuration, filePool, passwordPool, group, signals, services))
        } catch {
            result = .failure(error)
        }
        await passwordPool.shutdown()
        await filePool.shutdown()
        // Every channel is closed; a failure here would change nothing.
        try? await group.shutdownGracefully()
        try result.get()
    }

    private func serve(
        _ configuration: Configuration, _ filePool: BlockingPool, _ passwordPool: BlockingPool,
        _ group: any EventLoopGroup, _ signals: SignalEvents, _ makeServices: ServiceFactory
    ) async throws(StartError) {
        let indexLogger = log.logger("index")
        let (access, made) = try await Self.onPool(filePool) { () throws(StartError) in
            try StoreAccess.open(configuration, now: Clocks.wall) { indexLogger.warning("\($0)") }
        }
        for domain in made { logger.info("made the domain \(domain)") }
        let tls = try await Self.onPool(filePool) { [self] () throws(StartError) in try makeTLS(configuration) }
        let limits = ConnectionLimits(configuration, now: Clocks.monotonic)
        let secret = try await Self.onPool(filePool) { () throws(StartError) in
            try StoreAccess.loginSecret(configuration)
        }
        let environment = ServerEnvironment(
            version: version, configuration: configuration, store: access.store, accounts: access.accounts,
            logins: LoginService(
                accounts: access.accounts, filePool: filePool, passwordPool: passwordPool, limits: limits,
                logger: log.logger("login"), settings: Self.loginSettings(configuration), decoySecret: secret,
                now: Clocks.monotonic),
            limits: limits, index: access.index, tls: tls, filePool: filePool, group: group, log: log)
        let services = try makeServices(environment)
        var failure: StartError?
        do throws(StartError) {
            try await open(services)
            logger.info("ready")
            let maintenance = Task { await Maintenance(environment: environment).run() }
            await obey(signals, environment, services)
            maintenance.cancel()
            await maintenance.value
        } catch {
            failure = error
        }
        await withTaskGroup { group in
            for service in services { group.addTask { await service.shutdown(grace: Self.grace) } }
        }
        do {
            try await filePool.run { () throws(StoreFailure) in
                do { try access.store.close() } catch { throw StoreFailure(description: "\(error)") }
                environment.index?.close()
            }
        } catch {
            logger.error("closing the store: \(error)")
        }
        if let failure { throw failure }
        logger.info("stopped")
    }

    private func open(_ services: [any MailService]) async throws(StartError) {
        for service in services {
            for place in service.places {
                do {
                    let address = try await service.listen(place)
                    let shown = place.host.contains(":") ? "[\(place.host)]" : place.host
                    logger.info("listening \(place.name) \(shown):\(address.port ?? Int(place.port))")
                } catch {
                    throw BindFailure.describe(error, place)
                }
            }
        }
    }

    private func obey(
        _ signals: SignalEvents, _ environment: ServerEnvironment, _ services: [any MailService]
    ) async {
        for await event in signals.events {
            switch event {
            case .stop:
                logger.info("stopping")
                return
            case .reload:
                await reload(environment, services)
            }
        }
    }

    // MARK: reload

    private func reload(_ environment: ServerEnvironment, _ services: [any MailService]) async {
        let old = running.withLockedValue { $0 }
        do throws(StartError) {
            let (new, context, warnings) = try await Self.onPool(environment.filePool) {
                [self] () throws(StartError) in
                let (new, warnings) = try readAgain()
                return (new, old.tls.enabled ? try makeTLS(new) : nil, warnings)
            }
            for warning in warnings { logger.warning("\(warning)") }
            let change = ConfigurationChange(from: old, to: new)
            let effective = ConfigurationChange.applicable(new, over: old)
            running.withLockedValue { $0 = effective }
            log.reload(effective)
            environment.limits.reload(effective)
            environment.logins.update(Self.loginSettings(effective))
            if let context { environment.tls?.replace(context.current) }
            for service in services { service.reload(effective) }
            logger.info(
                "configuration reloaded",
                metadata: change.applied.isEmpty ? [:] : ["changed": "\(change.applied.joined(separator: ", "))"])
            if !change.needRestart.isEmpty {
                logger.warning("these settings need a restart: \(change.needRestart.joined(separator: ", "))")
            }
            await makeDomains(effective, environment)
        } catch {
            logger.error("the configuration was not reloaded, the old one stays: \(error)")
        }
    }

    private static func loginSettings(_ configuration: Configuration) -> LoginSettings {
        LoginSettings(defaultDomain: configuration.domains.first)
    }

    private func readAgain() throws(StartError) -> (Configuration, [String]) {
        do throws(ConfigurationError) {
            return try source.load(files)
        } catch {
            throw StartError(error.problems.map(\.description).joined(separator: "; "), isConfiguration: true)
        }
    }

    private func makeDomains(_ configuration: Configuration, _ environment: ServerEnvironment) async {
        do {
            let made = try await environment.filePool.run { () throws(AccountError) in
                try environment.accounts.createMissingDomains(configuration.domains)
            }
            for domain in made { logger.info("made the domain \(domain)") }
        } catch {
            logger.error("making the domains: \(error)")
        }
    }

    private func makeTLS(_ configuration: Configuration) throws(StartError) -> TLSContextHolder? {
        guard configuration.tls.enabled else { return nil }
        do throws(TLSError) {
            let material = try TLSMaterial.load(configuration, files, logger: logger, now: Clocks.wall())
            let context = try material.makeContext()
            for warning in material.warnings(hostname: configuration.hostname, now: Clocks.wall()) {
                logger.warning("\(warning)")
            }
            return TLSContextHolder(context)
        } catch {
            throw StartError("TLS: \(error)", isConfiguration: configuration.tls.certFile != nil)
        }
    }

    private struct StoreFailure: Error, CustomStringConvertible { let description: String }

    private static func onPool<R: Sendable>(
        _ pool: BlockingPool, _ body: @escaping @Sendable () throws(StartError) -> R
    ) async throws(StartError) -> R {
        do throws(PoolError<StartError>) {
            return try await pool.run(body)
        } catch {
            if case .work(let failure) = error { throw failure }
            throw StartError("\(error)")
        }
    }
}
