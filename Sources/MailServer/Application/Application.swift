import Glibc
import MailIMAP
import MailSMTP
package import ServerConfiguration
package import ServerRuntime

/// The server process: SIGINT and SIGTERM stop it gracefully, SIGHUP reloads the configuration and the certificate.
package enum MailServerApplication {
    /// Runs the server until a signal stops it.
    /// - Parameters:
    ///   - version: the program's version, for clients that ask.
    ///   - configuration: the resolved configuration read from `source`.
    ///   - warnings: the warnings from reading it, to be logged.
    /// - Throws: one sentence on why the server could not start.
    package static func run(
        version: String, _ source: ConfigurationSource, _ configuration: Configuration, warnings: [String]
    ) async throws(StartError) {
        OpenFiles.raiseLimit()
        Allocator.keepFreed()
        var warnings = warnings
        let sockets = try Privileges.prepareServer(
            configuration, configurationFile: source.path,
            SMTPService.endpoints(configuration.smtp, offersTLS: configuration.tls.enabled)
                + IMAPService.endpoints(configuration.imap, offersTLS: configuration.tls.enabled))
        if geteuid() == 0 {
            warnings.append("serving as root; set service.user to a user that has no other business")
        }
        let signals = SignalEvents()
        defer { signals.cancel() }
        let server = try await RunningServer.start(
            version: version, source, configuration, warnings: warnings, sockets: sockets)
        var events = signals.events.makeAsyncIterator()
        while let event = await events.next(), event != .stop { await server.reload() }
        // Who cannot wait for the sessions asks again: what was acknowledged is durable, so nothing is lost.
        signals.exitAtNextStop()
        await server.stop()
    }
}
