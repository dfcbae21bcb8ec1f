public import NIOCore

/// SMTP, submission and SMTPS as the application runs them.
public final class SMTPService: MailService {
    private let server: SMTPServer
    public let endpoints: [ListenerEndpoint]

    public init(_ environment: ServerEnvironment) {
        let configuration = environment.configuration
        let tls = environment.tls
        server = SMTPServer(
            SMTPProtocol(backend: LocalDelivery(environment)), settings: Self.settings(configuration, tls: tls != nil),
            limits: environment.limits, tls: tls?.provider, group: environment.group)
        let smtp = configuration.smtp
        func endpoint(_ name: String, _ port: Port?, _ key: String) -> ListenerEndpoint? {
            ListenerEndpoint(name, host: smtp.host, hostKey: "smtp.host", port: port, portKey: key)
        }
        endpoints = [
            endpoint("smtp", smtp.port, "smtp.port"),
            endpoint("submission", smtp.submissionPort, "smtp.submission_port"),
            tls == nil ? nil : endpoint("smtps", smtp.smtpsPort, "smtp.smtps_port"),
        ].compactMap { $0 }
    }

    private static func settings(_ configuration: Configuration, tls: Bool) -> SMTPServerConfiguration {
        var session = SMTPSessionConfiguration(hostname: configuration.hostname, offersTLS: tls)
        session.maxMessageSize = configuration.smtp.maxMessageSize
        session.maxRecipients = configuration.smtp.maxRecipients
        session.maxMessages = configuration.smtp.maxMessagesPerConnection
        session.maxHeaderSize = configuration.limits.headerBytes
        session.maxLoginFailures = configuration.limits.loginFailuresPerConnection
        var settings = SMTPServerConfiguration(session: session)
        settings.maxLineLength = configuration.limits.smtpLine
        return settings
    }

    public func listen(_ endpoint: ListenerEndpoint) async throws -> SocketAddress {
        let role: SMTPRole =
            switch endpoint.name {
            case "submission": .submission
            case "smtps": .smtps
            default: .mx
            }
        return try await server.listen(host: endpoint.host, port: Int(endpoint.port), role: role)
    }

    public func reload(_ configuration: Configuration) {
        server.update(Self.settings(configuration, tls: configuration.tls.enabled))
    }

    public func shutdown(grace: TimeAmount) async { await server.shutdown(grace: grace) }
}
