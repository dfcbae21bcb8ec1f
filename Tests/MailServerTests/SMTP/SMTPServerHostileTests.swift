import NIOCore
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

/// Misbehaving clients on real sockets.
@Suite(.timeLimit(.minutes(10))) struct SMTPServerHostileTests {
    private static let envelope = "EHLO a\\r\\nMAIL FROM:<x@y.org>\\r\\nRCPT TO:<alice@example.com>\\r\\nDATA\\r\\n"

    @Test func plaintextBehindSTARTTLSIsRefused() async throws {
        let harness = try await SMTPServerHarness(usesTLS: true)
        try await harness.python(
            """
            s, f = connect(PORT)
            f.readline()
            s.sendall(b"STARTTLS\\r\\nEHLO evil\\r\\nMAIL FROM:<evil@x>\\r\\n")
            reply = read_all(s)
            assert reply.startswith(b"554 5.5.1"), reply
            # In two segments, the second one before the handshake: it is no TLS, and the connection ends.
            s, f = connect(PORT)
            f.readline()
            s.sendall(b"STARTTLS\\r\\n")
            assert f.readline().startswith(b"220 2.0.0")
            s.sendall(b"EHLO evil\\r\\nMAIL FROM:<evil@x>\\r\\n")
            reply = read_all(s)
            assert b"250" not in reply, reply
            """)
        await harness.finish()
    }

    @Test func smugglingEndsInARefusal() async throws {
        let harness = try await SMTPServerHarness(usesTLS: false)
        try await harness.python(
            """
            for end in [b"\\n.\\n", b"\\n.\\r\\n", b"\\r\\n.\\n",
                         b"\\r.\\r", b"\\r.\\r\\n", b"\\r\\n.\\r", b"\\r\\n\\0.\\r\\n"]:
                s, f = connect(PORT)
                s.sendall(b"\(Self.envelope)")
                while not f.readline().startswith(b"354"): pass
                inner = b"MAIL FROM:<e@x>\\r\\nRCPT TO:<bob@example.com>\\r\\nDATA\\r\\ny\\r\\n.\\r\\n"
                s.sendall(b"a: b\\r\\n\\r\\nx" + end + inner + b"QUIT\\r\\n")
                reply = f.read()
                assert reply.startswith(b"554 5.6.0") and reply.count(b"\\r\\n") == 2, (end, reply)
            """)
        #expect(harness.backend.deliveries.isEmpty)
        await harness.finish()
    }

    @Test func theLastReplyArrivesThoughMoreWasSent() async throws {
        let harness = try await SMTPServerHarness(usesTLS: false)
        try await harness.python(
            """
            for start, code in [(b"GET / HTTP/1.1\\r\\n", b"554"), (b"A" * 2000000, b"500"),
                                (b"\\0\\r\\n" * 20, b"421")]:
                s, f = connect(PORT)
                try:
                    s.sendall(start + b"Header: x\\r\\n" * 10000)
                except OSError:
                    pass
                reply = read_all(s)
                assert (b"\\r\\n" + code) in reply, reply[:300]
            # A connection closed with unread input would be reset, and might take the reply along.
            s, f = connect(PORT)
            s.sendall(b"GET / HTTP/1.1\\r\\n")
            assert b"\\r\\n554" in f.read()
            for _ in range(3): s.sendall(b"Header: x\\r\\n")
            """)
        await harness.finish()
    }

    @Test func garbageLeavesTheServerServing() async throws {
        let harness = try await SMTPServerHarness(usesTLS: true)
        try await harness.python(
            """
            import random
            r = random.Random(3)
            for n in range(30):
                s, f = connect([PORT, SUBMISSION, SMTPS][n % 3])
                try:
                    s.sendall(r.randbytes(r.randrange(3000)))
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                read_all(s)
            s = smtplib.SMTP(HOST, PORT, timeout=120)
            s.sendmail("x@y.org", ["alice@example.com"], "Subject: x\\r\\n\\r\\ny\\r\\n")
            s.quit()
            """)
        #expect(harness.backend.deliveries.count == 1)
        await harness.finish()
    }

    @Test func aClientThatLeavesInTheMiddleLeavesNothing() async throws {
        let harness = try await SMTPServerHarness(usesTLS: true)
        try await harness.python(
            """
            for tls in [False, True]:
                s, f = connect(PORT)
                if tls:
                    f.readline()
                    s.sendall(b"STARTTLS\\r\\n")
                    f.readline()
                    s = ssl.create_default_context(cafile=CAFILE).wrap_socket(s, server_hostname=HOST)
                    f = s.makefile("rb")
                s.sendall(b"\(Self.envelope)")
                while not f.readline().startswith(b"354"): pass
                s.sendall(b"a: b\\r\\n\\r\\nhalf a message")
                f.close(); s.close()
            """)
        await harness.finish()
        #expect(harness.backend.deliveries.isEmpty)
    }

    @Test func aClientThatStopsSendingStillGetsItsReplies() async throws {
        let harness = try await SMTPServerHarness(usesTLS: false)
        try await harness.python(
            """
            s, f = connect(PORT)
            s.sendall(b"\(Self.envelope)a: b\\r\\n\\r\\nx\\r\\n.\\r\\n")
            s.shutdown(socket.SHUT_WR)
            assert f.read().endswith(b"250 2.0.0 OK: message accepted for delivery\\r\\n")
            """)
        #expect(harness.backend.deliveries.count == 1)
        await harness.finish()
    }

    /// The store blocks, so the client cannot send more: the data in flight stays bounded.
    @Test(arguments: [false, true]) func aSlowStoreSlowsTheClient(usesTLS: Bool) async throws {
        let harness = try await SMTPServerHarness(usesTLS: usesTLS)
        harness.backend.closeGate()
        try await harness.python(
            """
            s = smtplib.SMTP(HOST, PORT, timeout=120)
            if \(usesTLS ? "True" : "False"): s.starttls(context=ssl.create_default_context(cafile=CAFILE))
            s.ehlo(); s.mail("x@y.org"); s.rcpt("alice@example.com"); s.docmd("DATA")
            s.sock.settimeout(0.5)
            sent = 0
            try:
                while sent < 40000000:
                    sent += s.sock.send((b"x" * 62 + b"\\r\\n") * 1000)
            except (TimeoutError, ssl.SSLWantWriteError):
                pass
            assert sent < 40000000, sent
            s.sock.close()
            """)
        harness.backend.openGate()
        await harness.finish()
    }

    @Test func aClientThatDoesNotReadIsNotServedOn() async throws {
        let harness = try await SMTPServerHarness(usesTLS: false) { $0.closeTimeout = .milliseconds(100) }
        try await harness.python(
            """
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect((HOST, PORT))
            s.settimeout(0.5)
            sent = 0
            try:
                while sent < 40000000: sent += s.send(b"NOOP\\r\\n" * 10000)
            except TimeoutError:
                pass
            assert sent < 40000000, sent
            s.close()
            """)
        await harness.finish()
    }
}
