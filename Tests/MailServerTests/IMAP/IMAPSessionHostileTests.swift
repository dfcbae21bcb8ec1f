import ShardFS
import TestSupport
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

@Suite struct IMAPSessionHostileTests {
    @Test(arguments: [
        "x NONSENSE", "x", "", "x FETCH", "x FETCH 0 FLAGS", "x FETCH 1 (((((((", "x STORE 1 FLAGS", "x UID",
        "x UID NOPE 1",
        "x STATUS \"a\u{0}b\" (MESSAGES)", "x STATUS &bad (MESSAGES)", "* NOOP", "x LIST \"\"", "x SEARCH",
        "x SEARCH FROM", "x FETCH 1 BODY[",
        "x FETCH 99999999999 FLAGS", "x COPY 1", "x NOOP extra", "\u{1}\u{2}\u{3}",
        "x STATUS " + String(repeating: "a/", count: 4000) + "a (MESSAGES)",
        "x SEARCH " + String(repeating: "(", count: 5000), "x SEARCH " + String(repeating: "NOT ", count: 5000) + "ALL",
        "x FETCH 1:* " + String(repeating: "(", count: 5000), "x " + String(repeating: "y", count: 100_000),
        "x FETCH 1 BODY[1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1]", "x SORT (DATE) UTF-8 ALL", "x NOTIFY NONE",
        "x FETCH 4294967295 FLAGS", "x UID FETCH 4294967295:* FLAGS", "x COMPRESS DEFLATE", "x STARTTLS", "DONE",
        "x CREATE " + String(repeating: "a", count: 2000), "x CREATE \"/\"", "x CREATE \"\"", "x RENAME INBOX \"a//b\"",
        "x UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)", "x FETCH 1 BINARY[1]", "x SEARCH RETURN (PARTIAL 1:2) ALL",
    ]) func linesThatAreRefused(line: String) async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        let dialogue = await IMAPDialogue.alice(mail)
        _ = await dialogue.send(line + "\r\n")
        #expect(!dialogue.isClosed)
        #expect(await dialogue.ok("FETCH 1 UID") == ["* 1 FETCH (UID 1)"], "the session goes on")
    }

    @Test func tooManyBadCommandsEndTheConnection() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail())
        _ = dialogue.take()
        var lines: [String] = []
        for _ in 1...20 { lines = await dialogue.send("x NONSENSE\r\n") }
        #expect(lines.last?.hasPrefix("* BYE") == true && dialogue.isClosed)
    }

    @Test func everyCommandInEveryState() async throws {
        let commands = [
            "CAPABILITY", "NOOP", "ID NIL", "CHECK", "CLOSE", "UNSELECT", "EXPUNGE", "UID EXPUNGE 1:*", "SEARCH ALL",
            "FETCH 1:* ALL", "STORE 1:* +FLAGS (\\Seen)", "COPY 1:* Sent", "MOVE 1:* Sent", "LIST \"\" *",
            "LSUB \"\" *",
            "STATUS INBOX (MESSAGES)", "CREATE x", "DELETE x", "RENAME y z", "SUBSCRIBE x", "UNSUBSCRIBE x",
            "NAMESPACE",
            "GETQUOTAROOT INBOX", "ENABLE CONDSTORE", "SELECT INBOX", "EXAMINE INBOX", "COMPRESS DEFLATE", "STARTTLS",
            "AUTHENTICATE NONE", "SETQUOTA \"\" (STORAGE 5)", "GETMETADATA \"\" /shared/comment", "NOTIFY NONE",
        ]
        let mail = try IMAPTestMail()
        try mail.fill(2)
        for command in commands {
            let fresh = await IMAPDialogue(mail)
            _ = fresh.take()
            for dialogue in [fresh, await IMAPDialogue.alice(mail, select: nil), await IMAPDialogue.alice(mail)] {
                let (_, result) = await dialogue.command(command)
                #expect(
                    result.hasPrefix("OK ") || result.hasPrefix("NO ") || result.hasPrefix("BAD "),
                    "\(command): \(result)")
                await dialogue.ok("NOOP")
            }
        }
    }

    @Test func bytesAtRandom() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let words = [
            "a ", "b ", "FETCH ", "UID ", "1:*", "(", ")", "BODY[", "]", "<0.5>", "\r\n", "{3+}\r\n", "{3}\r\n", "\"",
            "\\",
            "SEARCH ", "IDLE", "DONE", "APPEND INBOX ", "STORE ", "FLAGS ", "SELECT INBOX", "LIST ", "*", "%",
            "ENVELOPE", "x",
            "STARTTLS", "NOOP", "OR ", "NOT ", "$", "HEADER.FIELDS ", "COPY ", "Sent", "CLOSE", "EXPUNGE", "NIL", " ",
            "é",
        ]
        var random = SeededGenerator(seed: 7)
        for _ in 0..<60 {
            let dialogue = await IMAPDialogue.alice(mail)
            for _ in 0..<40 { await dialogue.send(random.pick(words)) }
        }
        let sane = await IMAPDialogue.alice(mail)
        await sane.ok("NOOP")
    }
}
