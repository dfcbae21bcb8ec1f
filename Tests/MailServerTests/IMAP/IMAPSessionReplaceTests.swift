import IMAPCodec
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// REPLACE and UID REPLACE (RFC 8508).
@Suite struct IMAPSessionReplaceTests {
    /// The order of the RFC's example: the code, EXISTS, EXPUNGE, the completion.
    @Test func withinAMailbox() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(4)
        let dialogue = await IMAPDialogue.alice(mail)
        let validity = try mail.mailbox().snapshot().uidValidity
        #expect(await dialogue.send("A003 REPLACE 4 INBOX (\\Seen \\Draft $MDNSent) {5}\r\n") == ["+ OK"])
        let lines = await dialogue.send("hello\r\n")
        #expect(
            lines.filter { !$0.contains("FLAGS") } == [
                "* OK [APPENDUID \(validity) 5] Replacement message ready", "* 5 EXISTS", "* 5 RECENT", "* 4 EXPUNGE",
                "A003 OK REPLACE completed",
            ], "\(lines)")
        #expect(await dialogue.ok("UID FETCH 1:* BODY.PEEK[]").last == "hello)")
        #expect(await dialogue.ok("UID SEARCH ALL") == ["* SEARCH 1 2 3 5"])
        #expect(await dialogue.ok("SEARCH DRAFT SEEN KEYWORD $MDNSent") == ["* SEARCH 4"])
    }

    @Test func byUIDIntoAnotherMailbox() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(3)
        let dialogue = await IMAPDialogue.alice(mail)
        let validity = try mail.mailbox("Sent").snapshot().uidValidity
        await dialogue.ok(#"STORE 3 +FLAGS.SILENT \Deleted"#)
        let (lines, result) = await dialogue.command("UID REPLACE 2 Sent {5+}\r\nhello")
        #expect(lines == ["* OK [APPENDUID \(validity) 1] Replacement message ready", "* 2 EXPUNGE"])
        #expect(result == "OK REPLACE completed")
        // Other marked messages stay.
        #expect(await dialogue.ok("UID SEARCH ALL") == ["* SEARCH 1 3"])
        #expect(await dialogue.ok("STATUS Sent (MESSAGES)") == ["* STATUS Sent (MESSAGES 1)"])
        #expect(await dialogue.command("UID REPLACE * Sent {5+}\r\nhello").result == "OK REPLACE completed")
        #expect(await dialogue.ok("UID SEARCH ALL") == ["* SEARCH 1"])
    }

    @Test func refusals() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await IMAPDialogue.alice(mail)
        // Refused before the literal.
        #expect(await dialogue.send("a REPLACE 3 INBOX {5}\r\n")[line: 0].hasPrefix("a BAD "))
        #expect(await dialogue.send("b UID REPLACE 7 INBOX {5}\r\n")[line: 0].hasPrefix("b NO [NONEXISTENT] "))
        #expect(await dialogue.send("c REPLACE 1 nowhere {5}\r\n")[line: 0].hasPrefix("c NO [TRYCREATE] "))
        #expect(await dialogue.send("d REPLACE 1 INBOX (\\Wrong) {5}\r\n")[line: 0].hasPrefix("d BAD "))
        #expect(await dialogue.fails("REPLACE 1 INBOX {5+}\r\nhello {5+}\r\nhello").hasPrefix("BAD "))
        #expect(await dialogue.fails("REPLACE 1 INBOX {0+}\r\n").hasPrefix("NO "))
        #expect(await dialogue.fails("REPLACE 1 INBOX {3+}\r\na\0b").hasPrefix("BAD "))
        await dialogue.ok("EXAMINE INBOX")
        #expect(await dialogue.fails("REPLACE 1 INBOX {5+}\r\nhello").hasPrefix("NO [READ-ONLY] "))
        await dialogue.ok("UNSELECT")
        #expect(await dialogue.fails("REPLACE 1 INBOX {5+}\r\nhello").hasPrefix("BAD "))
        #expect(try mail.mailbox().snapshot().messages.count == 2)
    }

    /// The old message is expunged between the command's line and its end: nothing is added.
    @Test func theOldOneIsGone() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(await dialogue.send("a REPLACE 1 INBOX {5}\r\n") == ["+ OK"])
        _ = try mail.mailbox().remove([UID(1)])
        #expect(await dialogue.send("hello\r\n").last?.hasPrefix("a NO [EXPUNGEISSUED] ") == true)
        #expect(try mail.mailbox().snapshot().messages.entry(of: UID(1)) == nil)
        #expect(try mail.mailbox().snapshot().messages.count == 1)
        // The client may still use its number until the expunge is reported.
        #expect(await dialogue.fails("REPLACE 1 INBOX {5+}\r\nhello").hasPrefix("NO [EXPUNGEISSUED] "))
    }

    @Test func overQuota() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        try mail.limitAlice(toMiB: 1)
        let dialogue = await IMAPDialogue.alice(mail)
        let text = String(repeating: "x", count: 1_100_000)
        #expect(await dialogue.fails("REPLACE 1 INBOX {1100000+}\r\n\(text)").hasPrefix("NO [OVERQUOTA] "))
        #expect(await dialogue.ok("UID SEARCH ALL") == ["* SEARCH 1"])
    }
}
