import NIOCore
import SMTPCodec
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

/// The sessions of the manual, run by Python's smtplib.
@Suite(.timeLimit(.minutes(10))) struct SMTPServerClientTests {
    private static let login = """
        s.login("alice@example.com", "password")
        s.sendmail("alice@example.com", ["bob@example.com"],
            "From: alice@example.com\\r\\nTo: bob@example.com\\r\\nSubject: Hello\\r\\n\\r\\nBody\\r\\n.dot\\r\\n")
        s.quit()
        """

    @Test func submissionWithSTARTTLS() async throws {
        let harness = try await SMTPServerHarness(usesTLS: true)
        try await harness.python(
            """
            s = smtplib.SMTP(HOST, SUBMISSION, timeout=120)
            s.ehlo("client.example.com")
            assert not s.has_extn("auth") and s.has_extn("starttls"), s.esmtp_features
            s.starttls(context=ssl.create_default_context(cafile=CAFILE))
            s.ehlo("client.example.com")
            assert s.has_extn("auth") and not s.has_extn("starttls"), s.esmtp_features
            \(Self.login)
            """)
        let content = try #require(harness.backend.contents.first)
        #expect(
            content.contains(
                "Received: from client.example.com ([127.0.0.1])\r\n\tby mail.example.com with ESMTPSA id "))
        #expect(content.contains("\r\n\tfor <bob@example.com>;\r\n\t"))
        #expect(content.contains("\r\nMessage-ID: <"))
        #expect(content.hasSuffix("\r\n\r\nBody\r\n.dot\r\n"))
        await harness.finish()
    }

    @Test func submissionWithImplicitTLS() async throws {
        let harness = try await SMTPServerHarness(usesTLS: true)
        try await harness.python(
            """
            s = smtplib.SMTP_SSL(HOST, SMTPS, timeout=120, context=ssl.create_default_context(cafile=CAFILE))
            \(Self.login)
            """)
        #expect(
            harness.backend.deliveries.first?.envelope.user?.addresses == [
                try #require(SMTPAddress("alice@example.com"))
            ])
        await harness.finish()
    }

    @Test func submissionInClearWhereTLSIsOff() async throws {
        let harness = try await SMTPServerHarness(usesTLS: false)
        try await harness.python(
            """
            s = smtplib.SMTP(HOST, SUBMISSION, timeout=120)
            \(Self.login)
            """)
        #expect(harness.backend.contents.first?.contains("with ESMTPA id ") == true)
        await harness.finish()
    }

    @Test func refusals() async throws {
        let harness = try await SMTPServerHarness(usesTLS: true)
        try await harness.python(
            """
            def code(port, sender, to, login=None, tls=True):
                s = smtplib.SMTP(HOST, port, timeout=120)
                s.ehlo()
                if tls: s.starttls(context=ssl.create_default_context(cafile=CAFILE))
                try:
                    if login: s.login("alice@example.com", login)
                    s.sendmail(sender, [to], "Subject: x\\r\\n\\r\\ny\\r\\n")
                    s.quit()
                    return 250
                except smtplib.SMTPRecipientsRefused as e:
                    return list(e.recipients.values())[0][0]
                except smtplib.SMTPNotSupportedError:
                    return "no AUTH"
                except smtplib.SMTPResponseException as e:
                    return e.smtp_code
            a, b = "alice@example.com", "bob@example.com"
            assert code(PORT, "x@y.org", b, tls=False) == 250
            assert code(PORT, "x@y.org", "nobody@example.com") == 550
            assert code(PORT, "x@y.org", "z@elsewhere.org") == 550
            assert code(PORT, "x@y.org", "carol@example.com") == 550
            assert code(PORT, "x@y.org", "dave@example.com") == 452
            assert code(SUBMISSION, a, b) == 530
            assert code(SUBMISSION, a, b, login="wrong") == 535
            assert code(SUBMISSION, b, a, login="password") == 553
            assert code(PORT, a, b, login="password", tls=False) == "no AUTH"
            assert code(PORT, a, b, login="password") == 250
            """)
        #expect(harness.backend.deliveries.count == 2)
        await harness.finish()
    }

    @Test(arguments: [false, true]) func aLargeMessageArrivesWhole(usesTLS: Bool) async throws {
        let harness = try await SMTPServerHarness(usesTLS: usesTLS)
        let digest = try await harness.python(
            """
            import hashlib, random
            r = random.Random(7)
            body = b"".join(b"." * r.randrange(3) + b"x" * r.randrange(200) + b"\\r\\n" for _ in range(30000))
            message = b"Subject: large\\r\\n\\r\\n" + body
            s = smtplib.SMTP(HOST, PORT, timeout=120)
            if \(usesTLS ? "True" : "False"): s.starttls(context=ssl.create_default_context(cafile=CAFILE))
            s.sendmail("x@y.org", ["alice@example.com"], message)
            s.quit()
            print(len(message), sum((i % 65521 + 1) * c for i, c in enumerate(message)))
            """)
        let content = try #require(harness.backend.deliveries.first).content
        let whole = Array(content.readableBytesView)
        let start = try #require(harness.backend.contents.first?.utf8.firstRange(of: "Subject: large".utf8))
        let offset = harness.backend.contents[0].utf8.distance(
            from: harness.backend.contents[0].utf8.startIndex, to: start.lowerBound)
        let message = whole[offset...]
        let sum = message.enumerated().reduce(0) { $0 + ($1.offset % 65521 + 1) * Int($1.element) }
        #expect(digest == "\(message.count) \(sum)\n")
        await harness.finish()
    }
}
