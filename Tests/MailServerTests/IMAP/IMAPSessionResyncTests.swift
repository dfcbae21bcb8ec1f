import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Quick resynchronisation. RFC 7162 section 3.2.
@Suite struct IMAPSessionResyncTests {
    /// A session with QRESYNC enabled, by default with INBOX selected.
    private static func resyncing(_ mail: IMAPTestMail, select: Bool = true) async -> IMAPDialogue {
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        #expect(await dialogue.ok("ENABLE QRESYNC") == ["* ENABLED QRESYNC"])
        if select { await dialogue.ok("SELECT INBOX") }
        return dialogue
    }

    private static func expunge(_ uids: [UInt32], in mail: IMAPTestMail, _ name: String = "INBOX") throws {
        _ = try mail.mailbox(name).remove(uids.map { UID($0) })
    }

    private static func standing(_ mail: IMAPTestMail) throws -> (validity: UInt32, modSeq: ModSeq) {
        let snapshot = try mail.mailbox().snapshot()
        return (snapshot.uidValidity, snapshot.highestModSeq)
    }

    @Test func enable() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        #expect(await dialogue.ok("CAPABILITY")[line: 0].contains(" QRESYNC"))
        // Commands that need it are refused, and the mailbox stays selected.
        #expect(await dialogue.fails("SELECT Sent (QRESYNC (1 1))").hasPrefix("BAD "))
        #expect(await dialogue.fails("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)").hasPrefix("BAD "))
        await dialogue.ok("CHECK")
        let lines = await dialogue.ok("ENABLE CONDSTORE QRESYNC X-OTHER")
        #expect(lines[line: 0] == "* ENABLED CONDSTORE QRESYNC" && lines.count == 2)
        #expect(lines[line: 1].hasPrefix("* OK [HIGHESTMODSEQ "), "it follows mod-sequences from here")
        #expect(await dialogue.ok("ENABLE NOTHING") == ["* ENABLED"])
    }

    @Test func vanishedStandsForExpunge() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(12)
        let dialogue = await Self.resyncing(mail)
        await dialogue.ok(#"STORE 2,4:5 +FLAGS.SILENT \Deleted"#)
        var answer = await dialogue.command("EXPUNGE")
        #expect(answer.lines == ["* VANISHED 2,4:5"])
        #expect(answer.result == "OK [HIGHESTMODSEQ \(try Self.standing(mail).modSeq)] EXPUNGE completed")
        #expect(await dialogue.ok("FETCH 2:3 UID") == ["* 2 FETCH (UID 3)", "* 3 FETCH (UID 6)"])

        answer = await dialogue.command("EXPUNGE")
        #expect(answer.lines.isEmpty && answer.result == "OK EXPUNGE completed", "nothing went")

        await dialogue.ok(#"UID STORE 6:7 +FLAGS.SILENT \Deleted"#)
        answer = await dialogue.command("UID EXPUNGE 7:9")
        #expect(answer.lines == ["* VANISHED 7"])
        #expect(answer.result == "OK [HIGHESTMODSEQ \(try Self.standing(mail).modSeq)] EXPUNGE completed")

        // RFC 6851 sections 4.3 and 4.4.
        let validity = try mail.mailbox("Trash").snapshot().uidValidity
        answer = await dialogue.command("UID MOVE 8:9 Trash")
        #expect(answer.lines == ["* OK [COPYUID \(validity) 8:9 1:2] Moved", "* VANISHED 8:9"])
        #expect(answer.result == "OK [HIGHESTMODSEQ \(try Self.standing(mail).modSeq)] MOVE completed")

        // Expunges by others are reported with a command, and at any time during IDLE.
        try Self.expunge([10], in: mail)
        #expect(await dialogue.ok("NOOP") == ["* VANISHED 10"])
        _ = await dialogue.send("i IDLE\r\n")
        try Self.expunge([11], in: mail)
        #expect(try await dialogue.wake() == ["* VANISHED 11"])
        await dialogue.send("DONE\r\n")

        // The client would not learn which messages CLOSE expunged (RFC 7162 section 3.2.8).
        answer = await dialogue.command("CLOSE")
        #expect(answer.lines.isEmpty && answer.result == "OK CLOSE completed")
    }

    /// A message that came and went between two updates was never reported to the client (RFC 7162 section 3.2.10.2).
    @Test func whatWasNeverToldDoesNotVanish() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await Self.resyncing(mail)
        let uid = try mail.append("Subject: x\n\ny\n")
        try Self.expunge([2, uid], in: mail)
        #expect(await dialogue.ok("NOOP") == ["* VANISHED 2"])
    }

    @Test func selectTellsWhatWasMissed() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(10)
        let (validity, modSeq) = try Self.standing(mail)
        _ = try mail.mailbox().changeFlags([UID(3), UID(5)], .add(.seen))
        try Self.expunge([2, 7, 8], in: mail)
        try mail.append("Subject: new\n\nx\n")
        let modSeqs = try mail.mailbox().snapshot().messages
        func fetched(_ number: Int, _ uid: UInt32, _ flags: String) -> String {
            let modSeq = modSeqs.entry(of: UID(uid))?.modSeq ?? 0
            return "* \(number) FETCH (UID \(uid) FLAGS (\(flags)) MODSEQ (\(modSeq)))"
        }
        let dialogue = await Self.resyncing(mail)

        var answer = await dialogue.command("SELECT INBOX (QRESYNC (\(validity) \(modSeq)))")
        #expect(answer.lines[line: 0].hasPrefix("* OK [CLOSED]"))
        #expect(answer.lines.contains("* 8 EXISTS") && answer.result.hasPrefix("OK [READ-WRITE]"))
        #expect(
            answer.lines.suffix(4) == [
                "* VANISHED (EARLIER) 2,7:8", fetched(2, 3, "\\Seen"), fetched(4, 5, "\\Seen"), fetched(8, 11, ""),
            ])

        answer = await dialogue.command("EXAMINE INBOX (QRESYNC (\(validity) \(modSeq) 1:4))")
        #expect(answer.lines.suffix(2) == ["* VANISHED (EARLIER) 2", fetched(2, 3, "\\Seen")])

        // Nothing has happened since; and a UIDVALIDITY that does not match.
        let now = try Self.standing(mail).modSeq
        for parameters in ["\(validity) \(now)", "\(validity - 1) \(modSeq)", "\(validity - 1) \(modSeq) 1:99"] {
            answer = await dialogue.command("SELECT INBOX (QRESYNC (\(parameters)))")
            #expect(!answer.lines.contains { $0.contains("VANISHED") || $0.contains("FETCH") }, "\(parameters)")
            #expect(answer.lines.contains { $0.hasPrefix("* OK [HIGHESTMODSEQ \(now)]") })
        }
    }

    @Test func anEmptyMailboxThatNeverHeldAnything() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await Self.resyncing(mail)
        let (validity, _) = try Self.standing(mail)
        let lines = await dialogue.ok("SELECT INBOX (QRESYNC (\(validity) 1 1:100 (1:2 1:2)))")
        #expect(!lines.contains { $0.contains("VANISHED") || $0.contains("FETCH") })
    }

    /// The server does not remember: only UIDs divisible by three exist. RFC 7162 section 3.2.5.2.
    @Test func sequenceMatchData() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(31)
        try Self.expunge((1...31).filter { $0 % 3 != 0 }, in: mail)
        let view = SelectedMailbox(
            mailbox: try mail.mailbox(), isReadOnly: true, snapshot: try mail.mailbox().snapshot(), recentFrom: .max,
            summaries: nil)
        func all(_ ranges: ClosedRange<UInt32>...) -> [ClosedRange<UInt32>] { view.vanished(nil, in: ranges) }
        #expect(all(1...8) == [1...2, 4...5, 7...8])
        #expect(all(2...3, 5...7, 9...9) == [2...2, 5...5, 7...7])
        #expect(all(28...UInt32.max) == [28...29, 31...31], "no UID above has been given out")
        #expect(all(32...99).isEmpty)

        func match(_ numbers: [ClosedRange<UInt32>], _ uids: [ClosedRange<UInt32>]) -> UInt32? {
            SelectedMailbox.MatchData(numbers: numbers, uids: uids).map { view.highestMatch($0) }
        }
        #expect(match([5...5, 8...9], [15...15, 24...24, 27...27]) == 27)
        #expect(match([4...4, 6...6], [12...12, 24...24]) == 12, "the second pair does not fit")
        #expect(match([1...1], [1...1]) == 0)
        #expect(match([1...1, 99...100], [3...3, 300...301]) == 3)
        #expect(match([1...UInt32.max], [1...UInt32.max]) == 0)
        #expect(match([1...2], [3...3]) == nil)

        // Here the log does remember; UIDs that the client demonstrably knows are left out all the same.
        let (validity, _) = try Self.standing(mail)
        let dialogue = await Self.resyncing(mail)
        let lines = await dialogue.ok("SELECT INBOX (QRESYNC (\(validity) 1 1:29 (5,8:9 15,24,27)))")
        #expect(lines.filter { $0.contains("VANISHED") } == ["* VANISHED (EARLIER) 28:29"])
    }

    @Test(arguments: [
        "SELECT INBOX (QRESYNC (0 1))", "SELECT INBOX (QRESYNC (1 0))", "SELECT INBOX (QRESYNC (1))",
        "SELECT INBOX (QRESYNC (1 1 0:5))", "SELECT INBOX (QRESYNC (1 1 0))", "SELECT INBOX (QRESYNC (1 1 *))",
        "SELECT INBOX (QRESYNC (1 1 1:*))", "SELECT INBOX (QRESYNC (1 1 $))",
        "SELECT INBOX (QRESYNC (1 1 1:5 (1,2 3)))", "SELECT INBOX (QRESYNC (1 1 1:5 (2,1 3,4)))",
        "SELECT INBOX (QRESYNC (1 1 1:5 (1,2 4,3)))", "SELECT INBOX (QRESYNC (1 1 1:5 (1:2)))",
        "SELECT INBOX (QRESYNC (1 1 1:5 (0 1)))", "SELECT INBOX (QRESYNC (1 1 1:5 (* 1)))",
        "SELECT INBOX (QRESYNC (4294967296 1))", "SELECT INBOX (QRESYNC (1 9223372036854775808))",
        "SELECT INBOX (QRESYNC)", "SELECT INBOX (QRESYNC ())", "SELECT INBOX (NONSENSE)",
        "FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)", "UID FETCH 1:* (FLAGS) (VANISHED)",
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0 VANISHED)", "UID FETCH 0:5 (FLAGS) (CHANGEDSINCE 1 VANISHED)",
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE VANISHED)",
    ]) func whatCannotBeAsked(command: String) async throws {
        let dialogue = await Self.resyncing(try IMAPTestMail())
        #expect(await dialogue.fails(command).hasPrefix("BAD "))
        await dialogue.ok("CHECK")
    }

    @Test func fetchTellsWhatVanished() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(8)
        let modSeq = try Self.standing(mail).modSeq
        _ = try mail.mailbox().changeFlags([UID(4)], .add(.flagged))
        try Self.expunge([2, 3, 7, 8], in: mail)
        let dialogue = await Self.resyncing(mail)
        let changed = try mail.mailbox().snapshot().messages.entry(of: UID(4))?.modSeq ?? 0
        let flags = "* 2 FETCH (UID 4 FLAGS (\\Flagged \\Recent) MODSEQ (\(changed)))"
        // The last message is gone: `*` still reaches it.
        #expect(
            await dialogue.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE \(modSeq) VANISHED)")
                == ["* VANISHED (EARLIER) 2:3,7:8", flags])
        #expect(
            await dialogue.ok("UID FETCH 3:5 (FLAGS) (CHANGEDSINCE \(modSeq) VANISHED)")
                == ["* VANISHED (EARLIER) 3", flags])
        #expect(await dialogue.ok("UID FETCH 3:5 (FLAGS) (CHANGEDSINCE \(changed))").isEmpty)

        // An expunge of a message in the client's view is reported as an update, once, and never as EARLIER.
        try Self.expunge([5], in: mail)
        #expect(
            await dialogue.ok("UID FETCH 1:* (FLAGS) (VANISHED CHANGEDSINCE \(changed))")
                == ["* VANISHED (EARLIER) 2:3,7:8", "* VANISHED 5"])
    }

    /// A client that takes the highest mod-sequence it has seen as its position must not miss an expunge that was held
    /// back. RFC 7162 sections 3.2 and 6.
    @Test func highestModSeqStaysBehindExpungesThatAreHeldBack() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(5)
        let dialogue = await Self.resyncing(mail)
        let (validity, before) = try Self.standing(mail)
        try Self.expunge([2], in: mail)
        let expunged = try Self.standing(mail).modSeq
        #expect(before < expunged)

        let standing = "* OK [HIGHESTMODSEQ \(before)] Expunges are pending"
        let stored = await dialogue.ok(#"STORE 1 +FLAGS.SILENT \Seen"#)
        let after = try Self.standing(mail).modSeq
        #expect(stored == ["* 1 FETCH (UID 1 MODSEQ (\(after)))", standing] && after > expunged)
        #expect(await dialogue.ok("FETCH 1 MODSEQ") == ["* 1 FETCH (MODSEQ (\(after)))", standing])
        #expect(await dialogue.ok("SEARCH SEEN") == ["* SEARCH 1", standing])
        // The pending expunge keeps its number, and a UID SEARCH by number must not shift it.
        #expect(await dialogue.ok("UID SEARCH 3:4") == ["* SEARCH 3 4", standing])

        // The connection breaks here and the client comes back: nothing is lost.
        let again = await Self.resyncing(mail, select: false)
        #expect(
            await again.ok("SELECT INBOX (QRESYNC (\(validity) \(before)))").contains("* VANISHED (EARLIER) 2"))

        let (lines, result) = await dialogue.command("NOOP")
        #expect(lines == ["* VANISHED 2"] && result == "OK [HIGHESTMODSEQ \(after)] NOOP completed")
        #expect(await dialogue.ok("FETCH 1 MODSEQ") == ["* 1 FETCH (MODSEQ (\(after)))"])
    }

    /// Thousands of ranges are split into lines that a client can be expected to read.
    @Test func manyRangesAreManyLines() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1_700)
        let modSeq = try Self.standing(mail).modSeq
        try Self.expunge((1...1_700).filter { $0 % 2 == 0 }, in: mail)
        let dialogue = await Self.resyncing(mail)
        let lines = await dialogue.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE \(modSeq) VANISHED)")
        #expect(lines.count == 3 && lines.allSatisfy { $0.hasPrefix("* VANISHED (EARLIER) ") && $0.utf8.count < 9_000 })
        let reported = lines.flatMap { $0.dropFirst(21).split(separator: ",").map { UInt32($0) ?? 0 } }
        #expect(reported == (1...1_700).filter { $0 % 2 == 0 })
    }
}
