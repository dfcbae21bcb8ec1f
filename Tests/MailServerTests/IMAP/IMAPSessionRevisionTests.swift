import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// IMAP4rev2 and UTF-8, both by ENABLE. RFC 9051, RFC 9755.
@Suite struct IMAPSessionRevisionTests {
    private static func enabled(
        _ feature: String, _ mail: IMAPTestMail, select: String? = nil
    ) async -> IMAPDialogue {
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        #expect(await dialogue.ok("ENABLE \(feature)") == ["* ENABLED \(feature)"])
        if let select { await dialogue.ok("SELECT \(select)") }
        return dialogue
    }

    // MARK: IMAP4rev2

    @Test func bothRevisionsAreThere() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        let names = await dialogue.ok("CAPABILITY")[line: 0].split(separator: " ")
        #expect(names.contains("IMAP4rev1") && names.contains("IMAP4rev2") && names.contains("UTF8=ACCEPT"))
        #expect(await dialogue.ok("ENABLE imap4REV2 Utf8=accept") == ["* ENABLED IMAP4rev2 UTF8=ACCEPT"])
        // Nothing can be enabled before login.
        let early = await IMAPDialogue(try IMAPTestMail())
        _ = early.take()
        #expect(await early.fails("ENABLE IMAP4rev2").hasPrefix("BAD "))
    }

    @Test func selectAnswersOfRev2() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        let dialogue = await Self.enabled("IMAP4rev2", mail)
        let (lines, result) = await dialogue.command("SELECT INBOX")
        #expect(result == "OK [READ-WRITE] SELECT completed")
        #expect(lines.contains("* 2 EXISTS"))
        #expect(lines.contains(#"* LIST (\HasNoChildren \Subscribed) "/" INBOX"#))
        #expect(!lines.contains { $0.contains("RECENT") || $0.contains("[UNSEEN") || $0.contains("[CLOSED]") })
        let again = await dialogue.ok("EXAMINE Sent")
        #expect(again[line: 0].hasPrefix("* OK [CLOSED]"))
        #expect(again.contains(#"* LIST (\HasNoChildren \Sent \Subscribed) "/" Sent"#))
    }

    @Test func thereIsNoRecent() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        let dialogue = await Self.enabled("IMAP4rev2", mail, select: "INBOX")
        #expect(await dialogue.ok("FETCH 1 FLAGS") == ["* 1 FETCH (FLAGS ())"])
        try mail.append("Subject: x\n\ny\n")
        #expect(await dialogue.ok("NOOP") == ["* 2 EXISTS"])
        #expect(await dialogue.ok(#"STORE 2 +FLAGS \Seen"#) == [#"* 2 FETCH (FLAGS (\Seen))"#])
        #expect(await dialogue.fails("STATUS Sent (MESSAGES RECENT)").hasPrefix("BAD "))
        #expect(await dialogue.fails(#"LIST "" * RETURN (STATUS (RECENT))"#).hasPrefix("BAD "))
        // This applies also to a client that enables it late.
        let late = await IMAPDialogue.alice(mail, select: "Sent")
        try mail.append("Subject: x\n\ny\n", to: "Sent")
        #expect(await late.ok("NOOP") == ["* 1 EXISTS", "* 1 RECENT"])
        await late.ok("ENABLE IMAP4rev2")
        #expect(await late.ok("FETCH 1 FLAGS") == ["* 1 FETCH (FLAGS ())"])
    }

    /// RFC 9051 section 6.3.9.7: a name composed by the server is reported together with the client's spelling.
    @Test func namesThatAreComposed() async throws {
        let dialogue = await Self.enabled("IMAP4rev2", try IMAPTestMail())
        let (given, kept) = ("Cafe\u{301}", "Caf\u{E9}")
        func same(_ lines: [String], _ line: String) -> Bool {
            lines.count == 1 && lines[line: 0].utf8.elementsEqual(line.utf8)
        }
        #expect(
            same(
                await dialogue.ok("CREATE \"\(given)\""),
                #"* LIST (\HasNoChildren \Subscribed) "/" "\#(kept)" ("OLDNAME" ("\#(given)"))"#))
        #expect(
            await dialogue.ok("SELECT \"\(given)\"").contains {
                $0.utf8.elementsEqual(
                    #"* LIST (\HasNoChildren \Subscribed) "/" "\#(kept)" ("OLDNAME" ("\#(given)"))"#.utf8)
            })
        #expect(
            same(
                await dialogue.ok("RENAME \"\(given)\" plain"),
                #"* LIST (\HasNoChildren \Subscribed) "/" plain ("OLDNAME" ("\#(given)"))"#))
        #expect(
            same(
                await dialogue.ok("RENAME plain \"\(given)\""),
                #"* LIST (\HasNoChildren \Subscribed) "/" "\#(kept)" ("OLDNAME" (plain))"#))
        #expect(
            same(
                await dialogue.ok("DELETE \"\(given)\""),
                #"* LIST (\NonExistent) "/" "\#(kept)" ("OLDNAME" ("\#(given)"))"#))
        for command in ["CREATE simple", "RENAME simple other/", "RENAME simple other", "DELETE other"] {
            #expect(await dialogue.command(command).lines.isEmpty, "\(command)")
        }
        // Without IMAP4rev2 no client expects an extended LIST.
        let old = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        #expect(await old.ok("CREATE \"\(given)\"").isEmpty)
    }

    // MARK: Names and strings in UTF-8

    @Test(arguments: ["IMAP4rev2", "UTF8=ACCEPT"]) func names(feature: String) async throws {
        let mail = try IMAPTestMail()
        let dialogue = await Self.enabled(feature, mail)
        let old = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok("CREATE \"Täglich & 日本\"")
        #expect(await dialogue.ok("LIST \"\" \"T*\"").contains { $0.hasSuffix("\"Täglich & 日本\"") })
        #expect(await old.ok("LIST \"\" \"T&AOQ-*\"")[line: 0].hasSuffix(#""T&AOQ-glich &- &ZeVnLA-""#))
        #expect(await old.ok("STATUS \"T&AOQ-glich &- &ZeVnLA-\" (MESSAGES)").count == 1)
        #expect(
            await dialogue.ok("STATUS {17}\r\nTäglich & 日本 (MESSAGES)").last == "* STATUS \"Täglich & 日本\" (MESSAGES 0)"
        )
        // Modified UTF-7 is now an ordinary name.
        #expect(await dialogue.fails("SELECT T&AOQ-glich").hasPrefix("NO [NONEXISTENT]"))
        #expect(await dialogue.fails("CREATE \"line\u{2028}s\"").hasPrefix("NO [CANNOT]"))
        await dialogue.ok("SUBSCRIBE \"ö\"")
        #expect(await dialogue.ok("LSUB \"\" \"ö\"")[line: 0].hasSuffix("\"ö\""))
        // A client that has not enabled it may use such names, and gets responses it understands.
        await old.ok("CREATE \"ünïcode\"")
        #expect(await old.ok("LIST \"\" \"*code\"")[line: 0].hasSuffix("&APw-n&AO8-code"))
    }

    @Test func headersInUTF8() async throws {
        let mail = try IMAPTestMail()
        try mail.append(
            "From: Jörg <jörg@example.com>\nSubject: Grüße\nContent-Type: text/plain; name=\"Ä.txt\"\n\nx\n")
        let old = await IMAPDialogue.alice(mail)
        // Quoted strings contain no octet with the high bit: literals hold them.
        let lines = await old.ok("FETCH 1 (ENVELOPE BODYSTRUCTURE)")
        #expect(lines.joined(separator: "\n").contains("{7}\nGrüße "))
        for line in lines {
            let quoted = line.split(separator: "\"", omittingEmptySubsequences: false)
            for index in quoted.indices where index % 2 == 1 { #expect(quoted[index].utf8.allSatisfy { $0 < 0x80 }) }
        }
        let new = await Self.enabled("UTF8=ACCEPT", mail, select: "INBOX")
        let reported = await new.ok("FETCH 1 (ENVELOPE BODYSTRUCTURE)")
        #expect(
            reported.count == 1 && reported[line: 0].contains("\"Grüße\"") && reported[line: 0].contains("\"Ä.txt\""))
        #expect(reported[line: 0].contains("\"Jörg\" NIL \"jörg\" \"example.com\""))
    }

    @Test func searchInUTF8() async throws {
        let mail = try IMAPTestMail()
        try mail.append("Subject: Grüße\n\nx\n")
        let dialogue = await Self.enabled("UTF8=ACCEPT", mail, select: "INBOX")
        #expect(await dialogue.ok("SEARCH SUBJECT \"grüße\"") == ["* SEARCH 1"])
        #expect(await dialogue.fails("SEARCH CHARSET UTF-8 SUBJECT \"x\"").hasPrefix("BAD "))
        let old = await IMAPDialogue.alice(mail)
        #expect(await old.ok("SEARCH CHARSET UTF-8 SUBJECT {7}\r\ngrüße").last == "* SEARCH 1")
    }

    // MARK: Codes, RFC 5530

    @Test(arguments: [
        ("CREATE INBOX", "NO [ALREADYEXISTS]"), ("CREATE Sent", "NO [ALREADYEXISTS]"),
        ("CREATE a//b", "NO [CANNOT]"), ("RENAME Sent Trash", "NO [ALREADYEXISTS]"),
        ("RENAME nowhere x", "NO [NONEXISTENT]"), ("RENAME Sent Sent/x", "NO [CANNOT]"),
        ("DELETE nowhere", "NO [NONEXISTENT]"), ("DELETE INBOX", "NO [CANNOT]"), ("DELETE up", "NO [HASCHILDREN]"),
        ("SELECT nowhere", "NO [NONEXISTENT]"), ("STATUS nowhere (MESSAGES)", "NO [NONEXISTENT]"),
        ("COPY 1 nowhere", "NO [TRYCREATE]"), ("MOVE 1 nowhere", "NO [TRYCREATE]"),
        ("UID COPY 1 nowhere", "NO [TRYCREATE]"), ("SELECT up", "NO [NONEXISTENT]"),
    ]) func codes(command: String, answer: String) async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("CREATE up/down")
        _ = await dialogue.command("DELETE up")
        #expect(await dialogue.fails(command).hasPrefix(answer))
    }
}
