import ShardFS
import Testing

@testable import MailServer

@Suite struct IMAPSessionStoreTests {
    @Test func operations() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(3)
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(
            await dialogue.ok(#"STORE 1 +FLAGS (\Seen \Flagged)"#) == [#"* 1 FETCH (FLAGS (\Flagged \Seen \Recent))"#])
        #expect(await dialogue.ok(#"STORE 1 -FLAGS \Flagged"#) == [#"* 1 FETCH (FLAGS (\Seen \Recent))"#])
        #expect(await dialogue.ok(#"UID STORE 2 FLAGS (\Draft)"#) == [#"* 2 FETCH (UID 2 FLAGS (\Draft \Recent))"#])
        #expect(await dialogue.ok(#"STORE 1:3 +FLAGS.SILENT \Answered"#).isEmpty)
        #expect(
            await dialogue.ok("FETCH 1:3 FLAGS") == [
                #"* 1 FETCH (FLAGS (\Answered \Seen \Recent))"#, #"* 2 FETCH (FLAGS (\Answered \Draft \Recent))"#,
                #"* 3 FETCH (FLAGS (\Answered \Recent))"#,
            ])
        #expect(await dialogue.ok("STORE 2 FLAGS ()") == [#"* 2 FETCH (FLAGS (\Recent))"#])
        #expect(await dialogue.ok("UID STORE 99 +FLAGS (\\Seen)").isEmpty)
        #expect(await dialogue.fails("STORE 1 +FLAGS (\\Nonsense)").hasPrefix("BAD "))
        #expect(await dialogue.fails("STORE 9 +FLAGS (\\Seen)").hasPrefix("BAD "))
    }

    @Test func keywords() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        let dialogue = await IMAPDialogue.alice(mail)
        let other = await IMAPDialogue.alice(mail)
        let lines = await dialogue.ok("STORE 1 +FLAGS ($Forwarded)")
        #expect(lines.first == #"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)"#)
        #expect(lines.last == #"* 1 FETCH (FLAGS (\Recent $Forwarded))"#)
        #expect(await dialogue.ok("SEARCH KEYWORD $forwarded") == ["* SEARCH 1"])
        #expect(await other.ok("NOOP").last == "* 1 FETCH (FLAGS ($Forwarded))")
        for number in 1...30 { await dialogue.ok("STORE 1 +FLAGS.SILENT (k\(number))") }
        #expect(await dialogue.fails("STORE 1 +FLAGS (onemore)").hasPrefix("NO [LIMIT]"))
        #expect(await dialogue.ok("SELECT INBOX").contains { $0.contains("PERMANENTFLAGS") && !$0.contains("\\*") })
    }

    @Test func expunge() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(5)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok(#"STORE 2,4:5 +FLAGS.SILENT \Deleted"#)
        #expect(await dialogue.ok("UID EXPUNGE 1:2") == ["* 2 EXPUNGE"])
        #expect(await dialogue.ok("EXPUNGE") == ["* 4 EXPUNGE", "* 3 EXPUNGE"])
        #expect(await dialogue.ok("FETCH 1:* UID") == ["* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)"])
    }

    @Test func conditionalStore() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(3)
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        #expect(await dialogue.ok("ENABLE CONDSTORE X-NONE") == ["* ENABLED CONDSTORE"])
        await dialogue.ok("SELECT INBOX")
        let before = try mail.mailbox().snapshot().highestModSeq
        let stored = await dialogue.ok(#"STORE 2 +FLAGS \Seen"#)
        let modSeq = try mail.mailbox().snapshot().messages[1].modSeq
        #expect(stored == [#"* 2 FETCH (UID 2 FLAGS (\Seen \Recent) MODSEQ (\#(modSeq)))"#])
        let (lines, result) = await dialogue.command(#"STORE 1:3 (UNCHANGEDSINCE \#(before)) +FLAGS.SILENT \Flagged"#)
        #expect(result.hasPrefix("OK [MODIFIED 2]"))
        #expect(lines.count == 2 && lines.allSatisfy { $0.contains("MODSEQ") && !$0.contains("FLAGS") })
        #expect(await dialogue.ok("FETCH 1:* (UID) (CHANGEDSINCE \(modSeq))").count == 2)
        #expect(await dialogue.ok("SEARCH MODSEQ \(modSeq + 1)")[line: 0].hasPrefix("* SEARCH 1 3 (MODSEQ "))
        let highest = try mail.mailbox().snapshot().highestModSeq
        #expect(await dialogue.ok("STATUS INBOX (HIGHESTMODSEQ)") == ["* STATUS INBOX (HIGHESTMODSEQ \(highest))"])
    }
}
