import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

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
        #expect(await dialogue.ok("STORE 1 +FLAGS (onemore)").last?.hasSuffix(" k30 onemore))") == true)
        #expect(
            await dialogue.ok("SELECT INBOX").contains { $0.contains("PERMANENTFLAGS") && $0.contains("onemore \\*)") })
    }

    /// A keyword that no message has makes room, and no session takes the new one for the old one.
    @Test func keywordMakesRoom() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await IMAPDialogue.alice(mail)
        let other = await IMAPDialogue.alice(mail)
        let names = (0...30).map { "k\($0)" }.joined(separator: " ")
        await dialogue.ok("STORE 1 +FLAGS.SILENT (\(names))")
        #expect(await other.ok("NOOP").last == "* 1 FETCH (FLAGS (\(names)))")
        await dialogue.ok("STORE 1 -FLAGS.SILENT (k0)")
        let lines = await dialogue.ok("STORE 2 +FLAGS (new)")
        #expect(lines.last == #"* 2 FETCH (FLAGS (\Recent new))"#)
        let seen = await other.ok("NOOP")
        #expect(seen.contains { $0.hasPrefix("* FLAGS (") && $0.contains(" new") && !$0.contains(" k0 ") })
        #expect(seen.last == "* 2 FETCH (FLAGS (new))")
        #expect(await other.ok("SEARCH KEYWORD k0") == ["* SEARCH"])
        await dialogue.ok("STORE 1 FLAGS.SILENT ()")
        #expect(await other.ok("SELECT INBOX").contains { $0.contains("PERMANENTFLAGS") && $0.contains("\\*") })
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

    /// RFC 7162 section 3.1.3 with its examples 7, 8 and 11.
    @Test func conditionalStoreAtItsEdges() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(7)
        let dialogue = await IMAPDialogue.alice(mail)
        let before = try mail.mailbox().snapshot().highestModSeq
        func modSeq(_ uid: UInt32) throws -> ModSeq {
            try mail.mailbox().snapshot().messages.entry(of: UID(uid))?.modSeq ?? 0
        }

        // The first command that shows a client to follow mod-sequences returns the mailbox's HIGHESTMODSEQ.
        #expect(
            await dialogue.ok(#"STORE 1 (UNCHANGEDSINCE \#(before)) +FLAGS.SILENT \Flagged"#)
                == [
                    "* OK [HIGHESTMODSEQ \(before)] Highest mod-sequence",
                    "* 1 FETCH (UID 1 MODSEQ (\(try modSeq(1))))",
                ])
        // No message has mod-sequence 0, so each counts as changed.
        for command in ["STORE 2 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)", "STORE 2 (UNCHANGEDSINCE 0) FLAGS ()"] {
            let (lines, result) = await dialogue.command(command)
            #expect(result.hasPrefix("OK [MODIFIED 2]") && !lines.contains { $0.contains("FETCH") }, "\(lines)")
        }
        #expect(
            await dialogue.command("UID STORE 2:3 (UNCHANGEDSINCE 0) FLAGS ()").result.hasPrefix("OK [MODIFIED 2:3]"))
        #expect(await dialogue.fails("STORE 1 (UNCHANGEDSINCE -1) FLAGS ()").hasPrefix("BAD "))
        #expect(await dialogue.fails("STORE 1 (UNCHANGEDSINCE) FLAGS ()").hasPrefix("BAD "))

        // Some are gone, one has changed, the others are stored; a message named twice does not conflict with itself.
        _ = try mail.mailbox().changeFlags([UID(2)], .add(.answered))
        _ = try mail.mailbox().remove([UID(4), UID(5), UID(6), UID(7)])
        let since = try mail.mailbox().snapshot().messages.entry(of: UID(1))?.modSeq ?? 0
        let (lines, result) = await dialogue.command(#"STORE 1:7,3,1 (UNCHANGEDSINCE \#(since)) +FLAGS (\Seen)"#)
        #expect(result == "NO [MODIFIED 2] Some of the messages no longer exist")
        #expect(
            lines.prefix(3) == [
                #"* 2 FETCH (UID 2 FLAGS (\Answered \Recent) MODSEQ (\#(try modSeq(2))))"#,
                #"* 1 FETCH (UID 1 FLAGS (\Flagged \Seen \Recent) MODSEQ (\#(try modSeq(1))))"#,
                #"* 3 FETCH (UID 3 FLAGS (\Seen \Recent) MODSEQ (\#(try modSeq(3))))"#,
            ])
        #expect(await dialogue.ok("NOOP") == ["* 7 EXPUNGE", "* 6 EXPUNGE", "* 5 EXPUNGE", "* 4 EXPUNGE"])
        #expect(
            await dialogue.command(#"UID STORE 2,5 (UNCHANGEDSINCE \#(try modSeq(2))) +FLAGS (\Seen)"#).result
                == "OK STORE completed", "a UID that is not there is passed over")
    }

    /// Once it is on, by whatever command, unsolicited FETCH responses include UID and MODSEQ. RFC 7162 sections 3.1
    /// and 3.2.4.
    @Test(arguments: [
        "ENABLE CONDSTORE", "SELECT INBOX (CONDSTORE)", "STATUS Sent (HIGHESTMODSEQ)", "FETCH 2 MODSEQ",
        "FETCH 2 FLAGS (CHANGEDSINCE 1)", "SEARCH MODSEQ 1", #"SEARCH MODSEQ "/flags/\\draft" all 1"#,
        "STORE 2 (UNCHANGEDSINCE 9000000) -FLAGS.SILENT (x)", #"LIST "" Sent RETURN (STATUS (HIGHESTMODSEQ))"#,
    ]) func modSequencesAreReportedOnceTheyAreFollowed(command: String) async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        await IMAPDialogue.alice(mail).ok("NOOP")
        let dialogue = await IMAPDialogue.alice(mail)
        let highest = try mail.mailbox().snapshot().highestModSeq
        let lines = await dialogue.ok(command)
        #expect(lines.contains { $0.hasPrefix("* OK [HIGHESTMODSEQ \(highest)]") }, "\(lines)")
        func modSeq() throws -> ModSeq { try mail.mailbox().snapshot().messages[0].modSeq }
        _ = try mail.mailbox().changeFlags([UID(1)], .add(.flagged))
        #expect(await dialogue.ok("NOOP") == [#"* 1 FETCH (UID 1 FLAGS (\Flagged) MODSEQ (\#(try modSeq())))"#])
        #expect(
            await dialogue.ok("STORE 1 FLAGS (\\Draft)") == [
                #"* 1 FETCH (UID 1 FLAGS (\Draft) MODSEQ (\#(try modSeq())))"#
            ])
        #expect(
            await dialogue.ok("STORE 1 FLAGS.SILENT ()") == ["* 1 FETCH (UID 1 MODSEQ (\(try modSeq())))"])
        let read = await dialogue.ok("FETCH 1 BODY[TEXT]").joined()
        #expect(read.contains(#" UID 1 FLAGS (\Seen) MODSEQ (\#(try modSeq())))"#), "\(read)")
        #expect(!(await dialogue.ok("FETCH 1 FLAGS")[line: 0].contains("MODSEQ")), "it was not asked for")
        #expect(
            await dialogue.ok("FETCH 1 FLAGS (CHANGEDSINCE 1)")
                == [#"* 1 FETCH (FLAGS (\Seen) MODSEQ (\#(try modSeq())))"#])
    }
}
