import NIOCore
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

@Suite(.timeLimit(.minutes(10))) struct SMTPServerLifeTests {
    @Test func idleConnectionsEnd() async throws {
        let harness = try await SMTPServerHarness(usesTLS: true) {
            $0.idleTimeout = .milliseconds(50)
            $0.closeTimeout = .milliseconds(50)
        }
        try await harness.python(
            """
            s, f = connect(PORT)
            lines = f.read().split(b"\\r\\n")
            assert lines[0].startswith(b"220 ") and lines[1].startswith(b"421 4.4.2"), lines
            # A client that never shakes hands is gone as well.
            s, f = connect(SMTPS)
            read_all(s)
            """)
        await harness.finish()
    }

    @Test func connectionsBeyondTheLimitAreTurnedAway() async throws {
        let harness = try await SMTPServerHarness(
            usesTLS: true, limits: ConnectionLimits.Settings(maximumConnections: [.smtp: 1]))
        try await harness.python(
            """
            s, f = connect(PORT)
            assert f.readline().startswith(b"220 ")
            t, g = connect(SUBMISSION)
            assert g.read().startswith(b"421 4.3.2")
            t, g = connect(SMTPS)
            assert read_all(t) == b""
            s.sendall(b"QUIT\\r\\n")
            assert f.read().startswith(b"221 ")
            """)
        await harness.finish()
    }

    @Test func shutdownEndsIdleSessionsAndLetsAMessageFinish() async throws {
        let harness = try await SMTPServerHarness(usesTLS: false)
        harness.backend.closeGate()
        async let output = harness.python(
            """
            idle, f = connect(PORT)
            f.readline()
            busy, g = connect(PORT)
            busy.sendall(b"EHLO a\\r\\nMAIL FROM:<x@y.org>\\r\\nRCPT TO:<alice@example.com>\\r\\nDATA\\r\\n")
            while not g.readline().startswith(b"354"): pass
            busy.sendall(b"a: b\\r\\n\\r\\nx\\r\\n")
            assert f.readline().startswith(b"421 4.3.2")
            assert f.read() == b""
            busy.sendall(b".\\r\\n")
            assert g.readline().startswith(b"250 2.0.0 OK: message accepted")
            assert g.readline().startswith(b"421 4.3.2")
            assert g.read() == b""
            """)
        await harness.backend.firstAppend()
        harness.backend.openGate()
        await harness.finish()
        _ = try await output
        #expect(harness.backend.deliveries.count == 1)
        await #expect(throws: ConnectionServerError.shutDown) {
            try await harness.server.listen(host: "127.0.0.1", port: 0, role: .mx)
        }
    }

    @Test func aPortThatIsTakenIsAnError() async throws {
        let harness = try await SMTPServerHarness(usesTLS: false)
        let address = try await harness.server.listen(host: "127.0.0.1", port: 0, role: .mx)
        await #expect(throws: (any Error).self) {
            try await harness.server.listen(host: "127.0.0.1", port: address.port ?? 0, role: .mx)
        }
        await #expect(throws: ConnectionServerError.noTLS) {
            try await harness.server.listen(host: "127.0.0.1", port: 0, role: .smtps)
        }
        await harness.finish()
    }
}
