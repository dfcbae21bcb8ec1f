import NIOCore
import NIOPosix
import NIOSSL
import Primitives
import Testing

@testable import ServerConfiguration
@testable import ServerRuntime

/// Connections opened by this side, to a test listener on loopback.
@Suite(.timeLimit(.minutes(5))) struct ConnectionClientTests {
    private static let group = MultiThreadedEventLoopGroup.singleton

    private func trusted() throws -> TLSClient {
        try TLSClient(.roots(NIOSSLCertificate.fromPEMBytes(Array(TestCertificate.certificatePEM.utf8))))
    }

    /// Serves connections with ``LineServer``.
    private func withServer(
        _ body: (_ plain: SocketAddress, _ tls: SocketAddress) async throws -> Void
    ) async throws {
        let server = ConnectionServer(
            LineProtocol(), settings: LineSettings(),
            limits: ConnectionLimits(ConnectionLimits.Settings(), now: Clocks.monotonic), tls: TestCertificate.provider,
            group: Self.group)
        let plain = try await server.listen(host: "127.0.0.1", port: 0, role: .plain)
        let tls = try await server.listen(host: "127.0.0.1", port: 0, role: .tls)
        try await body(plain, tls)
        await server.shutdown(grace: .seconds(60))
        #expect(server.connectionCount == 0)
    }

    /// Runs a client until it ends.
    /// - Returns: The events reported to its driver, in order.
    private func run(
        _ address: SocketAddress, _ security: ConnectionSecurity = .none, idleTimeout: TimeAmount = .seconds(60)
    ) async throws -> [LineClient.Event] {
        let events = Locked<[LineClient.Event]>([])
        let startsTLS = if case .onDemand = security { true } else { false }
        let connection = try await ConnectionClient(group: Self.group).connect(
            to: address, security: security, connectTimeout: .seconds(60), closeTimeout: .milliseconds(50)
        ) { _ in LineClient(startsTLS: startsTLS, idleTimeout: idleTimeout, events) }
        try await connection.finished.get()
        return events.withLock { $0 }
    }

    @Test func plain() async throws {
        try await withServer { plain, _ in
            let events = try await run(plain)
            #expect(events == [.start, .line("hello"), .line("ping"), .end])
        }
    }

    @Test func implicitTLS() async throws {
        try await withServer { _, tls in
            let client = try trusted()
            for name in ["mail.example.com", "127.0.0.1", nil] {
                let events = try await run(tls, .implicit(client, serverName: name))
                #expect(events == [.start, .secured, .line("hello"), .line("ping"), .end])
            }
        }
    }

    @Test func startTLS() async throws {
        try await withServer { plain, _ in
            let events = try await run(plain, .onDemand(trusted(), serverName: "mail.example.com"))
            #expect(events == [.start, .line("hello"), .line("go"), .secured, .line("ping"), .end])
        }
    }

    /// Nothing is sent to a server with another server's certificate, or with an untrusted one.
    @Test func certificatesAreVerified() async throws {
        let clients = [(try trusted(), "mx.example.net"), (try TLSClient(.systemRoots), "mail.example.com")]
        try await withServer { plain, tls in
            for (client, name) in clients {
                let implicit = try await run(tls, .implicit(client, serverName: name))
                #expect(implicit == [.start, .failedTLS, .end], "\(name): \(implicit)")
                let later = try await run(plain, .onDemand(client, serverName: name))
                #expect(later == [.start, .line("hello"), .line("go"), .failedTLS, .end], "\(later)")
            }
        }
    }

    @Test func opportunisticTLSTakesAnyCertificate() async throws {
        try await withServer { plain, tls in
            let client = try TLSClient(.none)
            let events = try await run(tls, .implicit(client, serverName: "mx.example.net"))
            #expect(events == [.start, .secured, .line("hello"), .line("ping"), .end])
        }
    }

    /// The server accepts and stays silent, before the greeting or before its half of the handshake.
    @Test(arguments: [false, true]) func aServerThatNeverAnswers(underTLS: Bool) async throws {
        let silent = try await ServerBootstrap(group: Self.group).bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(silent.localAddress)
        let events = try await run(
            address, underTLS ? .implicit(trusted(), serverName: nil) : .none, idleTimeout: .milliseconds(50))
        #expect(events == [.start, .timeOut, .end])
        try await silent.close()
    }

    @Test func nobodyListens() async throws {
        let listener = try await ServerBootstrap(group: Self.group).bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(listener.localAddress)
        try await listener.close()
        let failure = await #expect(throws: ConnectionFailure.self) { try await run(address) }
        guard case .unreachable = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    /// A kernel with a full connection queue drops new connections.
    @Test func nobodyAccepts() async throws {
        let listener = try await ServerBootstrap(group: Self.group)
            .serverChannelOption(.backlog, value: 0)
            .serverChannelOption(.autoRead, value: false)
            .bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(listener.localAddress)
        let client = ConnectionClient(group: Self.group)
        var opened: [OpenedConnection] = []
        var failure: ConnectionFailure?
        while failure == nil, opened.count < 16 {
            do {
                opened.append(
                    try await client.connect(to: address, connectTimeout: .milliseconds(300)) { _ in
                        LineClient(startsTLS: false, idleTimeout: .seconds(60), Locked([]))
                    })
            } catch {
                failure = error
            }
        }
        #expect(failure == .timedOut)
        for connection in opened {
            connection.drop()
            try await connection.finished.get()
        }
        try await listener.close()
    }
}
