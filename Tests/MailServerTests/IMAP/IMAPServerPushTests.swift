import FoundationEssentials
import NIOCore
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Unsolicited updates to a client: IDLE (RFC 2177) and NOTIFY (RFC 5465), over a socket.
@Suite struct IMAPServerPushTests {
    /// Runs a client until it makes the file `MARK`, then `body`, then waits for the client to end.
    private static func push(
        to harness: IMAPServerHarness, _ script: String, _ body: () throws -> Void
    ) async throws {
        let mark = "\(harness.mail.path)/mark"
        async let client = harness.python("def mark(): open(\"\(mark)\", \"w\").close()\n" + script)
        try await harness.wait(forFile: mark)
        try body()
        _ = try await client
        await harness.finish()
    }

    /// Shares only the files with the server, like another process.
    private static func other(_ harness: IMAPServerHarness) throws -> Account {
        try Store.open(harness.mail.store.root).account(AccountAddress(parsing: "alice@example.com"))
    }

    private static func append(_ mailbox: Mailbox) throws {
        _ = try mailbox.append(bytes: Array("Subject: x\r\n\r\ny\r\n".utf8))
    }

    /// The poll is an hour away: the kernel's file watch reports the change.
    @Test func idleHearsOfOtherProcessesAtOnce() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false) { $0.pollInterval = .hours(1) }
        try await Self.push(
            to: harness,
            """
            s, f = connect()
            f.readline()
            s.sendall(b"a LOGIN alice@example.com \(IMAPTestMail.password)\\r\\nb SELECT INBOX\\r\\nc IDLE\\r\\n")
            while not f.readline().startswith(b"+"): pass
            mark()
            assert f.readline() == b"* 1 EXISTS\\r\\n"
            assert f.readline() == b"* 1 RECENT\\r\\n"
            """
        ) {
            try Self.append(Self.other(harness).mailbox(.inbox))
        }
    }

    @Test func aMailboxDeletedByAnotherProcessEndsIdle() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false) { $0.pollInterval = .hours(1) }
        try await Self.push(
            to: harness,
            """
            s, f = connect()
            f.readline()
            s.sendall(b"a LOGIN alice@example.com \(IMAPTestMail.password)\\r\\nb SELECT Sent\\r\\nc IDLE\\r\\n")
            while not f.readline().startswith(b"+"): pass
            mark()
            rest = read_all(s)
            assert rest.startswith(b"* BYE"), rest
            """
        ) { try Self.other(harness).delete(MailboxName("Sent")) }
    }

    @Test func notifyTellsBetweenCommands() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false) { $0.pollInterval = .milliseconds(50) }
        try await Self.push(
            to: harness,
            """
            s, f = connect()
            f.readline()
            s.sendall(b"a LOGIN alice@example.com \(IMAPTestMail.password)\\r\\nb SELECT INBOX\\r\\n")
            s.sendall(b"c NOTIFY SET (selected (MessageNew (UID) MessageExpunge)) (personal (MessageNew MessageExpunge MailboxName))\\r\\n")
            while not f.readline().startswith(b"c OK"): pass
            mark()
            lines = {f.readline() for _ in range(5)}
            assert lines == {b"* 1 EXISTS\\r\\n", b"* 1 RECENT\\r\\n", b"* 1 FETCH (UID 1)\\r\\n",
                b"* STATUS Sent (UIDNEXT 2 MESSAGES 1)\\r\\n", b'* LIST (\\\\HasNoChildren) "/" New\\r\\n'} or any(
                b'"/" New' in line for line in lines) and len(lines) == 5, lines
            s.sendall(b"d NOOP\\r\\ne IDLE\\r\\n")
            assert f.readline().startswith(b"d OK")
            assert f.readline().startswith(b"+")
            s.sendall(b"DONE\\r\\nf NOTIFY NONE\\r\\ng LOGOUT\\r\\n")
            rest = read_all(s)
            assert rest.startswith(b"e OK") and b"\\r\\nf OK" in rest, rest
            """
        ) {
            let account = try Self.other(harness)
            try Self.append(account.mailbox(.inbox))
            try Self.append(account.mailbox(MailboxName("Sent")))
            try account.create(MailboxName("New"))
        }
    }

    /// Like iOS: DONE and the next commands in one segment, and IDLE after other commands.
    @Test func commandsInOneSegmentWithDone() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false)
        try harness.mail.fill(1)
        try await harness.python(
            """
            s, f = connect()
            f.readline()
            s.sendall(b"A0 LOGIN alice@example.com \(IMAPTestMail.password)\\r\\nA1 SELECT INBOX\\r\\nA2 IDLE\\r\\n")
            while not f.readline().startswith(b"+"): pass
            s.sendall(b"DONE\\r\\nA3 UID FETCH 1 (UID)\\r\\nA4 IDLE\\r\\n")
            lines = [f.readline() for _ in range(4)]
            assert lines == [b"A2 OK IDLE completed\\r\\n", b"* 1 FETCH (UID 1)\\r\\n",
                b"A3 OK FETCH completed\\r\\n", b"+ idling\\r\\n"], lines
            s.sendall(b"DONE\\r\\nA5 STATUS Sent (MESSAGES)\\r\\nA6 IDLE\\r\\nDONE\\r\\nA7 LOGOUT\\r\\n")
            rest = [line for line in read_all(s).split(b"\\r\\n") if line]
            assert [line[:3] for line in rest] == [b"A4 ", b"* S", b"A5 ", b"+ i", b"A6 ", b"* B", b"A7 "], rest
            """)
        await harness.finish()
    }
}
