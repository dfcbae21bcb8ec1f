package import ServerConfiguration
package import ServerRuntime

/// The server as a process: SIGINT and SIGTERM stop it gracefully, SIGHUP reads the configuration and the certificate
/// again.
package enum MailServerApplication {
    /// Runs until a signal stops it.
    /// - Parameters:
    ///   - version: of the program, for clients that ask.
    ///   - configuration: read from `source`, resolved.
    ///   - warnings: oddities of the configuration.
    /// - Throws: one sentence on what kept the server from starting.
    package static func run(
        version: String, _ source: ConfigurationSource, _ configuration: Configuration, warnings: [String]
    ) async throws(StartError) {
        OpenFiles.raiseLimit()
        let signals = SignalEvents()
        defer { signals.cancel() }
        let server = try await RunningServer.start(version: version, source, configuration, warnings: warnings)
        for await event in signals.events {
            if event == .stop { break }
            await server.reload()
        }
        await server.stop()
    }
}
