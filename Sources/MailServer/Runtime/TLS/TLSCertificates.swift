import DurableFiles
package import Logging
import NIOSSL
import Primitives

/// The server's current certificate, which a reload reads again. Open connections keep the old one.
package final class TLSCertificates: ServerComponent {
    package typealias Settings = TLSMaterial.Settings

    private let pool: BlockingPool
    private let logger: Logger
    /// Seconds since 1970 UTC.
    private let now: @Sendable () -> Int64
    private let context: Locked<NIOSSLContext>

    /// Reads the certificate, generating a self-signed one first if none is configured and none exists.
    /// - Parameter pool: the threads that read the files.
    package init(
        _ settings: Settings, pool: BlockingPool, logger: Logger, now: @escaping @Sendable () -> Int64
    ) async throws(StartError) {
        self.pool = pool
        self.logger = logger
        self.now = now
        context = Locked(try await Self.load(settings, pool, logger, now))
    }

    package func reload(_ settings: Settings) async throws(StartError) -> ReloadAction {
        let new = try await Self.load(settings, pool, logger, now)
        return { [context] in context.withLock { $0 = new } }
    }

    /// Returns the current context; called for each handshake.
    package var provider: TLSProvider { { [context] in context.withLock { $0 } } }

    private static func load(
        _ settings: Settings, _ pool: BlockingPool, _ logger: Logger, _ now: @escaping @Sendable () -> Int64
    ) async throws(StartError) -> NIOSSLContext {
        try await pool.runStart { () throws(StartError) in
            do throws(TLSError) {
                let material = try TLSMaterial.load(settings, PathFiles(), logger: logger, now: now())
                let context = try material.makeContext()
                for warning in material.warnings(hostname: settings.hostname, now: now()) {
                    logger.warning("\(warning)")
                }
                return context
            } catch {
                throw StartError("TLS: \(error)", isConfiguration: settings.certificateFile != nil)
            }
        }
    }
}
