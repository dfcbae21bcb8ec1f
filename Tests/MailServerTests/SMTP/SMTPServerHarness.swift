import NIOCore
import NIOPosix
import Primitives
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

/// A server on loopback with one listener per role, and Python programs as its clients.
final class SMTPServerHarness: Sendable {
    let backend = SMTPMemoryBackend()
    let server: SMTPServer
    private let limits: ConnectionLimits
    private let clients: PythonClients

    /// - Parameter limits: the defaults without a configuration; clients on loopback are exempt from the others.
    init(
        usesTLS: Bool, limits: ConnectionLimits.Settings = ConnectionLimits.Settings(),
        _ change: (inout SMTPServerConfiguration) -> Void = { _ in }
    ) async throws {
        self.limits = ConnectionLimits(limits, now: Clocks.monotonic)
        var configuration = SMTPServerConfiguration(
            session: SMTPSessionConfiguration(hostname: "mail.example.com", offersTLS: usesTLS))
        change(&configuration)
        server = SMTPServer(
            SMTPProtocol(backend: backend), settings: configuration, limits: self.limits,
            tls: usesTLS ? TestCertificate.provider : nil,
            group: MultiThreadedEventLoopGroup.singleton)
        var ports: [SMTPRole: Int] = [:]
        for role in [SMTPRole.mx, .submission] + (usesTLS ? [.smtps] : []) {
            ports[role] = try await server.listen(host: "127.0.0.1", port: 0, role: role).port
        }
        clients = try PythonClients(
            ports: ["PORT": ports[.mx] ?? 0, "SUBMISSION": ports[.submission] ?? 0, "SMTPS": ports[.smtps] ?? 0],
            "import smtplib")
    }

    /// Runs `script` with `PORT`, `SUBMISSION` and `SMTPS` set: see ``PythonClients``.
    @discardableResult
    func python(_ script: String) async throws -> String { try await clients.run(script) }

    /// Ends the server and checks that no connection has left anything behind.
    func finish() async {
        await server.shutdown(grace: .seconds(60))
        #expect(server.connectionCount == 0)
        #expect(limits.open(.smtp) == 0)
        #expect(backend.openMessages == 0)
    }
}
