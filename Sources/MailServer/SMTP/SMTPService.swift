public import NIOCore

/// SMTP, submission and SMTPS as the application runs them.
public final class SMTPService: MailService {
    private let server: SMTPServer
    public let places: [ListenerPlace]

    public init(_ environment: ServerEnvironment) {
        let configuration = environment.configuration
        let tls = environment.tls
        server = SMTPServer(
            ServedSMTP(backend: LocalDelivery(environment)), settings: Self.settings(configuration, tls: tls != nil),
            tls: tls?.provider, group: environment.group)
        let smtp = configuration.smtp
        func place(_ name: String, _ port: Port?, _ key: String) -> ListenerPlace? {
            ListenerPlace(name, host: smtp.host, hostKey: "smtp.host", port: port, portKey: key)
        }
        places = [
            place("smtp", smtp.port, "smtp.port"),
            place("submission", smtp.submissionPort, "smtp.submission_port"),
            tls == nil ? nil : place("smtps", smtp.smtpsPort, "smtp.smtps_port"),
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
        settings.maxConnections = configuration.smtp.maxConnections
        return settings
    }

    public func listen(_ place: ListenerPlace) async throws -> SocketAddress {
        let role: SMTPRole =
            switch place.name {
            case "submission": .submission
            case "smtps": .smtps
            default: .mx
            }
        return try await server.listen(host: place.host, port: Int(place.port), role: role)
    }

    public func reload(_ configuration: Configuration) {
        server.update(Self.settings(configuration, tls: configuration.tls.enabled))
    }

    public func shutdown(grace: TimeAmount) async { await server.shutdown(grace: grace) }
}
