import Primitives
import ShardFS
import Testing

@testable import MailIMAP
@testable import ServerRuntime

/// Short commands are done on the event loop, with the same answers as on the pool.
@Suite struct IMAPSessionInlineTests {
    private static let short = [
        "NOOP", "CHECK", "STATUS Sent (MESSAGES UIDNEXT UNSEEN)", "STATUS Sent (MESSAGES UIDNEXT UNSEEN)",
        "UID FETCH 1:* (FLAGS)", "FETCH 2 (UID RFC822.SIZE)", "FETCH 1 BODY.PEEK[]", "UID FETCH 2 BODY.PEEK[HEADER]",
        "UID STORE 1 +FLAGS (\\Flagged)", "STORE 1:2 +FLAGS.SILENT (\\Draft)", "UID STORE 3 FLAGS (\\Seen)",
        "SEARCH UNSEEN", "UID SEARCH FLAGGED NOT SEEN", "SEARCH NOT DRAFT", "SEARCH OR FLAGGED SEEN", "SEARCH ALL",
        "UID SEARCH UID 2:3 UNSEEN", "EXAMINE INBOX", "SELECT INBOX",
    ]
    /// What the pool is for.
    private static let long = ["FETCH 1 BODY[]", "COPY 1 Sent", "EXPUNGE", "UID STORE 1:3 +FLAGS (kw)"]

    private static func mail() throws -> IMAPTestMail {
        let mail = try IMAPTestMail()
        let mailbox = try mail.mailbox()
        for i in 1...3 {
            _ = try mailbox.append(
                bytes: Array("Subject: \(i)\r\n\r\ntext \(i)\r\n".utf8), flags: i == 3 ? [.seen] : [])
        }
        return mail
    }

    private static func comparable(_ lines: [String]) -> [String] {
        lines.filter { !$0.contains("MAILBOXID") && !$0.contains("UIDVALIDITY") }
    }

    @Test func answersAreTheSame() async throws {
        let pools = [
            BlockingPool(threads: 2, maximumWaiting: 100, inline: InlineWork(clock: { 0 })),
            BlockingPool(threads: 2, maximumWaiting: 100),
        ]
        let here = await IMAPDialogue.alice(try Self.mail(), pool: pools[0])
        let there = await IMAPDialogue.alice(try Self.mail(), pool: pools[1])
        // The first ones open what the later ones find open.
        for command in ["STATUS Sent (MESSAGES)", "UID STORE 1 +FLAGS (\\Answered)"] + Self.short + Self.long
            + Self.short
        {
            let (a, b) = (await here.command(command), await there.command(command))
            // Two mailboxes have two UIDVALIDITYs.
            if !command.hasPrefix("COPY") { #expect(a.result == b.result, "\(command)") }
            #expect(Self.comparable(a.lines) == Self.comparable(b.lines), "\(command)")
        }
        for pool in pools { await pool.shutdown() }
    }

    @Test(arguments: short) func shortCommandNeedsNoThread(_ command: String) async throws {
        // However slow the machine is.
        let inline = InlineWork(clock: { 0 })
        let pool = BlockingPool(threads: 2, maximumWaiting: 100, inline: inline)
        let dialogue = await IMAPDialogue.alice(try Self.mail(), pool: pool)
        await dialogue.ok("STATUS Sent (MESSAGES)")
        await dialogue.ok("UID STORE 1 +FLAGS (\\Answered)")
        let before = inline.counts
        await dialogue.ok(command)
        let after = inline.counts
        // The store is in a file system in memory, which need not know RWF_NOWAIT.
        if command.contains("BODY") { return await pool.shutdown() }
        #expect(after.refused == before.refused)
        #expect(after.done > before.done)
        await pool.shutdown()
    }
}
