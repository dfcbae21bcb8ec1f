import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

@Suite struct IMAPSessionSearchTests {
    /// Four messages that differ in every property.
    private static func mail() throws -> IMAPTestMail {
        let mail = try IMAPTestMail()
        let day: Int64 = 86_400
        try mail.append(
            "From: Ann <ann@example.org>\nSubject: Red apple\nDate: Mon, 01 Jan 2024 10:00:00 +0000\n\nfirst body\n",
            .seen, date: 19_723 * day)
        try mail.append(
            "From: bob@example.com\nTo: alice@example.com\nSubject: =?UTF-8?Q?Gr=C3=BCn?= pear\n"
                + "Date: Wed, 03 Jan 2024 23:30:00 -0500\n\nsecond body with Ärger\n",
            [.flagged, .answered], date: 19_726 * day)
        try mail.append(
            "Subject: blue\nX-Tag: special\n\n" + String(repeating: "long line of text\n", count: 100), .draft)
        try mail.append(
            "Subject: enc\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                + "Content-Transfer-Encoding: base64\n\naGlkZGVuIHRyZWFzdXJlCg==\n", .deleted)
        return mail
    }

    @Test(arguments: [
        ("ALL", "1 2 3 4"), ("SEEN", "1"), ("UNSEEN", "2 3 4"), ("FLAGGED ANSWERED", "2"), ("OR SEEN DELETED", "1 4"),
        ("NOT (SEEN)", "2 3 4"), ("UNDRAFT", "1 2 4"), ("RECENT", "1 2 3 4"), ("NEW", "2 3 4"), ("OLD", ""),
        ("2:3", "2 3"), ("UID 3:*", "3 4"), ("UID 99:*", "4"), ("NOT 1:3", "4"), ("KEYWORD nope", ""),
        ("UNKEYWORD nope", "1 2 3 4"),
        ("SUBJECT apple", "1"), ("SUBJECT APPLE", "1"), ("FROM ann", "1"), ("TO alice", "2"),
        ("HEADER x-tag \"\"", "3"),
        ("HEADER X-Tag special", "3"), ("HEADER \"X-Tag \" special", ""), ("HEADER X-Tag: special", ""),
        ("HEADER \"\" special", ""), ("NOT HEADER \"\" \"\"", "1 2 3 4"), ("BODY body", "1 2"), ("TEXT blue", "3"),
        ("BODY treasure", "4"),
        ("TEXT \"long line\"", "3"), ("LARGER 1000", "3"), ("SMALLER 103", "1"),
        ("SINCE 4-Jan-2024 BEFORE 5-Jan-2024", "2"),
        ("ON 1-Jan-2024", "1"), ("SENTON 3-Jan-2024", "2"), ("SENTBEFORE 2-Jan-2024", "1"),
        ("SENTSINCE 2-Jan-2024", "2"),
        ("SEEN SUBJECT pear", ""), ("OR SUBJECT apple SUBJECT pear", "1 2"),
    ]) func keys(keys: String, numbers: String) async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        let expected = ["* SEARCH" + (numbers.isEmpty ? "" : " " + numbers)]
        #expect(await dialogue.ok("SEARCH \(keys)") == expected, "\(keys)")
    }

    /// The session's clock is fixed at 1,700,000,000.
    @Test func ages() async throws {
        let mail = try IMAPTestMail()
        for age in [10, 1_000, 100_000] as [Int64] { try mail.append("Subject: x\n\ny\n", date: 1_700_000_000 - age) }
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(await dialogue.ok("SEARCH YOUNGER 1000") == ["* SEARCH 1 2"])
        #expect(await dialogue.ok("SEARCH OLDER 1000") == ["* SEARCH 2 3"])
    }

    @Test func charsets() async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        #expect(await dialogue.ok("SEARCH CHARSET UTF-8 SUBJECT {5+}\r\ngrün") == ["* SEARCH 2"])
        #expect(await dialogue.ok("SEARCH CHARSET UTF-8 BODY {6+}\r\närger") == ["* SEARCH 2"])
        #expect(await dialogue.ok("SEARCH CHARSET US-ASCII SUBJECT blue") == ["* SEARCH 3"])
        #expect(await dialogue.fails("SEARCH CHARSET X-NONE SUBJECT x").hasPrefix("NO [BADCHARSET (UTF-8 US-ASCII "))
    }

    @Test func numbersAndUIDs() async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        await dialogue.ok("EXPUNGE")
        await dialogue.ok(#"STORE 1 +FLAGS.SILENT \Deleted"#)
        await dialogue.ok("EXPUNGE")
        #expect(await dialogue.ok("SEARCH ALL") == ["* SEARCH 1 2"])
        #expect(await dialogue.ok("UID SEARCH ALL") == ["* SEARCH 2 3"])
        #expect(await dialogue.ok("UID SEARCH 2") == ["* SEARCH 3"])
    }

    @Test func extendedAnswers() async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        func esearch(_ command: String) async -> String {
            await dialogue.ok(command).first.map { String($0.drop { $0 != ")" }.dropFirst()) } ?? ""
        }
        #expect(await esearch("SEARCH RETURN () ALL") == " ALL 1:4")
        #expect(await esearch("SEARCH RETURN (MIN MAX COUNT) UNSEEN") == " MIN 2 MAX 4 COUNT 3")
        #expect(await esearch("UID SEARCH RETURN (ALL) OR 1 3:4") == " UID ALL 1,3:4")
        #expect(await esearch("SEARCH RETURN (MIN COUNT) KEYWORD x") == " COUNT 0")
        #expect(await dialogue.ok("SEARCH RETURN (SAVE) UNSEEN").isEmpty)
        #expect(await dialogue.ok("FETCH $ UID").count == 3)
        #expect(await dialogue.ok("UID SEARCH UID $ DRAFT") == ["* SEARCH 3"])
        #expect(await dialogue.ok("SEARCH $ DELETED") == ["* SEARCH 4"])
    }

    /// RFC 9051 section 6.4.4: no SEARCH responses for a client that uses IMAP4rev2.
    @Test func answersOfRev2() async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        await dialogue.ok("ENABLE IMAP4rev2")
        func answer(_ command: String) async -> String {
            await dialogue.ok(command).first.map { String($0.prefix { $0 != "\"" } + $0.drop { $0 != ")" }) } ?? ""
        }
        #expect(await answer("SEARCH UNSEEN") == "* ESEARCH (TAG ) ALL 2:4")
        #expect(await answer("UID SEARCH SEEN") == "* ESEARCH (TAG ) UID ALL 1")
        #expect(await answer("SEARCH KEYWORD nope") == "* ESEARCH (TAG )")
        #expect(await answer("SEARCH RETURN (COUNT) ALL") == "* ESEARCH (TAG ) COUNT 4")
    }
}
