import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Two sessions on one mailbox: the updates each receives, and when. RFC 3501 section 7.4.1.
@Suite struct IMAPSessionVisibilityTests {
    private static func pair(_ count: Int) async throws -> (IMAPTestMail, IMAPDialogue, IMAPDialogue) {
        let mail = try IMAPTestMail()
        try mail.fill(count)
        return (mail, await IMAPDialogue.alice(mail), await IMAPDialogue.alice(mail))
    }

    private static func expunge(_ numbers: String, by dialogue: IMAPDialogue) async {
        await dialogue.ok(#"STORE \#(numbers) +FLAGS.SILENT \Deleted"#)
        await dialogue.ok("EXPUNGE")
    }

    @Test func newsComeWithTheNextCommand() async throws {
        let (mail, one, two) = try await Self.pair(2)
        await one.ok(#"STORE 1 +FLAGS.SILENT \Seen"#)
        #expect(await two.ok("NOOP") == [#"* 1 FETCH (FLAGS (\Seen))"#])
        #expect(await two.ok("NOOP").isEmpty)
        try mail.append("Subject: x\n\ny\n")
        #expect(await two.ok("CHECK") == ["* 3 EXISTS", "* 1 RECENT"])
        #expect(await one.ok("NOOP") == ["* 3 EXISTS", "* 2 RECENT"], "the new message is recent to the other session")
    }

    /// EXPUNGE would shift the numbers that the client uses in its next command.
    @Test(arguments: [
        "FETCH 1:* FLAGS", "FETCH 1 BODY[]", #"STORE 1 +FLAGS.SILENT \Seen"#, "STORE 1 FLAGS ()", "SEARCH ALL",
        "SEARCH RETURN (COUNT) UNSEEN", "UID SEARCH 1:3", "UID SEARCH UID 1 NOT 2", "UID SEARCH OR SEEN (2 UNSEEN)",
    ])
    func numbersStandStillBehindCommandsByNumber(command: String) async throws {
        let (_, one, two) = try await Self.pair(5)
        await Self.expunge("2,4", by: one)
        let lines = await two.ok(command)
        #expect(!lines.contains { $0.hasSuffix("EXPUNGE") })
        #expect(await two.ok("FETCH 5 UID") == ["* 5 FETCH (UID 5)"])
        #expect(await two.ok("FETCH 3 UID") == ["* 3 FETCH (UID 3)"])
        // Gone, but readable until the expunge is reported.
        #expect(await two.ok("FETCH 4 BODY.PEEK[TEXT]") == ["* 4 FETCH (BODY[TEXT] {8}", "body 4", ")"])
        #expect(await two.ok("SEARCH ALL") == ["* SEARCH 1 2 3 4 5"])
        #expect(await two.ok("SEARCH BODY \"body 2\"") == ["* SEARCH 2"])
        #expect(await two.fails("COPY 2 Sent").hasPrefix("NO [EXPUNGEISSUED]"))
        #expect(await two.ok("NOOP").isEmpty, "COPY told it")
        #expect(await two.ok("FETCH 3 UID") == ["* 3 FETCH (UID 5)"])
    }

    @Test(arguments: [
        "NOOP", "CHECK", "UID FETCH 1 UID", "UID FETCH 1 BODY[]", #"UID STORE 1 +FLAGS.SILENT \Seen"#, "UID SEARCH ALL",
        "UID SEARCH UID 1:3 UNSEEN", "UID COPY 1 Sent", "EXPUNGE", "UID EXPUNGE 1", "CAPABILITY", "LIST \"\" *",
        "STATUS Sent (MESSAGES)", "CREATE new", "NAMESPACE", "ID NIL", "SUBSCRIBE Sent", "GETQUOTAROOT INBOX",
    ])
    func expungesAreReportedByOthers(command: String) async throws {
        let (_, one, two) = try await Self.pair(5)
        await Self.expunge("2,4:5", by: one)
        #expect(
            await two.ok(command).filter { $0.hasSuffix("EXPUNGE") } == ["* 5 EXPUNGE", "* 4 EXPUNGE", "* 2 EXPUNGE"])
        #expect(await two.ok("FETCH 1:* UID") == ["* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)"])
    }

    @Test func pendingExpungesOfSeveralRoundsAndNewMessages() async throws {
        let (mail, one, two) = try await Self.pair(6)
        await Self.expunge("2", by: one)
        #expect(await two.ok("FETCH 1 UID").count == 1)
        await Self.expunge("4", by: one)
        try mail.append("Subject: new\n\nnew\n")
        #expect(
            await two.ok("FETCH 1:* UID").filter { $0.contains("UID") } == (1...6).map { "* \($0) FETCH (UID \($0))" })
        #expect(await two.ok("FETCH 6:7 UID") == ["* 6 FETCH (UID 6)", "* 7 FETCH (UID 7)"])
        await Self.expunge("1", by: one)
        await one.ok(#"STORE 3 +FLAGS.SILENT \Flagged"#)
        let lines = await two.ok("NOOP")
        #expect(lines.prefix(3) == ["* 5 EXPUNGE", "* 2 EXPUNGE", "* 1 EXPUNGE"])
        #expect(lines.last?.hasPrefix("* 3 FETCH (FLAGS (\\Flagged") == true, "\(lines)")
        #expect(await two.ok("FETCH 1:* UID") == [3, 4, 6, 7].enumerated().map { "* \($0 + 1) FETCH (UID \($1))" })
    }

    @Test func aMovedMessageCannotBeReadAnyMore() async throws {
        let (_, one, two) = try await Self.pair(3)
        await one.ok("MOVE 2 Trash")
        let (lines, result) = await two.command("FETCH 1:3 BODY.PEEK[TEXT]")
        #expect(lines.count == 6 && result.hasPrefix("OK [EXPUNGEISSUED]"))
        #expect(await two.fails("FETCH 2 BODY.PEEK[TEXT]").hasPrefix("NO [EXPUNGEISSUED]"))
        #expect(await two.ok("SEARCH BODY body") == ["* SEARCH 1 3"])
        #expect(await two.ok("FETCH 2 FLAGS").count == 1)
    }

    @Test func aSilentStoreTellsWhatOthersDid() async throws {
        let (_, one, two) = try await Self.pair(2)
        await one.ok(#"STORE 1 +FLAGS.SILENT \Answered"#)
        #expect(await two.ok(#"STORE 1 +FLAGS.SILENT \Seen"#) == [#"* 1 FETCH (FLAGS (\Answered \Seen))"#])
        await one.ok("NOOP")
        #expect(await one.ok(#"STORE 1 FLAGS.SILENT (\Draft)"#).isEmpty)
    }

    /// Shares only the files with this process's own store.
    @Test func anotherProcessOnTheStore() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await IMAPDialogue.alice(mail)
        let other = try Store.open(mail.store.root)
        let mailbox = try other.account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        _ = try mailbox.changeFlags([UID(1)], .add([.seen, .deleted]))
        #expect(await dialogue.ok("NOOP") == [#"* 1 FETCH (FLAGS (\Deleted \Seen \Recent))"#])
        _ = try mailbox.expunge()
        #expect(await dialogue.ok("NOOP") == ["* 1 EXPUNGE"])
    }

    @Test func idle() async throws {
        let (mail, one, two) = try await Self.pair(2)
        #expect(await two.send("a IDLE\r\n") == ["+ idling"])
        try mail.append("Subject: x\n\ny\n")
        #expect(try await two.wake() == ["* 3 EXISTS", "* 1 RECENT"])
        await Self.expunge("1", by: one)
        #expect(try await two.wake().contains("* 1 EXPUNGE"))
        #expect(await two.give(.keepAlive) == ["* OK Still here"])
        #expect(await two.send("done\r\n") == ["a OK IDLE completed"])
        #expect(await two.give(.keepAlive).isEmpty)
        _ = await two.send("b IDLE\r\n")
        #expect(await two.send("NOOP\r\n").last == "b BAD Expected DONE")
        await two.ok("NOOP")
    }

    @Test func idleWithNothingSelected() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        #expect(
            await dialogue.send("a IDLE\r\nDONE\r\nb NOOP\r\n") == [
                "+ idling", "a OK IDLE completed", "b OK NOOP completed",
            ])
    }
}
