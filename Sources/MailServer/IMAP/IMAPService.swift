package import MIME
package import NIOCore
package import ServerConfiguration
package import ServerRuntime

/// The application's IMAP and IMAPS service.
package final class IMAPService: ListeningComponent, UpdatableComponent {
    package struct Settings: Sendable, Equatable {
        /// The server's full name.
        package var hostname: String
        package var imap: IMAPSettings
        /// Maximum length of a command line, in octets.
        package var maxLineLength: Int
        /// Maximum number of keys in one search.
        package var maxSearchKeys: Int
        /// Failed logins after which a connection is closed.
        package var maxLoginFailures: Int
        /// Seconds within which a client has to have logged in.
        package var loginTimeout: Int
        /// Limits on parsing a message.
        package var parseLimits: ParseLimits
        /// Bytes that a connection may keep of messages under way.
        package var memory: Int

        package init(
            hostname: String, imap: IMAPSettings, maxLineLength: Int, maxSearchKeys: Int, maxLoginFailures: Int,
            loginTimeout: Int, parseLimits: ParseLimits, memory: Int
        ) {
            self.hostname = hostname
            self.imap = imap
            self.maxLineLength = maxLineLength
            self.maxSearchKeys = maxSearchKeys
            self.maxLoginFailures = maxLoginFailures
            self.loginTimeout = loginTimeout
            self.parseLimits = parseLimits
            self.memory = memory
        }
    }

    private let server: IMAPServer
    private let version: String
    private let offersTLS: Bool
    private let sockets: BoundSockets
    package let endpoints: [ListenerEndpoint]

    /// - Parameters:
    ///   - version: the program's version, reported by ID.
    ///   - tls: nil when TLS is turned off.
    ///   - pool: runs the engine's blocking calls.
    package init(
        _ settings: Settings, version: String, backend: any IMAPBackend, limits: ConnectionLimits,
        tls: TLSCertificates?, pool: BlockingPool, group: any EventLoopGroup,
        sockets: BoundSockets = BoundSockets()
    ) {
        self.version = version
        offersTLS = tls != nil
        server = IMAPServer(
            IMAPProtocol(backend: backend, pool: pool), settings: settings.server(version, offersTLS: tls != nil),
            limits: limits, tls: tls?.provider, group: group)
        self.sockets = sockets
        endpoints = Self.endpoints(settings.imap, offersTLS: tls != nil)
    }

    /// The listeners that settings ask for.
    package static func endpoints(_ imap: IMAPSettings, offersTLS: Bool) -> [ListenerEndpoint] {
        func endpoint(_ name: String, _ port: Port?, _ key: String) -> ListenerEndpoint? {
            ListenerEndpoint(name, host: imap.host, hostKey: "imap.host", port: port, portKey: key)
        }
        return [
            endpoint("imap", imap.port, "imap.port"),
            !offersTLS ? nil : endpoint("imaps", imap.imapsPort, "imap.imaps_port"),
        ].compactMap { $0 }
    }

    package func listen(_ endpoint: ListenerEndpoint) async throws -> SocketAddress {
        let role: IMAPRole = endpoint.name == "imaps" ? .imaps : .imap
        return try await server.listen(
            host: endpoint.host, port: Int(endpoint.port), role: role, socket: sockets.take(endpoint))
    }

    package func update(_ settings: Settings) { server.update(settings.server(version, offersTLS: offersTLS)) }

    package func shutdown(grace: TimeAmount) async { await server.shutdown(grace: grace) }
}

extension IMAPService.Settings {
    fileprivate func server(_ version: String, offersTLS: Bool) -> IMAPServerConfiguration {
        var session = IMAPSessionConfiguration(hostname: hostname, offersTLS: offersTLS)
        session.version = version
        session.suppressedCapabilities = CapabilityNames(imap.suppressCapabilities)
        session.maxLiteralSize = imap.maxLiteralSize
        session.maxLineLength = maxLineLength
        session.maxSearchKeys = maxSearchKeys
        session.maxLoginFailures = maxLoginFailures
        session.parseLimits = parseLimits
        session.memory = memory
        var server = IMAPServerConfiguration(session: session)
        server.loginTimeout = .seconds(Int64(loginTimeout))
        server.idleTimeout = .seconds(Int64(imap.idleTimeout))
        return server
    }
}
