import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Input that no program should send, over a socket: it gets a clear response, and the connection and the server
/// survive.
@Suite struct IMAPServerBadInputTests {
    private static let prelude = """
        def begin(login=True):
            s, f = connect()
            assert f.readline().startswith(b"* OK")
            if login:
                s.sendall(b"a LOGIN alice@example.com \(IMAPTestMail.password)\\r\\nb SELECT INBOX\\r\\n")
                while not f.readline().startswith(b"b OK"): pass
            return s, f
        def well(s, f):
            "The next command is answered, and nothing before it."
            s.sendall(b"w NOOP\\r\\n")
            line = f.readline()
            assert line.startswith(b"w OK"), line
        def refused(s, f, data, answer, rest=b""):
            s.sendall(data)
            line = f.readline()
            assert line.startswith(answer), (data[:60], line)
            s.sendall(rest)
            well(s, f)
        def fatal(s, f, data, answer=b"* BYE"):
            s.sendall(data)
            lines = f.read().split(b"\\r\\n")
            assert any(l.startswith(answer) for l in lines), (data[:60], lines)

        """

    @Test func beforeALogin() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false)
        try await harness.python(
            Self.prelude + """
                s, f = begin(login=False)
                # Lines: 65,536 octets, at their end and without one.
                refused(s, f, b"a LOGIN x " + b"y" * 65600 + b"\\r\\n", b"a BAD [LIMIT]")
                refused(s, f, b"a LOGIN x " + b"y" * 70000, b"a BAD [LIMIT]", b"y" * 20000 + b"\\r\\n")
                # Literals: 32,768; refused before they are sent, and what comes unasked is read over.
                refused(s, f, b"a LOGIN {32769}\\r\\n", b"a BAD [TOOBIG]")
                refused(s, f, b"a LOGIN {32769+}\\r\\n", b"a BAD [TOOBIG]", b"x" * 32769 + b" y\\r\\n")
                refused(s, f, b"a LOGIN {32769+}\\r\\n", b"a BAD [TOOBIG]", b"x" * 32769 + b" {5+}\\r\\nb LOG\\r\\n")
                refused(s, f, b"a LOGIN {5+}\\r\\nalice {33000+}\\r\\n", b"a BAD [TOOBIG]", b"x" * 33000 + b"\\r\\n")
                refused(s, f, b"a APPEND INBOX {10}\\r\\n", b"a NO [TOOBIG]")
                refused(s, f, b"a APPEND INBOX {10+}\\r\\n", b"a NO [TOOBIG]", b"0123456789\\r\\n")
                for data in [b"a NONSENSE\\r\\n", b"a\\r\\n", b"\\r\\n", b"DONE\\r\\n", b"a SELECT INBOX\\r\\n", b"a IDLE\\r\\n",
                             b"a FETCH 1 FLAGS\\r\\n", b"a COMPRESS DEFLATE\\r\\n", b"a UNSELECT\\r\\n", b"a STARTTLS\\r\\n",
                             b"a LOGIN x\\r\\n", b"a LOGIN \\"x\\r\\n", b"a LOG\\0IN x y\\r\\n", b"\\xff\\xfe\\x00\\r\\n",
                             b"GET / HTTP/1.1\\r\\n", b"\\x16\\x03\\x01\\x02\\x00\\r\\n", b"a LOGIN {1}x\\r\\n", b"a LOGIN {}\\r\\n",
                             b"a LOGIN {-1}\\r\\n", b"a AUTHENTICATE\\r\\n", b"a AUTHENTICATE PLAIN !!\\r\\n",
                             b"a GETMETADATA INBOX /private/a\\r\\n", b"a GETQUOTA \\"\\"\\r\\n", b"a NOOP\\n\\r\\n"]:
                    s.sendall(data)
                    line = f.readline()
                    assert b" BAD " in line or b" NO " in line or data.startswith(b"a NOOP"), (data, line)
                    if data == b"a NOOP\\n\\r\\n": assert f.readline().startswith(b"* BAD")
                    well(s, f)
                # A length that no literal has, and one that nobody would read over.
                for size in [b"99999999999999999999999+", b"1000000+"]:
                    s, f = begin(login=False)
                    fatal(s, f, b"a LOGIN {" + size + b"}\\r\\n")
                s, f = begin(login=False)
                refused(s, f, b"a LOGIN {99999999999999999999999}\\r\\n", b"a BAD [TOOBIG]")
                # Twenty in a row, and that is that.
                fatal(s, f, b"x NONSENSE\\r\\n" * 20, b"* BYE [CLIENTBUG]")
                begin()
                """)
        await harness.finish()
    }

    @Test func behindALogin() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false) { $0.session.maxLiteralSize = 100_000 }
        try harness.mail.fill(1)
        try await harness.python(
            Self.prelude + """
                s, f = begin()
                refused(s, f, b"a SEARCH SUBJECT " + b"y" * 65600 + b"\\r\\n", b"a BAD [LIMIT]")
                refused(s, f, b"a SEARCH SUBJECT " + b"y" * 100000, b"a BAD [LIMIT]", b"y" * 1000000 + b"\\r\\n")
                refused(s, f, b"a SEARCH SUBJECT {65537}\\r\\n", b"a BAD [TOOBIG]")
                refused(s, f, b"a SEARCH SUBJECT {65537+}\\r\\n", b"a BAD [TOOBIG]", b"y" * 65537 + b"\\r\\n")
                # A message over the limit: told at once, not when it has come.
                refused(s, f, b"a APPEND INBOX {100001}\\r\\n", b"a NO [TOOBIG]")
                refused(s, f, b"a APPEND INBOX {100001+}\\r\\n", b"a NO [TOOBIG]", b"y" * 100001 + b"\\r\\n")
                refused(s, f, b"a APPEND INBOX {100001+}\\r\\n", b"a NO [TOOBIG]", b"b LOGOUT\\r\\n" * 10000 + b"0\\r\\n")
                refused(s, f, b"a APPEND nowhere {50000+}\\r\\n", b"a NO [TRYCREATE]", b"b LOGOUT\\r\\n" * 5000 + b"\\r\\n")
                # Nesting by the thousand.
                for data in [b"a SEARCH " + b"(" * 30000, b"a SEARCH " + b"NOT " * 15000, b"a FETCH 1 " + b"(" * 60000,
                             b"a SEARCH " + b"OR ALL " * 9000, b"a LIST " + b"(" * 60000, b"a STORE 1 FLAGS " + b"(" * 60000,
                             b"a THREAD " + b"(" * 60000, b"a ID " + b"(" * 60000, b"a SETMETADATA INBOX " + b"(" * 60000,
                             b"a SEARCH " + b"1 " * 30000, b"a STATUS INBOX " + b"(" * 60000,
                             b"a NOTIFY SET " + b"(" * 60000, b"a SEARCH " + b"1,," * 20000, b"a UID FETCH 1:* BODY[" ]:
                    s.sendall(data + b"\\r\\n")
                    line = f.readline()
                    while line.startswith(b"*"): line = f.readline()
                    assert line.startswith((b"a BAD", b"a NO")), (data[:40], line)
                    well(s, f)
                for data in [b"a SEARCH " + b"NOT " * 15000 + b"ALL", b"a SEARCH " + b"OR ALL " * 9000 + b"ALL",
                             b"a SEARCH " + b"(" * 30000 + b"ALL" + b")" * 30000, b"a SEARCH " + b"1," * 30000,
                             b"a FETCH 1 BODY[" + b"1." * 30000 + b"1]"]:
                    s.sendall(data + b"\\r\\n")
                    line = f.readline()
                    while line.startswith(b"*"): line = f.readline()
                    assert line.startswith(b"a OK"), (data[:40], line)
                    well(s, f)
                # Names: broken modified UTF-7, NUL, control characters.
                for name in [b"&", b"&AOQ", b"&AOQ-&AOQ-", b"&!!!-", b"&AAA-", b"\\"a\\x01b\\"", b"\\"a\\0b\\"", b"&2AA-", b"&AGE-",
                             b"\\xc3\\xa4", b"\\xff", b"{3+}\\r\\na\\0b", b"{3+}\\r\\na\\rb", b"a//b", b"/", b"a/../b", b"\\"\\"",
                             b"x" * 1001, b"a/" * 70 + b"a"]:
                    for command in [b"CREATE ", b"STATUS ", b"RENAME INBOX ", b"APPEND "]:
                        more = {b"STATUS ": b" (MESSAGES)", b"APPEND ": b" {3+}\\r\\nabc"}.get(command, b"")
                        s.sendall(b"a " + command + name + more + b"\\r\\n")
                        line = f.readline()
                        assert line[2:].startswith((b"NO ", b"BAD ")), (command, name[:40], line)
                        well(s, f)
                s.sendall(b"a LIST \\"\\" *\\r\\n")
                names = []
                while not names or names[-1].startswith(b"*"): names.append(f.readline())
                assert len(names) == 4, names
                # More than anybody would read over.
                fatal(s, f, b"a APPEND INBOX {9999999999+}\\r\\n", b"* BYE [TOOBIG]")
                begin()
                """)
        await harness.finish()
    }

    /// Parts in parts in parts, and parts beside parts: every response is complete.
    @Test func messagesThatAreAllStructure() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false)
        try harness.mail.append(
            "Subject: deep\n"
                + (0..<3000).map { "Content-Type: multipart/mixed; boundary=b\($0)\n\n--b\($0)\n" }.joined() + "\nx\n")
        try harness.mail.append(
            "Subject: wide\nContent-Type: multipart/mixed; boundary=b\n\n"
                + String(repeating: "--b\n\nx\n", count: 20_000) + "--b--\n")
        try harness.mail.append(
            "Subject: mail in mail\n"
                + String(repeating: "Content-Type: message/rfc822\n\n", count: 3000) + "x\n")
        try harness.mail.append("To: " + String(repeating: "(", count: 20_000) + "\n\nx\n")
        try await harness.python(
            Self.prelude + """
                s, f = begin()
                for number in range(1, 5):
                    for item in [b"BODYSTRUCTURE", b"ENVELOPE", b"BODY.PEEK[1.1.1.1.1.1]", b"BODY.PEEK[1.MIME]", b"BODY.PEEK[HEADER]"]:
                        s.sendall(b"a FETCH %d (%s)\\r\\n" % (number, item))
                        data = b""
                        while True:
                            line = f.readline()
                            if line.startswith(b"a "): break
                            data += line
                        assert line.startswith(b"a OK"), (number, item, line)
                        if item == b"BODYSTRUCTURE":
                            assert data.count(b"(") == data.count(b")") > 1, (number, data[:100], data[-100:])
                        well(s, f)
                s.sendall(b"a SEARCH TEXT nothing\\r\\n")
                assert f.readline() == b"* SEARCH\\r\\n"
                assert f.readline().startswith(b"a OK")
                """)
        await harness.finish()
    }
}
