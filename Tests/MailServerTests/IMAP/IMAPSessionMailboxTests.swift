import FoundationEssentials
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

@Suite struct IMAPSessionMailboxTests {
    @Test func limits() async throws {
        let mail = try IMAPTestMail {
            ($0.maximumMailboxes, $0.maximumSubscriptions, $0.maximumAnnotations) = (5, 2, 2)
        }
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("CREATE A/B")
        #expect(await dialogue.fails("CREATE C").hasPrefix("NO [LIMIT] "))
        #expect(await dialogue.fails("RENAME Sent X/Sent").hasPrefix("NO [LIMIT] "))
        await dialogue.ok("SUBSCRIBE A")
        #expect(await dialogue.fails("SUBSCRIBE C").hasPrefix("NO [LIMIT] "))
        await dialogue.ok("SETMETADATA INBOX (/private/a \"1\" /private/b \"2\")")
        #expect(await dialogue.fails("SETMETADATA Sent (/private/a \"1\")").hasPrefix("NO [METADATA TOOMANY] "))
    }

    @Test func select() async throws {
        let mail = try IMAPTestMail()
        try mail.append("Subject: a\n\nx\n", .seen)
        try mail.append("Subject: b\n\nx\n")
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        let (lines, result) = await dialogue.command("SELECT inbox")
        #expect(result == "OK [READ-WRITE] SELECT completed")
        let validity = try mail.mailbox().snapshot().uidValidity
        for expected in [
            #"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)"#, "* 2 EXISTS", "* 2 RECENT", "* OK [UNSEEN 2] ",
            #"* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] "#, "* OK [UIDNEXT 3] ",
            "* OK [UIDVALIDITY \(validity)] ", "* OK [HIGHESTMODSEQ ",
        ] {
            #expect(lines.contains { $0.hasPrefix(expected) }, "\(expected) not in \(lines)")
        }
        // \Recent went to the first session.
        #expect(await dialogue.ok("SELECT INBOX").contains("* 0 RECENT"))
        let (again, readOnly) = await dialogue.command("EXAMINE INBOX")
        #expect(readOnly == "OK [READ-ONLY] EXAMINE completed" && again.contains { $0.contains("PERMANENTFLAGS ()") })
        for command in [#"STORE 1 +FLAGS \Seen"#, "EXPUNGE", "MOVE 1 Trash"] {
            #expect(await dialogue.fails(command).hasPrefix("NO [READ-ONLY]"))
        }
        #expect(await dialogue.fails("SELECT nowhere").hasPrefix("NO [NONEXISTENT]"))
        #expect(await dialogue.fails("FETCH 1 FLAGS").hasPrefix("BAD "), "the failed SELECT left no mailbox selected")
    }

    @Test func closeExpungesAndUnselectDoesNot() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(3)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok(#"STORE 1 +FLAGS.SILENT \Deleted"#)
        await dialogue.ok("UNSELECT")
        #expect(await dialogue.fails("CHECK").hasPrefix("BAD "))
        await dialogue.ok("EXAMINE INBOX")
        await dialogue.ok("CLOSE")
        #expect(await dialogue.ok("SELECT INBOX").contains("* 3 EXISTS"))
        #expect(await dialogue.ok("CLOSE").isEmpty)
        #expect(await dialogue.ok("SELECT INBOX").contains("* 2 EXISTS"))
    }

    @Test func theTree() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        await dialogue.ok("CREATE work/2024/")
        #expect(await dialogue.fails("CREATE work/2024").hasPrefix("NO [ALREADYEXISTS]"))
        #expect(await dialogue.fails("CREATE inbox").hasPrefix("NO [ALREADYEXISTS]"))
        #expect(await dialogue.fails("CREATE \"a/../b\"").hasPrefix("NO [CANNOT]"))
        #expect(await dialogue.ok("LIST \"\" work/%") == [#"* LIST (\HasNoChildren) "/" work/2024"#])
        await dialogue.ok("RENAME work job")
        #expect(
            await dialogue.ok("LIST job *").map { $0.hasSuffix("job/2024") || $0.hasSuffix("job") } == [true, true])
        #expect(await dialogue.fails("RENAME nowhere x").hasPrefix("NO [NONEXISTENT]"))
        #expect(await dialogue.fails("RENAME job Trash").hasPrefix("NO [ALREADYEXISTS]"))
        await dialogue.ok("DELETE job/2024")
        #expect(await dialogue.fails("DELETE job/2024").hasPrefix("NO [NONEXISTENT]"))
        #expect(await dialogue.fails("DELETE INBOX").hasPrefix("NO [CANNOT]"))
        #expect(await dialogue.ok("CREATE \"&AOQ-/x y\"").isEmpty)
        #expect(await dialogue.ok("LIST \"\" \"&AOQ-/*\"")[line: 0].hasSuffix(#""&AOQ-/x y""#))
        #expect(await dialogue.fails("CREATE x (USE (\\Nonsense))").hasPrefix("NO [USEATTR]"))
        await dialogue.ok("CREATE starred (USE (\\Flagged))")
        #expect(await dialogue.ok("LIST (SPECIAL-USE) \"\" starred")[line: 0].contains("\\Flagged"))
    }

    @Test func listForms() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        #expect(await dialogue.ok("LIST \"\" \"\"") == [#"* LIST (\Noselect) "/" """#])
        let all = await dialogue.ok("LIST \"\" %")
        #expect(all.count == 3 && all[line: 0] == #"* LIST (\HasNoChildren) "/" INBOX"#)
        #expect(all.contains(#"* LIST (\HasNoChildren \Sent) "/" Sent"#))
        #expect(await dialogue.ok("LIST \"\" InBoX").count == 1)
        await dialogue.ok("UNSUBSCRIBE Trash")
        #expect(await dialogue.ok("LSUB \"\" *").count == 2)
        await dialogue.ok("SUBSCRIBE lost/found")
        // A parent level is reported only in place of names that `%` does not reach.
        #expect(await dialogue.ok("LSUB \"\" lost*") == [#"* LSUB (\Noselect) "/" lost/found"#])
        #expect(await dialogue.ok("LSUB \"\" %").contains(#"* LSUB (\Noselect) "/" lost"#))
        #expect(
            await dialogue.ok("LIST (SUBSCRIBED) \"\" lost/*") == [#"* LIST (\NonExistent \Subscribed) "/" lost/found"#]
        )
        // The parent is reported though it does not exist; the name below it is subscribed and has a subscribed child.
        await dialogue.ok("SUBSCRIBE lost/found/again")
        #expect(
            await dialogue.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (lost lost/%)") == [
                #"* LIST (\NonExistent) "/" lost ("CHILDINFO" ("SUBSCRIBED"))"#,
                #"* LIST (\NonExistent \Subscribed) "/" lost/found ("CHILDINFO" ("SUBSCRIBED"))"#,
            ])
        let status = await dialogue.ok("LIST \"\" INBOX RETURN (STATUS (MESSAGES UNSEEN))")
        #expect(status.count == 2 && status[line: 1] == "* STATUS INBOX (MESSAGES 0 UNSEEN 0)")
    }

    /// RFC 3501 section 6.3.9: `*` does not report an unsubscribed parent level.
    @Test func lsubTellsOfLevelsForPercentAlone() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        for name in ["INBOX", "Sent", "Trash"] { await dialogue.ok("UNSUBSCRIBE \(name)") }
        await dialogue.ok("CREATE foo/bar")
        await dialogue.ok("SUBSCRIBE foo/bar")
        #expect(await dialogue.ok("LSUB \"\" *") == [#"* LSUB () "/" foo/bar"#])
        #expect(await dialogue.ok("LSUB \"\" foo*") == [#"* LSUB () "/" foo/bar"#])
        #expect(await dialogue.ok("LSUB \"\" %") == [#"* LSUB (\Noselect) "/" foo"#])
        await dialogue.ok("SUBSCRIBE foo")
        #expect(await dialogue.ok("LSUB \"\" %") == [#"* LSUB () "/" foo"#])
    }

    /// A client finds a mailbox by the name it used, though the server composes letters (RFC 9051 section 5.1).
    @Test func patternsAreComposedAsNamesAre() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        await dialogue.ok("CREATE Cafe&AwE-/x")
        await dialogue.ok("SUBSCRIBE Cafe&AwE-/x")
        for pattern in ["Cafe&AwE-/%", "Caf&AOk-/x", "*e&AwE-/x", "Cafe&AwE-*x"] {
            for (command, attributes) in [("LIST", #"\HasNoChildren"#), ("LSUB", "")] {
                #expect(
                    await dialogue.ok("\(command) \"\" \"\(pattern)\"") == [
                        #"* \#(command) (\#(attributes)) "/" Caf&AOk-/x"#
                    ])
            }
        }
        #expect(await dialogue.ok("LIST Cafe&AwE-/ %").count == 1)
        await dialogue.ok("NOTIFY SET (subtree Cafe&AwE- (MessageNew MessageExpunge))")
        let status = await dialogue.ok("NOTIFY SET STATUS (subtree Cafe&AwE- (MessageNew MessageExpunge))")
        #expect(status.map { $0.prefix { $0 != "(" } } == ["* STATUS Caf&AOk- ", "* STATUS Caf&AOk-/x "])
    }

    /// A pattern need not be a valid name.
    @Test(arguments: ["&*", "*&", "&AOQ*", "&"]) func patternsThatAreNoNames(pattern: String) async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        await dialogue.ok("CREATE &AOQ-")
        for command in ["LIST", "LSUB"] { #expect(await dialogue.ok("\(command) \"\" \"\(pattern)\"").isEmpty) }
    }

    /// RFC 5258 section 5, example 9: baz2 is not reported, since all subscribed names below it are.
    @Test func recursiveMatchTellsNothingTwice() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        for name in ["INBOX", "Sent", "Trash"] { await dialogue.ok("UNSUBSCRIBE \(name)") }
        for name in [
            "foo2", "foo2/bar1", "foo2/bar2", "baz2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2", "eps2/mamba",
            "qux2/bar2",
        ] {
            await dialogue.ok("CREATE \(name)")
            if name != "foo2", name != "baz2" { await dialogue.ok("SUBSCRIBE \(name)") }
        }
        #expect(
            Set(await dialogue.ok("LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"")) == [
                #"* LIST (\HasChildren) "/" foo2 ("CHILDINFO" ("SUBSCRIBED"))"#,
                #"* LIST (\HasNoChildren \Subscribed) "/" foo2/bar2"#,
                #"* LIST (\HasNoChildren \Subscribed) "/" baz2/bar2"#,
                #"* LIST (\HasNoChildren \Subscribed) "/" baz2/bar22"#,
                #"* LIST (\HasNoChildren \Subscribed) "/" baz2/bar222"#,
                #"* LIST (\HasChildren \Subscribed) "/" eps2 ("CHILDINFO" ("SUBSCRIBED"))"#,
                #"* LIST (\HasNoChildren \Subscribed) "/" qux2/bar2"#,
            ])
    }

    /// RFC 6154 section 6: SPECIAL-USE is an option that RECURSIVEMATCH can modify.
    @Test func recursiveMatchOfSpecialUses() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        await dialogue.ok("CREATE old/archive (USE (\\Archive))")
        await dialogue.ok("UNSUBSCRIBE old")
        func list(_ options: String, _ pattern: String) async -> [String] {
            await dialogue.ok("LIST (\(options)) \"\" \(pattern)").filter {
                !$0.hasSuffix("Sent") && !$0.hasSuffix("Trash")
            }
        }
        #expect(await list("SPECIAL-USE", "%").isEmpty)
        #expect(
            await list("SPECIAL-USE RECURSIVEMATCH", "%") == [
                #"* LIST (\HasChildren) "/" old ("CHILDINFO" ("SPECIAL-USE"))"#
            ])
        #expect(
            await list("RECURSIVEMATCH SUBSCRIBED SPECIAL-USE", "%") == [
                #"* LIST (\HasChildren) "/" old ("CHILDINFO" ("SUBSCRIBED" "SPECIAL-USE"))"#
            ])
        await dialogue.ok("UNSUBSCRIBE old/archive")
        #expect(await list("RECURSIVEMATCH SUBSCRIBED SPECIAL-USE", "%").isEmpty)
    }

    @Test(arguments: [
        ("*", "a/b", true), ("%", "a/b", false), ("%", "ab", true), ("a/%", "a/b", true), ("a/%", "a/b/c", false),
        ("a*c", "a/b/c", true), ("%/c", "a/b/c", false), ("inbox", "INBOX", true), ("INBOX/x", "INBOX/x", true),
        ("iNbOx/x", "INBOX/x", true), ("inboxes", "INBOXes", false), ("*%*", "a", true), ("", "a", false),
        ("a", "a/b", false), ("%%%", "ab", true), ("a%b*c", "axb/yc", true),
        ("inbox*", "INBOX", true), ("InB%", "INBOX", true), ("i*", "INBOX/x", true), ("inbox*", "INBOXes", false),
        ("i*", "Inner", false), ("%x", "INBOX", true), ("inbox/X", "INBOX/x", false),
    ]) func patterns(pattern: String, name: String, matches: Bool) {
        #expect(ListPattern(reference: "", pattern).matches(name) == matches)
    }

    @Test func status() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(3)
        try mail.append("Subject: x\n\ny\n", [.seen, .deleted])
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        let sizes = try mail.mailbox().snapshot().messages
        var size = 0
        sizes.forEach { size += Int($0.size) }
        #expect(
            await dialogue.ok("STATUS INBOX (MESSAGES RECENT UIDNEXT UNSEEN DELETED SIZE)")
                == ["* STATUS INBOX (MESSAGES 4 RECENT 4 UIDNEXT 5 UNSEEN 3 DELETED 1 SIZE \(size))"])
        #expect(await dialogue.fails("STATUS nowhere (MESSAGES)").hasPrefix("NO [NONEXISTENT]"))
        #expect(await dialogue.ok("GETQUOTAROOT INBOX") == ["* QUOTAROOT INBOX"])
        #expect(await dialogue.fails(#"GETQUOTA """#).hasPrefix("NO [NONEXISTENT]"))
    }

    @Test func aDeletedMailboxEndsTheSessionsThatHaveItOpen() async throws {
        let mail = try IMAPTestMail()
        let other = await IMAPDialogue.alice(mail, select: nil)
        await other.ok("CREATE gone")
        let dialogue = await IMAPDialogue.alice(mail, select: "gone")
        await other.ok("DELETE gone")
        let lines = await dialogue.send("a NOOP\r\n")
        #expect(lines.last?.hasPrefix("* BYE") == true && dialogue.isClosed)
        // A session that deletes its own selected mailbox merely leaves the selected state.
        await other.ok("CREATE own")
        await other.ok("SELECT own")
        await other.ok("DELETE own")
        #expect(await other.fails("CHECK").hasPrefix("BAD "))
    }

    /// A name that is shown in another order than it is written passes for another one.
    @Test func newNamesHaveNoBidirectionalControls() async throws {
        let mail = try IMAPTestMail()
        let controls = ["\u{61C}", "\u{200E}", "\u{200F}", "\u{202A}", "\u{202E}", "\u{2066}", "\u{2069}"]
        try mail.account().create(MailboxName("old\u{202E}gpj"))
        let dialogue = await IMAPDialogue.alice(mail)
        for control in controls {
            #expect(await dialogue.fails("CREATE \"a\(control)b\"").hasPrefix("NO [CANNOT] "))
            #expect(await dialogue.fails("RENAME Sent \"a/\(control)b\"").hasPrefix("NO [CANNOT] "))
        }
        #expect(await dialogue.ok("LIST \"\" old*").count == 1)
        await dialogue.ok("APPEND \"old\u{202E}gpj\" {1+}\r\nx")
        await dialogue.ok("SELECT \"old\u{202E}gpj\"")
        await dialogue.ok("CREATE \"עברית\"")
        await dialogue.ok("RENAME \"old\u{202E}gpj\" new")
    }

    @Test func aCloseThatFailsLeavesTheMailboxSelected() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok(#"STORE 1 +FLAGS (\Deleted)"#)
        // In place of the directory for expunged mail.
        let obstacle = "\(mail.store.root)/domains/example.com/users/alice/mailboxes/INBOX/.expunged"
        #expect(FileManager.default.createFile(atPath: obstacle, contents: nil))
        #expect(await dialogue.fails("CLOSE").hasPrefix("NO "))
        #expect(await dialogue.ok("FETCH 1:2 UID") == ["* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)"])
        try FileManager.default.removeItem(atPath: obstacle)
        await dialogue.ok("CLOSE")
        #expect(await dialogue.fails("FETCH 1 UID").hasPrefix("BAD "))
        await dialogue.ok("SELECT INBOX")
        #expect(await dialogue.ok("FETCH 1 UID") == ["* 1 FETCH (UID 2)"])
    }
}
