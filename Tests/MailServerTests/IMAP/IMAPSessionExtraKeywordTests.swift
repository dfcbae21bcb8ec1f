import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// More keywords than a mailbox has letters for, as clients see them.
@Suite struct IMAPSessionExtraKeywordTests {
    /// Message 1 has a keyword for every letter, so that all others are extra; two sessions.
    private static func full() async throws -> (IMAPTestMail, IMAPDialogue, IMAPDialogue) {
        let mail = try IMAPTestMail()
        try mail.fill(4)
        let dialogue = await IMAPDialogue.alice(mail)
        let other = await IMAPDialogue.alice(mail)
        let names = (1...31).map { "k\($0)" }.joined(separator: " ")
        await dialogue.ok("STORE 1 FLAGS.SILENT (\(names))")
        await other.ok("NOOP")
        return (mail, dialogue, other)
    }

    @Test func storeAndFetch() async throws {
        let (_, dialogue, other) = try await Self.full()
        let lines = await dialogue.ok(#"STORE 2:3 +FLAGS (\Seen Extra k7 more)"#)
        #expect(lines.first?.hasPrefix("* FLAGS (") == true && lines.first?.hasSuffix(" k31 Extra more)") == true)
        #expect(lines.suffix(2) == [2, 3].map { "* \($0) FETCH (FLAGS (\\Seen \\Recent k7 Extra more))" })
        let seen = await other.ok("NOOP")
        #expect(seen.first?.hasSuffix(" k31 Extra more)") == true)
        #expect(seen.contains { $0.contains("PERMANENTFLAGS") && $0.contains(#" Extra more \*)"#) })
        #expect(seen.suffix(2) == [2, 3].map { "* \($0) FETCH (FLAGS (\\Seen k7 Extra more))" })
        #expect(await other.ok("STORE 2 -FLAGS (EXTRA)") == [#"* 2 FETCH (FLAGS (\Seen k7 more))"#])
        #expect(await dialogue.ok("NOOP") == [#"* 2 FETCH (FLAGS (\Seen \Recent k7 more))"#])
        #expect(await dialogue.ok("STORE 3 FLAGS (Extra)") == [#"* 3 FETCH (FLAGS (\Recent Extra))"#])
        await other.ok("NOOP")
        #expect(
            await other.ok("FETCH 2:4 FLAGS") == [
                #"* 2 FETCH (FLAGS (\Seen k7 more))"#, "* 3 FETCH (FLAGS (Extra))", "* 4 FETCH (FLAGS ())",
            ])
        // Beside what is read from the message.
        let whole = await dialogue.ok("FETCH 3 (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        #expect(whole.first?.contains(#"FLAGS (\Recent Extra)"#) == true)
        #expect(await dialogue.ok("STORE 2:3 FLAGS ()").filter { $0.contains("FETCH") }.count == 2)
        await other.ok("NOOP")
        #expect(await other.ok("SEARCH OR KEYWORD Extra KEYWORD more") == ["* SEARCH"])
    }

    @Test func search() async throws {
        let (_, dialogue, other) = try await Self.full()
        await dialogue.ok("STORE 2,4 +FLAGS.SILENT (Extra)")
        await dialogue.ok("STORE 3 +FLAGS.SILENT (more)")
        await other.ok("NOOP")
        for session in [dialogue, other] {
            #expect(await session.ok("SEARCH KEYWORD EXTRA") == ["* SEARCH 2 4"])
            #expect(await session.ok("SEARCH UNKEYWORD extra") == ["* SEARCH 1 3"])
            #expect(await session.ok("SEARCH NOT OR KEYWORD extra KEYWORD k1") == ["* SEARCH 3"])
            #expect(await session.ok("UID SEARCH KEYWORD more") == ["* SEARCH 3"])
        }
        // The name gets a letter, and has both.
        await dialogue.ok("STORE 1 FLAGS.SILENT ()")
        await dialogue.ok("STORE 1 FLAGS.SILENT (extra)")
        #expect(await dialogue.ok("SEARCH KEYWORD Extra") == ["* SEARCH 1 2 4"])
        #expect(await dialogue.ok("SEARCH UNKEYWORD Extra") == ["* SEARCH 3"])
        #expect(await dialogue.ok("STORE 1:4 -FLAGS (Extra)").suffix(1) == [#"* 4 FETCH (FLAGS (\Recent))"#])
        #expect(await dialogue.ok("SEARCH KEYWORD Extra") == ["* SEARCH"])
    }

    @Test func silentAndConditional() async throws {
        let (_, dialogue, other) = try await Self.full()
        // The keyword is new to the client; the flags are not reported.
        #expect(await dialogue.ok("STORE 2 +FLAGS.SILENT (Extra)").allSatisfy { !$0.contains("FETCH") })
        await other.ok("NOOP")
        #expect(await other.ok("STORE 2 -FLAGS.SILENT (Extra)").allSatisfy { !$0.contains("FETCH") })
        // Removed by the other in the meantime: what the client thinks is not so.
        let lines = await dialogue.ok("STORE 2 +FLAGS.SILENT (k3)")
        #expect(lines.last == #"* 2 FETCH (FLAGS (\Recent k3))"#)
        await dialogue.ok("ENABLE CONDSTORE")
        let old = await dialogue.ok("FETCH 2 MODSEQ").last ?? ""
        let modSeq = old.split(separator: "(").last?.prefix { $0.isNumber } ?? ""
        await other.ok("STORE 2 +FLAGS.SILENT (Extra)")
        let (changed, result) = await dialogue.command("STORE 2:3 (UNCHANGEDSINCE \(modSeq)) +FLAGS (more)")
        #expect(result.contains("[MODIFIED 2]"), "\(changed) \(result)")
        #expect(changed.contains { $0.hasPrefix("* 3 FETCH ") && $0.contains(#"FLAGS (\Recent more)"#) })
        #expect(await dialogue.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE \(modSeq))").count == 2)
        #expect(await dialogue.ok("FETCH 2 FLAGS").last?.contains(#"FLAGS (\Recent k3 Extra)"#) == true)
    }

    @Test func copyAndMoveBothWays() async throws {
        let (_, dialogue, _) = try await Self.full()
        await dialogue.ok("STORE 2 FLAGS.SILENT (Extra k1)")
        await dialogue.ok("CREATE There")
        await dialogue.ok("COPY 1:2 There")
        await dialogue.ok("MOVE 2 There")
        await dialogue.ok("SELECT There")
        let flags = await dialogue.ok("FETCH 1:* FLAGS")
        #expect(flags.count == 3)
        for line in flags.suffix(2) { #expect(line.contains("k1") && line.contains("Extra")) }
        #expect(await dialogue.ok("SEARCH KEYWORD Extra") == ["* SEARCH 2 3"])
        await dialogue.ok("MOVE 3 INBOX")
        await dialogue.ok("SELECT INBOX")
        #expect(await dialogue.ok("SEARCH KEYWORD Extra KEYWORD k1") == ["* SEARCH 4"])
    }

    @Test func tooMany() async throws {
        let (_, dialogue, _) = try await Self.full()
        for hundred in 0..<10 {
            let names = (0..<100).map { "x\(100 * hundred + $0)" }.joined(separator: " ")
            await dialogue.ok("STORE 2 +FLAGS.SILENT (\(names))")
        }
        #expect(await dialogue.fails("STORE 3 +FLAGS (y)").hasPrefix("NO [LIMIT]"))
        #expect(await dialogue.ok("FETCH 3 FLAGS") == [#"* 3 FETCH (FLAGS (\Recent))"#])
        #expect(await dialogue.ok("STORE 3 +FLAGS (x999)") == [#"* 3 FETCH (FLAGS (\Recent x999))"#])
        #expect(
            await dialogue.ok("SELECT INBOX").contains { $0.contains("PERMANENTFLAGS") && $0.contains(#"x999 \*)]"#) })
    }
}
