import FoundationEssentials
import NIOCore
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// The sessions of the manual, run by Python's imaplib.
@Suite struct IMAPServerClientTests {
    enum Transport: String, CaseIterable { case clear, startTLS, implicit }

    static func connect(_ transport: Transport) -> String {
        switch transport {
        case .clear: "imap = imaplib.IMAP4(HOST, PORT)"
        case .startTLS: "imap = imaplib.IMAP4(HOST, PORT); imap.starttls(CONTEXT)"
        case .implicit: "imap = imaplib.IMAP4_SSL(HOST, IMAPS, ssl_context=CONTEXT)"
        }
    }

    @Test(arguments: Transport.allCases) func theManualsSessions(transport: Transport) async throws {
        let harness = try await IMAPServerHarness(usesTLS: transport != .clear)
        try harness.mail.append("From: bob@example.com\nSubject: First\n\nOne\n")
        try harness.mail.append("From: bob@example.com\nSubject: Hello\n\nTwo\n")
        let output = try await harness.python(
            """
            \(Self.connect(transport))
            imap.login("alice@example.com", "\(IMAPTestMail.password)")
            imap.select("INBOX")
            status, data = imap.search(None, "ALL")
            uids = data[0].split()
            assert uids == [b"1", b"2"], data
            if uids:
                status, data = imap.fetch(uids[-1], "(BODY.PEEK[])")
                print(data[0][1].decode())
            assert imap.store(uids[-1], "+FLAGS", "\\\\Seen") == ("OK", [b"2 (FLAGS (\\\\Seen \\\\Recent))"])
            status, data = imap.uid("SEARCH", "SUBJECT", '"Hello"')
            uid = data[0].decode()
            assert uid == "2"
            status, data = imap.uid("FETCH", data[0].decode(), "(FLAGS RFC822.SIZE)")
            assert status == "OK" and data[0].startswith(b"2 (UID 2 FLAGS (\\\\Seen \\\\Recent) RFC822.SIZE "), data
            assert imap.uid("MOVE", uid, "Trash")[0] == "OK"
            assert imap.search(None, "ALL")[1] == [b"1"]
            imap.select("INBOX")
            imap.send(b"a001 IDLE\\r\\n")
            assert imap.readline().startswith(b"+ idling")
            \(Self.connect(transport).replacing("imap", with: "other").replacing("otherlib", with: "imaplib"))
            other.login("alice@example.com", "\(IMAPTestMail.password)")
            other.append("INBOX", None, None, b"Subject: New\\r\\n\\r\\nThree\\r\\n")
            line = imap.readline()
            assert line == b"* 2 EXISTS\\r\\n", line
            assert imap.readline() == b"* 1 RECENT\\r\\n"
            imap.send(b"DONE\\r\\n")
            assert imap.readline().startswith(b"a001 OK")
            assert imap.logout()[0] == "BYE"
            other.logout()
            """)
        #expect(output.contains("Subject: Hello"))
        #expect(output.contains("Two"))
        await harness.finish()
    }

    @Test func credentialsWaitForTLS() async throws {
        let harness = try await IMAPServerHarness(usesTLS: true)
        try await harness.python(
            """
            imap = imaplib.IMAP4(HOST, PORT)
            assert "STARTTLS" in imap.capabilities and "LOGINDISABLED" in imap.capabilities, imap.capabilities
            assert not any(c.startswith("AUTH=") for c in imap.capabilities)
            try:
                imap.login("alice@example.com", "\(IMAPTestMail.password)")
                assert False
            except imaplib.IMAP4.error as e:
                assert "PRIVACYREQUIRED" in str(e), e
            try:
                imap.authenticate("PLAIN", lambda _: b"\\0alice@example.com\\0\(IMAPTestMail.password)")
                assert False
            except imaplib.IMAP4.error as e:
                assert "PRIVACYREQUIRED" in str(e), e
            imap.starttls(CONTEXT)
            assert "STARTTLS" not in imap.capabilities and "LOGINDISABLED" not in imap.capabilities
            imap.authenticate("PLAIN", lambda _: b"\\0alice@example.com\\0\(IMAPTestMail.password)")
            imap.logout()
            """)
        await harness.finish()
    }

    @Test func nothingPipelinedBehindSTARTTLSSurvives() async throws {
        let harness = try await IMAPServerHarness(usesTLS: true)
        try await harness.python(
            """
            s, f = connect()
            f.readline()
            s.sendall(b"a STARTTLS\\r\\nb CREATE evil\\r\\nc NOOP\\r\\n")
            rest = read_all(s)
            assert rest.startswith(b"a OK") and rest.count(b"\\n") == 1, rest
            """)
        await harness.finish()
    }

    @Test(arguments: [false, true]) func aLargeMessageComesBackWhole(usesTLS: Bool) async throws {
        let harness = try await IMAPServerHarness(usesTLS: usesTLS)
        try await harness.python(
            """
            import random
            r = random.Random(7)
            message = b"Subject: large\\r\\n\\r\\n" + b"".join(b"x" * r.randrange(200) + b"\\r\\n" for _ in range(60000))
            \(usesTLS ? Self.connect(.startTLS) : Self.connect(.clear))
            login(imap)
            assert imap.append("INBOX", "(\\\\Flagged $Big)", None, message)[0] == "OK"
            imap.select("INBOX")
            status, data = imap.fetch("1", "(FLAGS BODY.PEEK[] BODY.PEEK[TEXT]<100.50>)")
            assert data[0][1] == message
            assert data[1][1] == message[message.index(b"\\r\\n\\r\\n") + 4:][100:150]
            assert b"\\\\Flagged" in data[0][0] and b"$Big" in data[0][0], data[0][0]
            imap.logout()
            """)
        await harness.finish()
    }

    @Test func commandsPipelinedAroundIdle() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false)
        try await harness.python(
            """
            s, f = connect()
            f.readline()
            s.sendall(b"a LOGIN alice@example.com \(IMAPTestMail.password)\\r\\nb SELECT INBOX\\r\\nc IDLE\\r\\nDONE\\r\\nd NOOP\\r\\ne IDLE\\r\\n")
            lines = []
            while not (lines and lines[-1].startswith(b"+") and any(l.startswith(b"d ") for l in lines)):
                lines.append(f.readline())
            assert [l[:4] for l in lines if l[:1] in b"abcde"] == [b"a OK", b"b OK", b"c OK", b"d OK"], lines
            s.sendall(b"DONE\\r\\nf LOGOUT\\r\\n")
            rest = read_all(s)
            assert rest.startswith(b"e OK") and b"\\r\\nf OK" in rest, rest
            """)
        await harness.finish()
    }

    @Test func idleTellsOfOtherProcessesAndThatItIsAlive() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false) {
            $0.pollInterval = .milliseconds(20)
            $0.keepAlive = .milliseconds(100)
        }
        let mark = "\(harness.mail.path)/idling"
        async let client = harness.python(
            """
            imap = login(imaplib.IMAP4(HOST, PORT))
            imap.select("INBOX")
            imap.send(b"a IDLE\\r\\n")
            assert imap.readline().startswith(b"+")
            open("\(mark)", "w").close()
            lines = {imap.readline() for _ in range(2)}
            while not {b"* OK Still here\\r\\n", b"* 1 EXISTS\\r\\n"} <= lines: lines.add(imap.readline())
            imap.send(b"DONE\\r\\n")
            while not imap.readline().startswith(b"a OK"): pass
            imap.logout()
            """)
        try await harness.wait(forFile: mark)
        // Shares only the files with the server, like another process.
        let other = try Store.open(harness.mail.store.root)
        let mailbox = try other.account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        _ = try mailbox.append(bytes: Array("Subject: x\r\n\r\ny\r\n".utf8))
        _ = try await client
        await harness.finish()
    }
}
