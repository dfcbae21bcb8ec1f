import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

@Suite struct IMAPSessionFetchTests {
    static let multipart = """
        From: =?UTF-8?Q?J=C3=B6rg?= <joerg@example.org>
        To: alice@example.com, Bob <bob@example.com>
        Subject: parts
        Date: Tue, 14 Nov 2023 10:00:00 +0100
        Message-ID: <1@example.org>
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary=b

        preamble
        --b
        Content-Type: text/plain; charset=utf-8

        hello
        --b
        Content-Type: message/rfc822

        Subject: inner

        inside
        --b--

        """

    @Test(arguments: [
        ("FETCH 1 FLAGS", #"* 1 FETCH (FLAGS (\Recent))"#),
        ("FETCH 1 (UID RFC822.SIZE)", "* 1 FETCH (UID 1 RFC822.SIZE 27)"),
        ("UID FETCH 1 RFC822.SIZE", "* 1 FETCH (UID 1 RFC822.SIZE 27)"),
        ("FETCH 1 INTERNALDATE", #"* 1 FETCH (INTERNALDATE "14-Nov-2023 22:13:20 +0000")"#),
        ("FETCH 1 BODY.PEEK[HEADER]", "* 1 FETCH (BODY[HEADER] {16}|Subject: one||)"),
        ("FETCH 1 BODY.PEEK[TEXT]", "* 1 FETCH (BODY[TEXT] {11}|body text|)"),
        ("FETCH 1 BODY.PEEK[]<2.3>", "* 1 FETCH (BODY[]<2> {3}|bje)"),
        ("FETCH 1 BODY.PEEK[]<100.3>", "* 1 FETCH (BODY[]<100> {0}|)"),
        ("FETCH 1 BODY.PEEK[]<21.300>", "* 1 FETCH (BODY[]<21> {6}|text|)"),
        ("FETCH 1 BODY.PEEK[7]", "* 1 FETCH (BODY[7] NIL)"),
        ("FETCH 1 BODY.PEEK[1]", "* 1 FETCH (BODY[1] {11}|body text|)"),
        ("FETCH 1 RFC822.HEADER", "* 1 FETCH (RFC822.HEADER {16}|Subject: one||)"),
        (
            "FETCH 1 BODY.PEEK[HEADER.FIELDS (subject X)]",
            "* 1 FETCH (BODY[HEADER.FIELDS (subject X)] {16}|Subject: one||)"
        ),
        ("FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Subject)]", "* 1 FETCH (BODY[HEADER.FIELDS.NOT (Subject)] {2}||)"),
        ("FETCH 1 ENVELOPE", #"* 1 FETCH (ENVELOPE (NIL "one" NIL NIL NIL NIL NIL NIL NIL NIL))"#),
        ("FETCH 1 BODY", #"* 1 FETCH (BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 11 1))"#),
        ("FETCH 1 FAST", #"* 1 FETCH (FLAGS (\Recent) INTERNALDATE "14-Nov-2023 22:13:20 +0000" RFC822.SIZE 27)"#),
        ("FETCH 1 (FLAGS FLAGS)", #"* 1 FETCH (FLAGS (\Recent))"#),
    ]) func items(command: String, answer: String) async throws {
        let mail = try IMAPTestMail()
        try mail.append("Subject: one\n\nbody text\n", date: 1_700_000_000)
        let dialogue = await IMAPDialogue.alice(mail)
        let lines = await dialogue.ok(command)
        #expect(lines.joined(separator: "|").lowercased() == answer.lowercased())
    }

    /// The file keeps its NULs; a literal must not contain any, and no octet moves.
    @Test(arguments: ["BODY.PEEK[]", "BODY.PEEK[TEXT]", "BODY.PEEK[HEADER]", "BODY.PEEK[HEADER.FIELDS (Subject)]"])
    func literalsHaveNoNUL(item: String) async throws {
        let mail = try IMAPTestMail()
        try mail.append("Subject: o\0ne\n\n\0body\0\n\0")
        let dialogue = await IMAPDialogue.alice(mail)
        let answer = await dialogue.ok("FETCH 1 (RFC822.SIZE \(item))").joined(separator: "\r\n")
        #expect(!answer.utf8.contains(0) && answer.contains("RFC822.SIZE 26 "))
        #expect(try mail.mailbox().open(UID(1)).read().filter { $0 == 0 }.count == 4)
    }

    @Test func partsOfAMultipart() async throws {
        let mail = try IMAPTestMail()
        try mail.append(Self.multipart)
        let dialogue = await IMAPDialogue.alice(mail)
        func fetch(_ item: String) async -> String { await dialogue.ok("FETCH 1 \(item)").joined(separator: "|") }
        #expect(await fetch("BODY.PEEK[1]") == "* 1 FETCH (BODY[1] {5}|hello)")
        #expect(await fetch("BODY.PEEK[1.MIME]").hasPrefix("* 1 FETCH (BODY[1.MIME] {43}|Content-Type: text/plain"))
        #expect(await fetch("BODY.PEEK[2.HEADER]") == "* 1 FETCH (BODY[2.HEADER] {18}|Subject: inner||)")
        #expect(await fetch("BODY.PEEK[2.TEXT]") == "* 1 FETCH (BODY[2.TEXT] {6}|inside)")
        #expect(await fetch("BODY.PEEK[2.HEADER.FIELDS (SUBJECT)]").hasSuffix("{18}|Subject: inner||)"))
        #expect(await fetch("BODY.PEEK[1.HEADER]") == "* 1 FETCH (BODY[1.HEADER] NIL)")
        let envelope = await fetch("ENVELOPE")
        #expect(envelope.contains(#"(("=?UTF-8?Q?J=C3=B6rg?=" NIL "joerg" "example.org"))"#), "\(envelope)")
        #expect(envelope.contains(#"((NIL NIL "alice" "example.com")("Bob" NIL "bob" "example.com"))"#), "\(envelope)")
        let structure = await fetch("BODYSTRUCTURE")
        #expect(structure.contains(#""message" "rfc822""#) && structure.contains(#""mixed" ("boundary" "b")"#))
    }

    @Test func fetchingABodySetsSeenOnce() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(
            await dialogue.ok("FETCH 1:2 BODY[TEXT]").filter { $0.hasSuffix(#"FLAGS (\Seen \Recent))"#) }.count == 2)
        #expect(await dialogue.ok("FETCH 1 BODY[TEXT]").contains { $0.contains("FLAGS") } == false)
        #expect(try mail.mailbox().snapshot().messages[1].flags == .seen)
        #expect(await dialogue.ok("NOOP").isEmpty, "the session has told itself already")
        await dialogue.ok("EXAMINE INBOX")
        #expect(await dialogue.ok("FETCH 2 RFC822").contains { $0.contains("FLAGS") } == false)
    }

    @Test func setsOfNumbers() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(5)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok(#"STORE 2 +FLAGS.SILENT \Deleted"#)
        await dialogue.ok("EXPUNGE")
        func uids(_ command: String) async -> String {
            await dialogue.ok(command).map { String($0.split(separator: " ")[4].dropLast()) }.joined(separator: ",")
        }
        #expect(await uids("FETCH 1:* UID") == "1,3,4,5")
        #expect(await uids("FETCH 4,1:2,2 UID") == "1,3,5")
        #expect(await uids("FETCH *:3 UID") == "4,5")
        #expect(await uids("FETCH 4:3 UID") == "4,5")
        #expect(await uids("UID FETCH 1:3 UID") == "1,3")
        #expect(await uids("UID FETCH 2 UID") == "")
        #expect(await uids("UID FETCH 77:* UID") == "5")
        #expect(await dialogue.fails("FETCH 9 UID").hasPrefix("BAD "))
    }

    @Test func anEmptyMailbox() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        #expect(await dialogue.ok("UID FETCH 1:* FLAGS").isEmpty)
        #expect(await dialogue.ok("SEARCH ALL") == ["* SEARCH"])
        #expect(await dialogue.ok("EXPUNGE").isEmpty)
    }

    @Test func largeAnswersComeInPieces() async throws {
        let mail = try IMAPTestMail()
        let body = String(repeating: "0123456789\n", count: 20_000)
        try mail.append("Subject: large\n\n" + body)
        try mail.fill(600)
        let dialogue = await IMAPDialogue.alice(mail)
        let lines = await dialogue.ok("FETCH 1:* (UID BODY.PEEK[TEXT])")
        #expect(lines.count { $0.contains(" FETCH (UID ") } == 601)
        #expect(lines.count { $0 == "0123456789" } == 20_000)
        #expect(lines.last == ")")
        #expect(await dialogue.ok("UID FETCH 1:* FLAGS").count == 601)
    }

    @Test func aHeaderThatDoesNotEndWithTheFirstRead() async throws {
        let mail = try IMAPTestMail()
        let fields = (1...2000).map { "X-Field-\($0): value \($0)\n" }.joined()
        try mail.append("Subject: long\n\(fields)Last: here\n\nbody\n")
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(
            await dialogue.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (LAST)]")
                == ["* 1 FETCH (BODY[HEADER.FIELDS (LAST)] {14}", "Last: here", "", ")"])
        #expect(await dialogue.ok("FETCH 1 BODY.PEEK[TEXT]") == ["* 1 FETCH (BODY[TEXT] {6}", "body", ")"])
    }
}
