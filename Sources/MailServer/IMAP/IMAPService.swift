import Logging
public import NIOCore
import ShardFS

/// IMAP and IMAPS as the application runs them.
public final class IMAPService: MailService {
    private let server: IMAPServer
    private let version: String
    public let endpoints: [ListenerEndpoint]

    public init(_ environment: ServerEnvironment) {
        let configuration = environment.configuration
        let tls = environment.tls
        version = environment.version
        server = IMAPServer(
            IMAPProtocol(backend: StoreIMAPBackend(environment), pool: environment.filePool),
            settings: Self.settings(configuration, version, tls: tls != nil), limits: environment.limits,
            tls: tls?.provider,
            group: environment.group)
        let imap = configuration.imap
        endpoints = [
            ListenerEndpoint("imap", host: imap.host, hostKey: "imap.host", port: imap.port, portKey: "imap.port"),
            tls == nil
                ? nil
                : ListenerEndpoint(
                    "imaps", host: imap.host, hostKey: "imap.host", port: imap.imapsPort, portKey: "imap.imaps_port"),
        ].compactMap { $0 }
    }

    private static func settings(
        _ configuration: Configuration, _ version: String, tls: Bool
    ) -> IMAPServerConfiguration {
        var session = IMAPSessionConfiguration(hostname: configuration.hostname, offersTLS: tls)
        session.version = version
        session.suppressedCapabilities = CapabilityNames(configuration.imap.suppressCapabilities)
        session.maxLiteralSize = configuration.imap.maxLiteralSize
        session.maxLineLength = configuration.limits.imapLine
        session.maxLoginFailures = configuration.limits.loginFailuresPerConnection
        session.parseLimits = configuration.parseLimits
        var settings = IMAPServerConfiguration(session: session)
        settings.idleTimeout = .seconds(Int64(configuration.imap.idleTimeout))
        return settings
    }

    public func listen(_ endpoint: ListenerEndpoint) async throws -> SocketAddress {
        try await server.listen(
            host: endpoint.host, port: Int(endpoint.port), role: endpoint.name == "imaps" ? .imaps : .imap)
    }

    public func reload(_ configuration: Configuration) {
        server.update(Self.settings(configuration, version, tls: configuration.tls.enabled))
    }

    public func shutdown(grace: TimeAmount) async { await server.shutdown(grace: grace) }
}

/// The accounts of this host behind the IMAP server.
private final class StoreIMAPBackend: IMAPBackend {
    private let environment: ServerEnvironment

    init(_ environment: ServerEnvironment) { self.environment = environment }

    var logins: any LoginChecker { environment.logins }

    func open(_ account: UserAccount) async -> IMAPAccount? {
        let environment = environment
        do {
            let mail = try await environment.filePool.run { () throws(StoreError) in
                try environment.store.account(account.address)
            }
            var result = IMAPAccount(address: account.address, mail: mail)
            result.index = environment.index(of: account.address)
            result.suppressedCapabilities = CapabilityNames(account.suppressCapabilities)
            return result
        } catch {
            environment.log.logger("imap").error("opening \(account.address): \(error)")
            return nil
        }
    }
}
