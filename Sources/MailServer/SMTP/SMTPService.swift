package import NIOCore
package import ServerConfiguration
package import ServerRuntime

/// SMTP, submission and SMTPS as a server component.
package final class SMTPService: ListeningComponent, UpdatableComponent {
    package struct Settings: Sendable, Equatable {
        /// The server's full name.
        package var hostname: String
        package var smtp: SMTPSettings
        /// The maximum length of a command line in octets.
        package var maxLineLength: Int
        /// The maximum length of an address with its angle brackets in octets.
        package var maxPathLength: Int
        /// The maximum size of a message header in octets.
        package var maxHeaderSize: Int
        /// The number of failed logins after which a connection is closed.
        package var maxLoginFailures: Int
        /// Seconds within which a client has to have logged in.
        package var loginTimeout: Int

        package init(
            hostname: String, smtp: SMTPSettings, maxLineLength: Int, maxPathLength: Int, maxHeaderSize: Int,
            maxLoginFailures: Int, loginTimeout: Int
        ) {
            self.hostname = hostname
            self.smtp = smtp
            self.maxLineLength = maxLineLength
            self.maxPathLength = maxPathLength
            self.maxHeaderSize = maxHeaderSize
            self.maxLoginFailures = maxLoginFailures
            self.loginTimeout = loginTimeout
        }
    }

    private let server: SMTPServer
    private let offersTLS: Bool
    private let sockets: BoundSockets
    package let endpoints: [ListenerEndpoint]

    /// - Parameter tls: nil if TLS is off; SMTPS is then not offered.
    package init(
        _ settings: Settings, backend: any SMTPBackend, limits: ConnectionLimits, tls: TLSCertificates?,
        group: any EventLoopGroup,
        sockets: BoundSockets = BoundSockets()
    ) {
        offersTLS = tls != nil
        server = SMTPServer(
            SMTPProtocol(backend: backend), settings: settings.server(offersTLS: tls != nil), limits: limits,
            tls: tls?.provider, group: group)
        self.sockets = sockets
        endpoints = Self.endpoints(settings.smtp, offersTLS: tls != nil)
    }

    /// The listeners that settings ask for.
    package static func endpoints(_ smtp: SMTPSettings, offersTLS: Bool) -> [ListenerEndpoint] {
        func endpoint(_ name: String, _ port: Port?, _ key: String) -> ListenerEndpoint? {
            ListenerEndpoint(name, host: smtp.host, hostKey: "smtp.host", port: port, portKey: key)
        }
        return [
            endpoint("smtp", smtp.port, "smtp.port"),
            endpoint("submission", smtp.submissionPort, "smtp.submission_port"),
            !offersTLS ? nil : endpoint("smtps", smtp.smtpsPort, "smtp.smtps_port"),
        ].compactMap { $0 }
    }

    package func listen(_ endpoint: ListenerEndpoint) async throws -> SocketAddress {
        let role: SMTPRole =
            switch endpoint.name {
            case "submission": .submission
            case "smtps": .smtps
            default: .mx
            }
        return try await server.listen(
            host: endpoint.host, port: Int(endpoint.port), role: role, socket: sockets.take(endpoint))
    }

    package func update(_ settings: Settings) { server.update(settings.server(offersTLS: offersTLS)) }

    package func shutdown(grace: TimeAmount) async { await server.shutdown(grace: grace) }
}

extension SMTPService.Settings {
    fileprivate func server(offersTLS: Bool) -> SMTPServerConfiguration {
        var session = SMTPSessionConfiguration(hostname: hostname, offersTLS: offersTLS)
        session.maxMessageSize = smtp.maxMessageSize
        session.maxRecipients = smtp.maxRecipients
        session.maxMessages = smtp.maxMessagesPerConnection
        session.maxHeaderSize = maxHeaderSize
        session.maxLoginFailures = maxLoginFailures
        var server = SMTPServerConfiguration(session: session)
        server.maxLineLength = maxLineLength
        server.maxPathLength = maxPathLength
        server.loginTimeout = .seconds(Int64(loginTimeout))
        return server
    }
}
