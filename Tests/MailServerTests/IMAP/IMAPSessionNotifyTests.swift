import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// NOTIFY. RFC 5465.
@Suite struct IMAPSessionNotifyTests {
    private static let both = "MessageNew MessageExpunge"

    private static func expunge(_ uid: UInt32, in name: String, of mail: IMAPTestMail) throws {
        let mailbox = try mail.mailbox(name)
        _ = try mailbox.changeFlags([UID(uid)], .add(.deleted))
        _ = try mailbox.expunge()
    }

    // MARK: The command

    @Test(arguments: [
        ("(selected (MessageNew))", "BAD"), ("(selected (MessageExpunge))", "BAD"), ("(personal (FlagChange))", "BAD"),
        ("(selected (MailboxName))", "BAD"), ("(selected (\(both))) (selected-delayed NONE)", "BAD"),
        ("(personal (MessageNew (FLAGS) MessageExpunge))", "BAD"),
        ("(selected (\(both) AnnotationChange))", "NO [BADEVENT ("), ("(personal (Foo))", "NO [BADEVENT ("),
        ("(selected (AnnotationChange))", "NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName "),
        ("(personal NONE)", "OK"), ("(mailboxes (a b) (\(both) FlagChange))", "OK"),
        ("(inboxes (\(both) MailboxMetadataChange ServerMetadataChange))", "OK"),
    ]) func theCommand(groups: String, answer: String) async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        let (_, result) = await dialogue.command("NOTIFY SET \(groups)")
        #expect(result.hasPrefix(answer), "\(result)")
    }

    @Test func itNeedsALogin() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail())
        #expect(await dialogue.fails("NOTIFY NONE").hasPrefix("BAD"))
        #expect(
            await IMAPDialogue.alice(try IMAPTestMail(), select: nil).ok("CAPABILITY").first?.contains(" NOTIFY")
                == true)
    }

    @Test func statusTellsHowThingsStand() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(3)
        try mail.append("Subject: x\n\ny\n", to: "Sent")
        let dialogue = await IMAPDialogue.alice(mail)
        let lines = await dialogue.ok("NOTIFY SET STATUS (selected (\(Self.both))) (personal (\(Self.both)))")
        let validity = try mail.mailbox("Sent").snapshot().uidValidity
        #expect(lines.contains("* STATUS Sent (MESSAGES 1 UIDNEXT 2 UIDVALIDITY \(validity))"), "\(lines)")
        #expect(lines.count == 2 && lines.contains { $0.hasPrefix("* STATUS Trash (MESSAGES 0 UIDNEXT 1 ") })
        // Only `selected` applies to the selected mailbox.
        #expect(!lines.contains { $0.contains("INBOX") })
        let flags = await dialogue.ok("NOTIFY SET STATUS (mailboxes Sent (\(Self.both) FlagChange))")
        #expect(flags.count == 1 && flags[line: 0].contains("HIGHESTMODSEQ"), "\(flags)")
        #expect(await dialogue.ok("NOTIFY SET (personal (\(Self.both)))").isEmpty)
        #expect(await dialogue.ok("NOTIFY SET STATUS (personal (MailboxName))").isEmpty)
    }

    @Test func itImpliesANoop() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await IMAPDialogue.alice(mail)
        try Self.expunge(1, in: "INBOX", of: mail)
        try mail.append("Subject: x\n\ny\n")
        #expect(await dialogue.ok("NOTIFY SET (personal NONE)") == ["* 1 EXPUNGE", "* 2 EXISTS", "* 2 RECENT"])
    }

    @Test func tooManyMailboxes() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue(mail) { $0.maxNotifyMailboxes = 3 }
        _ = dialogue.take()
        await dialogue.ok("LOGIN alice@example.com \(IMAPTestMail.password)")
        await dialogue.ok("NOTIFY SET (personal (\(Self.both)))")
        try mail.account().create(MailboxName("Fourth"))
        #expect(try await dialogue.wake().map { $0.prefix(27) } == ["* OK [NOTIFICATIONOVERFLOW]"])
        #expect(await dialogue.fails("NOTIFY SET (personal (\(Self.both)))").hasPrefix("NO [NOTIFICATIONOVERFLOW]"))
        await dialogue.ok("NOTIFY SET (personal (MailboxName)) (inboxes (\(Self.both)))")
    }

    // MARK: The selected mailbox

    @Test func newMessagesComeWithWhatWasAskedFor() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok(
            "NOTIFY SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))")
        _ = try await dialogue.wake()
        try mail.append("From: x@example.com\nSubject: New\n\ny\n")
        #expect(
            try await dialogue.wake() == [
                "* 2 EXISTS", "* 2 RECENT", "* 2 FETCH (UID 2 BODY[HEADER.FIELDS (SUBJECT)] {16}", "Subject: New", "",
                ")",
            ])
        _ = try mail.mailbox().changeFlags([UID(1)], .add(.flagged))
        #expect(try await dialogue.wake() == [#"* 1 FETCH (UID 1 FLAGS (\Flagged \Recent))"#])
        try Self.expunge(1, in: "INBOX", of: mail)
        #expect(try await dialogue.wake().last == "* 1 EXPUNGE")
        // A client needs no report of messages it added itself.
        let own = await dialogue.send("a APPEND INBOX {3+}\r\nx\r\n\r\n")
        #expect(own.contains("* 2 EXISTS") && !own.contains { $0.contains("FETCH") }, "\(own)")
        // Reporting a message does not mark it as read.
        await dialogue.ok("NOTIFY SET (selected (MessageNew (BODY[TEXT]) MessageExpunge))")
        try mail.append("Subject: z\n\nz\n")
        #expect(try await dialogue.wake().contains { $0.contains("FETCH (BODY[TEXT]") })
        #expect(await dialogue.ok("FETCH 3 FLAGS") == [#"* 3 FETCH (FLAGS (\Recent))"#])
    }

    @Test func delayedExpungesWaitForACommand() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(3)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("NOTIFY SET (selected-delayed (\(Self.both)))")
        _ = try await dialogue.wake()
        try Self.expunge(1, in: "INBOX", of: mail)
        try mail.append("Subject: x\n\ny\n")
        #expect(try await dialogue.wake() == ["* 4 EXISTS", "* 4 RECENT"])
        #expect(await dialogue.ok("FETCH 2 UID") == ["* 2 FETCH (UID 2)"])
        #expect(await dialogue.ok("NOOP") == ["* 1 EXPUNGE"])
    }

    @Test func expungesBehindACommandByNumber() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("NOTIFY SET (selected (\(Self.both)))")
        _ = try await dialogue.wake()
        try Self.expunge(1, in: "INBOX", of: mail)
        #expect(await dialogue.ok("FETCH 2 UID") == ["* 2 FETCH (UID 2)"])
        #expect(try await dialogue.wake() == ["* 1 EXPUNGE"])
    }

    /// `NONE` freezes the view, except for the client's own changes.
    @Test(arguments: ["NOTIFY NONE", "NOTIFY SET (personal (MailboxName))", "NOTIFY SET (selected NONE)"])
    func whatWasNotAskedForIsNotTold(command: String) async throws {
        let mail = try IMAPTestMail()
        try mail.fill(3)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok(command)
        try Self.expunge(1, in: "INBOX", of: mail)
        try mail.append("Subject: x\n\ny\n")
        #expect(await dialogue.ok("NOOP").isEmpty)
        #expect(await dialogue.send("a IDLE\r\nDONE\r\n") == ["+ idling", "a OK IDLE completed"])
        #expect(await dialogue.ok("SEARCH ALL") == ["* SEARCH 1 2 3"])
        await dialogue.ok(#"UID STORE 2 +FLAGS.SILENT \Deleted"#)
        #expect(await dialogue.ok("UID EXPUNGE 2").contains { $0.hasSuffix(" EXPUNGE") })
        await dialogue.ok("NOTIFY SET (selected (\(Self.both) FlagChange))")
        #expect(await dialogue.ok("UID SEARCH ALL") == ["* SEARCH 3 4"])
    }

    @Test func flagChangesThatNobodyAskedFor() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("NOTIFY SET (selected (\(Self.both)))")
        _ = try mail.mailbox().changeFlags([UID(1)], .add(.flagged))
        #expect(await dialogue.ok("NOOP").isEmpty)
        #expect(await dialogue.ok(#"STORE 1 +FLAGS \Seen"#) == [#"* 1 FETCH (FLAGS (\Flagged \Seen \Recent))"#])
    }

    @Test func theNextMailboxIsWatchedToo() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("NOTIFY SET (selected (\(Self.both)))")
        await dialogue.ok("SELECT Sent")
        _ = try await dialogue.wake()
        try mail.append("Subject: x\n\ny\n")
        try mail.append("Subject: x\n\ny\n", to: "Sent")
        #expect(try await dialogue.wake() == ["* 1 EXISTS", "* 1 RECENT"])
    }

    // MARK: Other mailboxes

    @Test func messagesOfOtherMailboxes() async throws {
        let mail = try IMAPTestMail()
        try mail.append("Subject: x\n\ny\n", to: "Sent")
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("NOTIFY SET (mailboxes Sent (\(Self.both))) (mailboxes Trash (\(Self.both) FlagChange))")
        try mail.append("Subject: x\n\ny\n", to: "Sent")
        #expect(try await dialogue.wake() == ["* STATUS Sent (UIDNEXT 3 MESSAGES 2)"])
        _ = try mail.mailbox("Sent").changeFlags([UID(1)], .add(.seen))
        #expect(try await dialogue.wake().isEmpty)
        try Self.expunge(1, in: "Sent", of: mail)
        #expect(try await dialogue.wake() == ["* STATUS Sent (UIDNEXT 3 MESSAGES 1)"])
        try mail.append("Subject: x\n\ny\n", to: "Trash")
        #expect(try await dialogue.wake()[line: 0].hasPrefix("* STATUS Trash (UIDNEXT 2 MESSAGES 1 UIDVALIDITY "))
        _ = try mail.mailbox("Trash").changeFlags([UID(1)], .add(.seen))
        let (snapshot, lines) = (try mail.mailbox("Trash").snapshot(), try await dialogue.wake())
        #expect(
            lines == [
                "* STATUS Trash (UIDVALIDITY \(snapshot.uidValidity) UNSEEN 0 HIGHESTMODSEQ \(snapshot.highestModSeq))"
            ])
        // With CONDSTORE the mod-sequence is always there.
        await dialogue.ok("ENABLE CONDSTORE")
        try mail.append("Subject: x\n\ny\n", to: "Sent")
        #expect(
            try await dialogue.wake() == [
                "* STATUS Sent (UIDNEXT 4 MESSAGES 2 HIGHESTMODSEQ \(mail.mailbox("Sent").snapshot().highestModSeq))"
            ])
        // A client needs no report of its own changes.
        await dialogue.send("a APPEND Sent {3+}\r\nx\r\n\r\n")
        #expect(try await dialogue.wake().isEmpty)
        #expect(await dialogue.ok("SELECT Sent").contains("* 3 EXISTS"))
        try mail.append("Subject: x\n\ny\n", to: "Sent")
        #expect(try await dialogue.wake().isEmpty, "of the selected one only what SELECTED says")
    }

    @Test func subscribedAndSubtree() async throws {
        let mail = try IMAPTestMail()
        let account = try mail.account()
        for name in ["Lists", "Lists/a", "Listsb"] { try account.create(MailboxName(name)) }
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok("NOTIFY SET (subtree Lists (\(Self.both)))")
        for name in ["Listsb", "Lists/a"] { try mail.append("Subject: x\n\ny\n", to: name) }
        #expect(try await dialogue.wake() == ["* STATUS Lists/a (UIDNEXT 2 MESSAGES 1)"])
        try account.subscribe(MailboxName("Sent"))
        try account.unsubscribe(MailboxName("Trash"))
        await dialogue.ok("NOTIFY SET (subscribed (\(Self.both)))")
        try mail.append("Subject: x\n\ny\n", to: "Trash")
        try account.subscribe(MailboxName("Trash"))
        #expect(try await dialogue.wake().isEmpty)
        try mail.append("Subject: x\n\ny\n", to: "Trash")
        #expect(try await dialogue.wake() == ["* STATUS Trash (UIDNEXT 3 MESSAGES 2)"])
    }

    // MARK: The tree

    @Test func names() async throws {
        let mail = try IMAPTestMail()
        let account = try mail.account()
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok("NOTIFY SET (personal (MailboxName))")
        try account.create(MailboxName("New"))
        let subscribed = try account.subscriptions().contains(MailboxName("New")) ? " \\Subscribed" : ""
        #expect(try await dialogue.wake() == [#"* LIST (\HasNoChildren\#(subscribed)) "/" New"#])
        try account.create(MailboxName("New/Below"))
        #expect(
            try await dialogue.wake() == [
                #"* LIST (\HasNoChildren\#(subscribed)) "/" New/Below"#,
                #"* LIST (\HasChildren\#(subscribed)) "/" New"#,
            ])
        try account.rename(MailboxName("New"), to: MailboxName("Newer"))
        #expect(
            try await dialogue.wake() == [#"* LIST (\HasChildren\#(subscribed)) "/" Newer ("OLDNAME" (New))"#])
        try account.delete(MailboxName("Newer/Below"))
        #expect(try await dialogue.wake().first == #"* LIST (\NonExistent) "/" Newer/Below"#)
        // Changes made by the client itself.
        await dialogue.ok("CREATE Own/Below")
        await dialogue.ok("DELETE Own/Below")
        #expect(await dialogue.give(.wake).isEmpty)
    }

    @Test func subscriptions() async throws {
        let mail = try IMAPTestMail()
        let account = try mail.account()
        try account.subscribe(.inbox)
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok("NOTIFY SET (mailboxes (Sent Trash) (SubscriptionChange))")
        try account.unsubscribe(MailboxName("Sent"))
        #expect(try await dialogue.wake() == [#"* LIST (\HasNoChildren \Sent) "/" Sent"#])
        try account.subscribe(MailboxName("Sent"))
        #expect(try await dialogue.wake() == [#"* LIST (\HasNoChildren \Sent \Subscribed) "/" Sent"#])
        try account.unsubscribe(.inbox)
        #expect(try await dialogue.wake().isEmpty)
        await dialogue.ok("UNSUBSCRIBE Trash")
        #expect(await dialogue.give(.wake).isEmpty)
    }

    @Test func aMailboxThatIsMadeIsWatched() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok("NOTIFY SET (mailboxes Later (\(Self.both)))")
        try mail.account().create(MailboxName("Later"))
        try mail.append("Subject: x\n\ny\n", to: "Later")
        #expect(try await dialogue.wake() == ["* STATUS Later (UIDNEXT 2 MESSAGES 1)"])
        try mail.append("Subject: x\n\ny\n", to: "Later")
        #expect(try await dialogue.wake() == ["* STATUS Later (UIDNEXT 3 MESSAGES 2)"])
    }

    /// The poll finds changes that no observer reports.
    @Test func anotherProcessMakesAMailbox() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok("NOTIFY SET (personal (MailboxName))")
        let other = try Store.open(mail.store.root).account(AccountAddress(parsing: "alice@example.com"))
        try other.create(MailboxName("Elsewhere"))
        var lines: [String] = []
        let end = ContinuousClock.now + .seconds(60)
        while lines.isEmpty, ContinuousClock.now < end {
            lines = await dialogue.give(.poll)
            if lines.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(lines[line: 0].hasSuffix(#""/" Elsewhere"#), "\(lines)")
    }

    /// Annotations of other processes have no observer: the poll checks their file.
    @Test func anotherProcessAnnotates() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok(
            "NOTIFY SET (mailboxes (INBOX Sent) (MailboxMetadataChange)) (personal (ServerMetadataChange))")
        let other = try Store.open(mail.store.root).account(AccountAddress(parsing: "alice@example.com"))
        try other.annotate(.inbox, [(entry: "/private/comment", value: [120]), (entry: "/private/a", value: [120])])
        try other.annotate(nil, [(entry: "/private/x", value: [120])])
        try other.annotate(MailboxName("Trash"), [(entry: "/private/comment", value: [120])])
        #expect(
            await dialogue.give(.poll) == [
                "* METADATA \"\" /private/x", "* METADATA INBOX /private/a /private/comment",
            ])
        #expect(await dialogue.give(.poll).isEmpty)
        // A client is not notified of its own changes; a removal is reported like a change.
        await dialogue.ok(#"SETMETADATA Sent (/private/comment "y")"#)
        try other.annotate(.inbox, [(entry: "/private/a", value: nil)])
        #expect(await dialogue.give(.poll) == ["* METADATA INBOX /private/a"])
        try other.annotate(MailboxName("Sent"), [(entry: "/private/comment", value: [122])])
        #expect(await dialogue.give(.poll) == ["* METADATA Sent /private/comment"])
        // A change by this process is reported once.
        let third = await IMAPDialogue.alice(mail, select: nil)
        await third.ok(#"SETMETADATA INBOX (/private/a "z")"#)
        #expect(try await dialogue.wake() == ["* METADATA INBOX /private/a"])
        #expect(await dialogue.give(.poll).isEmpty)
    }

    /// The tree tells which mailboxes are subscribed to, though no event of the tree is asked for.
    @Test func annotationsOfSubscribedMailboxes() async throws {
        let mail = try IMAPTestMail()
        let account = try mail.account()
        try account.create(MailboxName("Project"))
        try account.subscribe(MailboxName("Project"))
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok("NOTIFY SET (subscribed (MailboxMetadataChange))")
        account.metadataChanged(mailbox: try MailboxName("Project"), entries: ["/private/comment"])
        #expect(try await dialogue.wake() == ["* METADATA Project /private/comment"])
        let other = try Store.open(mail.store.root).account(AccountAddress(parsing: "alice@example.com"))
        try other.annotate(MailboxName("Project"), [(entry: "/private/a", value: [120])])
        #expect(await dialogue.give(.poll) == ["* METADATA Project /private/a"])
        // Subscriptions that change later count too.
        try account.unsubscribe(MailboxName("Project"))
        _ = await dialogue.give(.wake)
        account.metadataChanged(mailbox: try MailboxName("Project"), entries: ["/private/comment"])
        #expect(await dialogue.give(.wake).isEmpty)
    }

    @Test func annotations() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok("NOTIFY SET (personal (MailboxMetadataChange ServerMetadataChange))")
        let account = try mail.account()
        account.metadataChanged(mailbox: .inbox, entries: ["/private/comment"])
        #expect(try await dialogue.wake() == ["* METADATA INBOX /private/comment"])
        account.metadataChanged(mailbox: nil, entries: ["/shared/admin"])
        #expect(try await dialogue.wake() == ["* METADATA \"\" /shared/admin"])
        let other = await IMAPDialogue.alice(mail, select: nil)
        await other.ok(#"SETMETADATA Sent (/private/comment "x")"#)
        #expect(try await dialogue.wake() == ["* METADATA Sent /private/comment"])
        await dialogue.ok(#"SETMETADATA Sent (/private/comment "y")"#)
        #expect(await dialogue.give(.wake).isEmpty)
        for _ in 0...64 { account.metadataChanged(mailbox: .inbox, entries: ["/private/comment"]) }
        #expect(try await dialogue.wake()[line: 0].hasPrefix("* OK [NOTIFICATIONOVERFLOW]"))
    }
}
