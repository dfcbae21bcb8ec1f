import DurableFiles
import Logging
import NIOCore
import Primitives
import ServerConfiguration
import ServerRuntime

/// A server with all its components: starts them in order, applies a new configuration whole or not at all, and stops
/// them in reverse.
final class RunningServer: Sendable {
    /// The time that sessions get to finish work in progress when the server stops.
    static let grace = TimeAmount.seconds(10)

    private let source: ConfigurationSource
    /// The active configuration, with which a new one is compared.
    private let configuration: Locked<Configuration>
    let components: ComponentList
    private let tasks: [Task<Void, Never>]
    private let pool: BlockingPool
    private let logger: Logger

    private init(
        _ source: ConfigurationSource, _ configuration: Configuration, _ components: ComponentList,
        _ pool: BlockingPool, _ logger: Logger
    ) {
        self.source = source
        self.configuration = Locked(configuration)
        self.components = components
        self.pool = pool
        self.logger = logger
        tasks = components.run()
    }

    /// Starts every component; returns when clients are being served.
    /// - Parameters:
    ///   - version: of the program, for clients that ask.
    ///   - configuration: read from `source`, resolved.
    ///   - warnings: oddities of the configuration.
    ///   - sockets: opened for the listeners already.
    ///   - writeLog: takes the lines of the log; standard error by default.
    /// - Throws: one sentence on what kept the server from starting; nothing of it is left then.
    static func start(
        version: String, _ source: ConfigurationSource, _ configuration: Configuration, warnings: [String] = [],
        sockets: BoundSockets = BoundSockets(),
        writeLog: (@Sendable (String) -> Void)? = nil
    ) async throws(StartError) -> RunningServer {
        let log = LogOutput(LogOutput.Settings(configuration), write: writeLog)
        let logger = log.logger("rmail")
        for warning in warnings { logger.warning("\(warning)") }
        var components = ComponentList()
        do throws(StartError) {
            let pool = try await components.assemble(version: version, configuration, log, sockets: sockets)
            try await components.start(logger)
            logger.info("ready")
            return RunningServer(source, configuration, components, pool, logger)
        } catch {
            await components.shutdown([], grace: grace)
            throw error
        }
    }

    /// Reloads the configuration and the certificate. An invalid configuration is refused as a whole; listeners and
    /// sessions stay.
    func reload() async {
        do throws(StartError) {
            let old = configuration.withLock { $0 }
            let (new, warnings) = try await pool.runStart { [source] () throws(StartError) in
                do throws(ConfigurationError) {
                    return try source.load(PathFiles())
                } catch {
                    throw StartError(error.problems.map(\.description).joined(separator: "; "), isConfiguration: true)
                }
            }
            for warning in warnings { logger.warning("\(warning)") }
            let change = ConfigurationChange(from: old, to: new)
            let effective = ConfigurationChange.applicable(new, over: old)
            try await components.reload(effective)
            configuration.withLock { $0 = effective }
            logger.info(
                "configuration reloaded",
                metadata: change.applied.isEmpty ? [:] : ["changed": "\(change.applied.joined(separator: ", "))"])
            logger.debug(
                "new settings",
                metadata: ["for": "\(components.concerned(from: old, to: effective).joined(separator: ", "))"])
            if !change.needRestart.isEmpty {
                logger.warning("these settings need a restart: \(change.needRestart.joined(separator: ", "))")
            }
        } catch {
            logger.error("the configuration was not reloaded; the old one stays in effect: \(error)")
        }
    }

    /// Ends all sessions and closes the store.
    func stop() async {
        logger.info("stopping")
        await components.shutdown(tasks, grace: Self.grace)
        logger.info("stopped")
    }
}
