import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

@Suite struct IMAPSessionAppendTests {
    @Test func append() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        let validity = try mail.mailbox().snapshot().uidValidity
        #expect(await dialogue.send("a APPEND INBOX (\\Seen $Note) \"14-Nov-2023 22:13:20 +0000\" {5}\r\n") == ["+ OK"])
        #expect(await dialogue.send("he").isEmpty)
        let lines = await dialogue.send("llo\r\n")
        #expect(
            lines.contains("* 1 EXISTS") && lines.last == "a OK [APPENDUID \(validity) 1] APPEND completed", "\(lines)")
        #expect(
            await dialogue.ok("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])") == [
                #"* 1 FETCH (FLAGS (\Seen \Recent $Note) INTERNALDATE "14-Nov-2023 22:13:20 +0000" BODY[] {5}"#,
                "hello)",
            ])
        let (_, plus) = await dialogue.command("APPEND Sent {3+}\r\nabc")
        #expect(plus.hasPrefix("OK [APPENDUID "))
        #expect(await dialogue.ok("STATUS Sent (MESSAGES)") == ["* STATUS Sent (MESSAGES 1)"])
    }

    @Test func severalMessages() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        let (lines, result) = await dialogue.command("APPEND INBOX {3+}\r\none (\\Flagged) {3+}\r\ntwo {5+}\r\nthree")
        #expect(lines.contains("* 3 EXISTS") && result.contains(" 1:3] "))
        #expect(await dialogue.ok("FETCH 2 (FLAGS BODY.PEEK[])").first?.contains("\\Flagged") == true)
        // No message is stored if one of them is refused.
        #expect(await dialogue.fails("APPEND INBOX {3+}\r\none (").hasPrefix("BAD "))
        #expect(await dialogue.fails("APPEND INBOX {3+}\r\none {0+}\r\n").hasPrefix("NO "))
        #expect(try mail.mailbox().snapshot().messages.count == 3)
    }

    @Test func refusals() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue(mail) { $0.maxLiteralSize = 1000 }
        _ = dialogue.take()
        await dialogue.ok("LOGIN alice@example.com \(IMAPTestMail.password)")
        // Refused before the literal, which a synchronising client then does not send.
        #expect(await dialogue.send("a APPEND nowhere {5}\r\n")[line: 0].hasPrefix("a NO [TRYCREATE]"))
        #expect(await dialogue.fails("APPEND nowhere {5+}\r\nhello").hasPrefix("NO [TRYCREATE]"))
        #expect(await dialogue.send("b APPEND INBOX {1001}\r\n")[line: 0].hasPrefix("b NO [TOOBIG]"))
        #expect(await dialogue.ok("STATUS INBOX (MESSAGES)") == ["* STATUS INBOX (MESSAGES 0)"])
    }

    @Test(arguments: [
        ("01-Jan-1970 00:00:00 +0100", "31-Dec-1969 23:00:00 +0000", "31-Dec-1969", "1-Jan-1970"),
        ("05-Jul-1952 12:34:56 +0000", " 5-Jul-1952 12:34:56 +0000", "5-Jul-1952", "6-Jul-1952"),
        (" 7-Feb-2106 06:28:15 +0000", " 7-Feb-2106 06:28:15 +0000", "7-Feb-2106", "8-Feb-2106"),
        ("01-Jan-2200 23:59:59 +0000", " 1-Jan-2200 23:59:59 +0000", "1-Jan-2200", "2-Jan-2200"),
        ("31-Dec-2400 01:02:03 +0000", "31-Dec-2400 01:02:03 +0000", "31-Dec-2400", "1-Jan-2401"),
    ]) func datesFarAway(date: String, kept: String, day: String, dayAfter: String) async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("APPEND INBOX \"\(date)\" {5+}\r\nhello")
        await dialogue.ok("COPY 1 Sent")
        await dialogue.ok("APPEND INBOX {5+}\r\nhello")
        for _ in 1...2 {
            #expect(await dialogue.ok("FETCH 1 INTERNALDATE") == ["* 1 FETCH (INTERNALDATE \"\(kept)\")"])
            #expect(await dialogue.ok("SEARCH SINCE \(day) BEFORE \(dayAfter)") == ["* SEARCH 1"])
            #expect(await dialogue.ok("SEARCH ON \(day)") == ["* SEARCH 1"])
            #expect(await dialogue.ok("SEARCH BEFORE \(day)") == [kept.contains("-19") ? "* SEARCH" : "* SEARCH 2"])
        }
        await dialogue.ok("MOVE 1 Trash")
        for other in ["Sent", "Trash"] {
            await dialogue.ok("SELECT \(other)")
            #expect(await dialogue.ok("FETCH 1 INTERNALDATE") == ["* 1 FETCH (INTERNALDATE \"\(kept)\")"])
        }
    }

    /// One octet over the limit is refused at once, whether the client waits or not; the connection continues.
    @Test func tooBig() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue(mail) { $0.maxLiteralSize = 1000 }
        _ = dialogue.take()
        await dialogue.ok("LOGIN alice@example.com \(IMAPTestMail.password)")
        #expect(await dialogue.ok("CAPABILITY").first?.contains(" APPENDLIMIT=1000 ") == true)
        #expect(await dialogue.ok("STATUS INBOX (APPENDLIMIT)") == ["* STATUS INBOX (APPENDLIMIT 1000)"])
        #expect(await dialogue.send("a APPEND INBOX {1001+}\r\n")[line: 0].hasPrefix("a NO [TOOBIG]"))
        #expect(await dialogue.send(String(repeating: "x", count: 1001) + "\r\n").isEmpty)
        await dialogue.ok("NOOP")
        let (fits, tooBig) = (String(repeating: "y", count: 1000), String(repeating: "y", count: 1001))
        #expect(
            await dialogue.fails("APPEND INBOX {1000+}\r\n\(fits) {1001+}\r\n\(tooBig)").hasPrefix("NO [TOOBIG]"))
        await dialogue.ok("APPEND INBOX ~{1000+}\r\n\(fits)")
        #expect(await dialogue.ok("STATUS INBOX (MESSAGES)") == ["* STATUS INBOX (MESSAGES 1)"])
    }

    @Test(arguments: [#"(\Recent)"#, #"(\Seen \Wrong)"#, #"(\*)"#]) func flagsThatNobodyStores(flags: String)
        async throws
    {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        #expect(await dialogue.send("a APPEND INBOX \(flags) {5}\r\n")[line: 0].hasPrefix("a BAD "))
        #expect(await dialogue.fails("APPEND INBOX \(flags) {5+}\r\nhello").hasPrefix("BAD "))
        #expect(await dialogue.ok("STATUS INBOX (MESSAGES)") == ["* STATUS INBOX (MESSAGES 0)"])
    }

    @Test func contentWithNUL() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(await dialogue.fails("APPEND INBOX {5+}\r\na\0b\0c").hasPrefix("BAD "))
        #expect(await dialogue.fails("APPEND INBOX ~{5+}\r\na\0b\0c").hasPrefix("NO [UNKNOWN-CTE] "))
        // None of several is stored; a client that waits gets the refusal before it sends the next one.
        #expect(await dialogue.fails("APPEND INBOX {2+}\r\nok {1+}\r\n\0 {2+}\r\nok").hasPrefix("BAD "))
        #expect(await dialogue.send("a APPEND INBOX {1+}\r\n\0 {2}\r\n")[line: 0].hasPrefix("a BAD "))
        #expect(try mail.mailbox().snapshot().messages.count == 0)
        let (lines, result) = await dialogue.command("APPEND INBOX ~{6+}\r\n\r\nbody")
        #expect(lines.contains("* 1 EXISTS") && result.contains("[APPENDUID "))
        #expect(await dialogue.ok("FETCH 1 BODY.PEEK[TEXT]") == ["* 1 FETCH (BODY[TEXT] {4}", "body)"])
    }

    @Test func utf8NeedsToBeEnabled() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        #expect(await dialogue.send("a APPEND INBOX UTF8 (~{5}\r\n")[line: 0].hasPrefix("a BAD "))
        await dialogue.ok("ENABLE UTF8=ACCEPT")
        let text = "Subject: Grüße\r\n\r\n"
        let (lines, result) = await dialogue.command(
            "APPEND INBOX (\\Seen) UTF8 (~{\(text.utf8.count)+}\r\n\(text)) UTF8 (~{4+}\r\n\r\nhi)")
        #expect(lines.contains("* 2 EXISTS") && result.contains(" 1:2] "), "\(lines) \(result)")
        #expect(await dialogue.ok("FETCH 1 ENVELOPE")[line: 0].contains(#"(NIL "Grüße" NIL"#))
        #expect(await dialogue.fails("APPEND INBOX UTF8 (~{4+}\r\n\r\nhi").hasPrefix("BAD "))
    }

    @Test func overQuotaWithTheSecond() async throws {
        let mail = try IMAPTestMail()
        try mail.limitAlice(toMiB: 1)
        let dialogue = await IMAPDialogue.alice(mail)
        let text = String(repeating: "x", count: 600_000)
        #expect(await dialogue.send("a APPEND INBOX {600000}\r\n") == ["+ OK"])
        #expect(await dialogue.send("\(text) {600000}\r\n")[line: 0].hasPrefix("a NO [OVERQUOTA]"))
        #expect(
            await dialogue.fails("APPEND INBOX {600000+}\r\n\(text) {600000+}\r\n\(text)").hasPrefix("NO [OVERQUOTA]"))
        #expect(try mail.mailbox().snapshot().messages.count == 0)
        #expect(try mail.account().quota().bytes == 0)
        await dialogue.ok("APPEND INBOX {600000+}\r\n\(text) {5+}\r\nhello")
    }

    /// Connections of one account may not receive more together than it has room for.
    @Test func overQuotaWithWhatOthersAreSending() async throws {
        let mail = try IMAPTestMail()
        try mail.limitAlice(toMiB: 1)
        let (first, second) = (await IMAPDialogue.alice(mail), await IMAPDialogue.alice(mail))
        #expect(await first.send("a APPEND INBOX {700000}\r\n")[line: 0].hasPrefix("+ "))
        #expect(await first.send(String(repeating: "x", count: 1_000)) == [])
        let text = String(repeating: "x", count: 600_000)
        #expect(await second.send("b APPEND INBOX {600000}\r\n")[line: 0].hasPrefix("b NO [OVERQUOTA]"))
        // One that is sent at once is skipped, and the connection stays in step.
        #expect(await second.fails("APPEND INBOX {600000+}\r\n\(text)").hasPrefix("NO [OVERQUOTA]"))
        await second.ok("NOOP")
        await second.ok("APPEND INBOX {100+}\r\n\(String(repeating: "x", count: 100))")
        #expect(await first.send(String(repeating: "x", count: 699_000) + "\r\n")[line: 0].hasPrefix("* "))
        #expect(await second.fails("APPEND INBOX {600000+}\r\n\(text)").hasPrefix("NO [OVERQUOTA]"))
        await second.ok("NOOP")
        await second.ok("STORE 1:* +FLAGS (\\Deleted)")
        await second.ok("EXPUNGE")
        await second.ok("APPEND INBOX {600000+}\r\n\(text)")
    }

    @Test func overQuota() async throws {
        let mail = try IMAPTestMail()
        try mail.limitAlice(toMiB: 1)
        let dialogue = await IMAPDialogue.alice(mail)
        let text = String(repeating: "x", count: 600_000)
        await dialogue.ok("APPEND INBOX {600000+}\r\n\(text)")
        #expect(await dialogue.fails("APPEND INBOX {600000+}\r\n\(text)").hasPrefix("NO [OVERQUOTA]"))
        #expect(await dialogue.fails("COPY 1 Sent").hasPrefix("NO [OVERQUOTA]"))
        #expect(await dialogue.ok("GETQUOTA \"\"") == [#"* QUOTA "" (STORAGE 586 1024)"#])
    }

    @Test func copyAndMove() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(4)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok(#"STORE 2 +FLAGS.SILENT (\Flagged work)"#)
        let sent = try mail.mailbox("Sent").snapshot().uidValidity
        #expect(await dialogue.command("COPY 2:3 Sent").result == "OK [COPYUID \(sent) 2:3 1:2] COPY completed")
        #expect(await dialogue.command("UID COPY 77 Sent").result == "OK COPY completed")
        #expect(await dialogue.fails("COPY 1 nowhere").hasPrefix("NO [TRYCREATE]"))
        let (lines, result) = await dialogue.command("MOVE 1,3 Sent")
        #expect(
            lines == ["* OK [COPYUID \(sent) 1,3 3:4] Moved", "* 3 EXPUNGE", "* 1 EXPUNGE"]
                && result == "OK MOVE completed")
        #expect(await dialogue.ok("UID MOVE 4 Trash").last == "* 2 EXPUNGE")
        await dialogue.ok("SELECT Sent")
        #expect(await dialogue.ok("FETCH 1:* (UID FLAGS)").map { $0.contains("work") } == [true, false, false, false])
        let inbox = try mail.mailbox().snapshot().uidValidity
        await dialogue.ok("SELECT INBOX")
        // Into the same mailbox: a new UID.
        #expect(await dialogue.command("COPY 1 INBOX").result == "OK [COPYUID \(inbox) 2 5] COPY completed")
    }
}
