import FoundationEssentials
import NIOCore
import NIOPosix
import Primitives
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// A server on loopback, with Python programs as its clients.
final class IMAPServerHarness: Sendable {
    let mail: IMAPTestMail
    private let server: IMAPServer
    private let limits: ConnectionLimits
    private let clients: PythonClients
    private let endedScripts = Locked(0)

    /// - Parameter limits: the defaults without a configuration; clients on loopback are exempt from the others.
    init(
        usesTLS: Bool, limits: ConnectionLimits.Settings = ConnectionLimits.Settings(),
        _ change: (inout IMAPServerConfiguration) -> Void = { _ in }
    ) async throws {
        self.limits = ConnectionLimits(limits, now: Clocks.monotonic)
        mail = try IMAPTestMail()
        var configuration = IMAPServerConfiguration(
            session: IMAPSessionConfiguration(hostname: "mail.example.com", offersTLS: usesTLS))
        change(&configuration)
        server = IMAPServer(
            IMAPProtocol(backend: mail.backend, pool: IMAPTestMail.pool), settings: configuration, limits: self.limits,
            tls: usesTLS ? TestCertificate.provider : nil, group: MultiThreadedEventLoopGroup.singleton)
        let port = try await server.listen(host: "127.0.0.1", port: 0, role: .imap).port ?? 0
        let imaps = usesTLS ? try await server.listen(host: "127.0.0.1", port: 0, role: .imaps).port ?? 0 : 0
        clients = try PythonClients(
            ports: ["PORT": port, "IMAPS": imaps],
            """
            import imaplib
            def login(imap):
                imap.login("alice@example.com", "\(IMAPTestMail.password)")
                return imap
            """)
    }

    /// Runs `script` with `PORT` and `IMAPS` set: see ``PythonClients``.
    @discardableResult
    func python(_ script: String) async throws -> String {
        defer { endedScripts.withLock { $0 += 1 } }
        return try await clients.run(script)
    }

    /// Waits, without a limit, until the one script of this harness has made a file.
    func wait(forFile path: String, _ location: SourceLocation = #_sourceLocation) async throws {
        while !FileManager.default.fileExists(atPath: path) {
            let isOver = endedScripts.withLock { $0 > 0 }
            try #require(
                !isOver || FileManager.default.fileExists(atPath: path), "the script did not get there",
                sourceLocation: location)
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Ends the server and checks that no connection has left anything behind.
    func finish() async {
        await server.shutdown(grace: .seconds(60))
        #expect(server.connectionCount == 0)
        #expect(limits.open(.imap) == 0)
    }
}
