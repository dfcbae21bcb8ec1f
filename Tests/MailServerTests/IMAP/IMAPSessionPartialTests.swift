import IMAPCodec
import Primitives
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Partial results (RFC 9394), and progress reports of long searches (RFC 9585).
@Suite struct IMAPSessionPartialTests {
    private static func dialogue() async throws -> IMAPDialogue {
        let mail = try IMAPTestMail()
        try mail.fill(10)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok(#"STORE 1,3 +FLAGS.SILENT \Deleted"#)
        await dialogue.ok("EXPUNGE")
        await dialogue.ok(#"STORE 4 +FLAGS.SILENT \Flagged"#)
        return dialogue
    }

    /// UIDs 2 and 4 to 10 remain; 6 is flagged.
    @Test(arguments: [
        ("PARTIAL 1:3", "PARTIAL (1:3 2,4:5)"), ("PARTIAL 3:1", "PARTIAL (1:3 2,4:5)"),
        ("PARTIAL -1:-3", "PARTIAL (-1:-3 8:10)"), ("PARTIAL -7:-100", "PARTIAL (-7:-100 2,4)"),
        ("PARTIAL 7:100", "PARTIAL (7:100 9:10)"), ("PARTIAL 9:10", "PARTIAL (9:10 NIL)"),
        ("PARTIAL -9:-10", "PARTIAL (-9:-10 NIL)"),
        ("PARTIAL 4294967295:4294967295", "PARTIAL (4294967295:4294967295 NIL)"),
        ("MIN MAX COUNT PARTIAL 2:2", "MIN 2 MAX 10 COUNT 8 PARTIAL (2:2 4)"),
    ])
    func search(options: String, data: String) async throws {
        let dialogue = try await Self.dialogue()
        let lines = await dialogue.ok("UID SEARCH RETURN (\(options)) ALL")
        #expect(lines.map { $0.drop { $0 != ")" }.dropFirst() } == [" UID \(data)"])
    }

    /// RFC 9394 section 3.2, table 1, and RFC 5182 section 2.4.
    @Test(arguments: [
        ("SAVE PARTIAL 2:3", "4 5"), ("SAVE PARTIAL 2:3 MIN", "2 4 5"), ("SAVE PARTIAL 2:3 MAX", "4 5 10"),
        ("SAVE PARTIAL 2:3 MIN MAX", "2 4 5 10"), ("SAVE PARTIAL 2:3 COUNT", "2 4 5 6 7 8 9 10"),
        ("SAVE PARTIAL 2:3 COUNT MIN", "2 4 5 6 7 8 9 10"), ("SAVE PARTIAL 20:30", ""),
        ("SAVE MIN", "2"), ("SAVE MIN MAX", "2 10"), ("SAVE MIN COUNT", "2 4 5 6 7 8 9 10"),
        ("SAVE", "2 4 5 6 7 8 9 10"),
    ])
    func saves(options: String, uids: String) async throws {
        let dialogue = try await Self.dialogue()
        await dialogue.ok("SEARCH RETURN (\(options)) ALL")
        #expect(await dialogue.ok("UID SEARCH $") == ["* SEARCH" + (uids.isEmpty ? "" : " " + uids)], "\(options)")
    }

    @Test func refusals() async throws {
        let dialogue = try await Self.dialogue()
        for options in ["PARTIAL 1:2 ALL", "PARTIAL 1:2 PARTIAL 3:4", "PARTIAL 1:-2", "PARTIAL 0:2", "PARTIAL 1:*"] {
            #expect(await dialogue.fails("SEARCH RETURN (\(options)) ALL").hasPrefix("BAD "), "\(options)")
        }
    }

    /// RFC 4731 section 3.2: the mod-sequence is that of the reported messages.
    @Test func modSequences() async throws {
        let dialogue = try await Self.dialogue()
        await dialogue.ok("ENABLE CONDSTORE")
        let all = await dialogue.ok("UID SEARCH RETURN (ALL) MODSEQ 1")[line: 0]
        let flagged = await dialogue.ok("UID FETCH 6 (MODSEQ)")[line: 0]
        let highest = flagged.drop { $0 != "Q" }.dropFirst(3).prefix { $0 != ")" }
        #expect(all.hasSuffix(" UID ALL 2,4:10 MODSEQ \(highest)"))
        let least = await dialogue.ok("UID SEARCH RETURN (MIN) MODSEQ 1")[line: 0]
        #expect(least.contains(" UID MIN 2 MODSEQ ") && !least.hasSuffix(" \(highest)"))
        #expect(await dialogue.ok("UID SEARCH RETURN (MIN COUNT) MODSEQ 1")[line: 0].hasSuffix(" MODSEQ \(highest)"))
        #expect(await dialogue.ok("SEARCH RETURN (COUNT) MODSEQ 99999")[line: 0].hasSuffix(" COUNT 0"))
    }

    @Test(arguments: [
        ("UID FETCH 1:* (UID) (PARTIAL 1:3)", "2 4 5"), ("UID FETCH 1:* (UID) (PARTIAL -1:-3)", "8 9 10"),
        ("UID FETCH 4:6,9:* (UID) (PARTIAL 3:4)", "6 9"), ("UID FETCH 4:6,9:* (UID) (PARTIAL -2:-3)", "6 9"),
        ("UID FETCH 1:3 (UID) (PARTIAL 2:9)", ""), ("UID FETCH 1:* UID (PARTIAL 100:200)", ""),
        ("UID FETCH 1:* (UID) (PARTIAL 1:4294967295)", "2 4 5 6 7 8 9 10"),
        ("FETCH 2:4 (UID) (PARTIAL -1:-1)", "6"),
    ])
    func fetches(command: String, uids: String) async throws {
        let dialogue = try await Self.dialogue()
        let lines = await dialogue.ok(command)
        #expect(lines.map { $0.split(separator: " ").last?.dropLast() ?? "" }.joined(separator: " ") == uids)
    }

    /// RFC 9394 section 3.4: the partial range applies first, then the changes within it.
    @Test func fetchesChanges() async throws {
        let dialogue = try await Self.dialogue()
        await dialogue.ok("ENABLE CONDSTORE")
        let modSeq = await dialogue.ok("UID FETCH 5 (MODSEQ)")[line: 0].drop { $0 != "Q" }.dropFirst(3).prefix {
            $0 != ")"
        }
        #expect(await dialogue.ok("UID FETCH 1:* (UID) (PARTIAL 1:5 CHANGEDSINCE \(modSeq))").count == 2)
        #expect(await dialogue.ok("UID FETCH 1:* (UID) (CHANGEDSINCE \(modSeq) PARTIAL 1:4)").count == 1)
        #expect(await dialogue.ok("UID FETCH 1:* (UID) (PARTIAL 1:2 CHANGEDSINCE \(modSeq))").isEmpty)
    }

    // MARK: Progress

    /// Each reading of the clock takes four seconds.
    @Test func reportsProgress() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(200)
        let clock = Locked<Int64>(1_000)
        let dialogue = await IMAPDialogue(
            mail,
            now: {
                clock.withLock {
                    $0 += 4
                    return $0
                }
            })
        _ = dialogue.take()
        await dialogue.ok("LOGIN alice@example.com \(IMAPTestMail.password)")
        await dialogue.ok("SELECT INBOX")
        // 32 messages per turn; the third reading, 12 seconds after the start, is due.
        #expect(
            await dialogue.send("p1 SEARCH BODY nothing\r\n") == [
                #"* OK [INPROGRESS ("p1" 96 200)] Still working"#, #"* OK [INPROGRESS ("p1" 192 200)] Still working"#,
                "* SEARCH", "p1 OK SEARCH completed",
            ])
        #expect(
            await dialogue.send("p2 SORT (SUBJECT) UTF-8 TEXT nothing 1:100\r\n") == [
                #"* OK [INPROGRESS ("p2" 96 200)] Still working"#, #"* OK [INPROGRESS ("p2" 192 200)] Still working"#,
                "* SORT", "p2 OK SORT completed",
            ])
        #expect(await dialogue.ok("SEARCH SUBJECT nothing") == ["* SEARCH"])
    }

    @Test func clock() {
        var clock = ProgressClock(now: 100)
        #expect(
            [105, 109, 110, 115, 120, 50, 59, 60].map { clock.isDue(now: $0) }
                == [false, false, true, false, true, false, false, true])
    }
}
