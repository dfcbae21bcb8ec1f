import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// FETCH of malformed messages, and the names of sections. RFC 9051 section 6.4.5.
@Suite struct IMAPSessionFetchSectionTests {
    /// A multipart in a multipart, with a message that contains a multipart: part 2.2 of the message is 2.2.1 and so
    /// on.
    static let nested = """
        Subject: nested
        Content-Type: multipart/mixed; boundary=a

        --a

        one
        --a
        Content-Type: multipart/mixed; boundary=b

        --b
        Content-Type: text/plain
        X-Field: two

        two.one
        --b
        Content-Type: message/rfc822

        Subject: inner
        X-Inner: yes
        Content-Type: multipart/mixed; boundary=c

        --c

        deep
        --c--
        --b--
        --a--

        """

    @Test(arguments: [
        ("BODY.PEEK[1]", "(BODY[1] {3}|one)"),
        ("BODY.PEEK[2.1]", "(BODY[2.1] {7}|two.one)"),
        ("BODY.PEEK[2.1.MIME]", "(BODY[2.1.MIME] {42}|Content-Type: text/plain|X-Field: two||)"),
        ("BODY.PEEK[1.MIME]", "(BODY[1.MIME] {2}||)"),
        ("BODY.PEEK[2.2.HEADER.FIELDS (subject)]", "(BODY[2.2.HEADER.FIELDS (subject)] {18}|Subject: inner||)"),
        (
            "BODY.PEEK[2.2.HEADER.FIELDS.NOT (Content-Type)]<0.9>",
            "(BODY[2.2.HEADER.FIELDS.NOT (Content-Type)]<0> {9}|Subject: )"
        ),
        ("BODY.PEEK[2.2.1]", "(BODY[2.2.1] {4}|deep)"),
        ("BODY.PEEK[2.2.1.MIME]", "(BODY[2.2.1.MIME] {2}||)"),
        ("BODY.PEEK[2.2.TEXT]<0.5>", "(BODY[2.2.TEXT]<0> {5}|--c|)"),
        ("body.peek[2.1.mime]<100.1>", "(BODY[2.1.MIME]<100> {0}|)"),
        ("BODY.PEEK[2.3]", "(BODY[2.3] NIL)"),
        ("BODY.PEEK[1.1]", "(BODY[1.1] NIL)"),
        ("BODY.PEEK[2.HEADER]", "(BODY[2.HEADER] NIL)"),
        ("BODY.PEEK[1.TEXT]", "(BODY[1.TEXT] NIL)"),
        ("BODY.PEEK[9.MIME]<0.5>", "(BODY[9.MIME]<0> NIL)"),
        ("BODY.PEEK[header]<100000.5>", "(BODY[HEADER]<100000> {0}|)"),
        (
            "body.peek[header.fields (\"SUBJECT\" x-none)]",
            "(BODY[HEADER.FIELDS (SUBJECT x-none)] {19}|Subject: nested||)"
        ),
        (#"BODY.PEEK[HEADER.FIELDS (Subject: "a \"b\"" "")]"#, #"(BODY[HEADER.FIELDS (Subject: "a \"b\"" "")] {2}||)"#),
        ("BODY.PEEK[HEADER.FIELDS (X-None)]", "(BODY[HEADER.FIELDS (X-None)] {2}||)"),
        ("BODY.PEEK[TEXT]<0.10>", "(BODY[TEXT]<0> {10}|--a||one)"),
        ("BODY.PEEK[]<9223372036854775807.9223372036854775807>", "(BODY[]<9223372036854775807> {0}|)"),
    ]) func sections(item: String, answer: String) async throws {
        let mail = try IMAPTestMail()
        try mail.append(Self.nested)
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(await dialogue.ok("FETCH 1 \(item)").joined(separator: "|") == "* 1 FETCH \(answer)")
    }

    @Test(arguments: [
        // No blank line: the whole message is the header, and its fields end without a blank line too.
        ("Subject: x\n", "{12}|Subject: x|", "{0}|", "{12}|Subject: x|", "{0}|"),
        ("Subject: x", "{10}|Subject: x", "{0}|", "{12}|Subject: x|", "{0}|"),
        ("Subject: x\n\n", "{14}|Subject: x||", "{0}|", "{14}|Subject: x||", "{2}||"),
        // A line that is not a field is part of the header, and no name excludes it.
        ("Subject: x\nno field\n", "{22}|Subject: x|no field|", "{0}|", "{12}|Subject: x|", "{10}|no field|"),
        ("no field\nSubject: x\n\ny", "{24}|no field|Subject: x||", "{1}|y", "{14}|Subject: x||", "{12}|no field||"),
        ("\nbody", "{2}||", "{4}|body", "{2}||", "{2}||"),
        ("text only", "{9}|text only", "{0}|", "{0}|", "{11}|text only|"),
    ]) func withoutABlankLine(
        message: String, header: String, text: String, subject: String, rest: String
    ) async throws {
        for embeds in [false, true] {
            let mail = try IMAPTestMail()
            try mail.append(embeds ? "Content-Type: message/rfc822\n\n\(message)" : message)
            let dialogue = await IMAPDialogue.alice(mail)
            let part = embeds ? "1." : ""
            // Twice: from the message, then from the read cache.
            for section in ["HEADER", "TEXT", "HEADER.FIELDS (Subject)", "HEADER.FIELDS.NOT (Subject)"] {
                let expected = [
                    "HEADER": header, "TEXT": text, "HEADER.FIELDS (Subject)": subject,
                ][section, default: rest]
                for _ in 1...2 {
                    let answer = await dialogue.ok("FETCH 1 BODY.PEEK[\(part)\(section)]").joined(separator: "|")
                    #expect(answer == "* 1 FETCH (BODY[\(part)\(section)] \(expected))")
                }
            }
        }
    }

    @Test func seenOnlyByWhatSaysSo() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        let dialogue = await IMAPDialogue.alice(mail)
        for item in [
            "RFC822.HEADER", "RFC822.SIZE", "BODY.PEEK[]", "BODY", "BODYSTRUCTURE", "ENVELOPE", "ALL", "FULL", "FAST",
            "BINARY.PEEK[1]", "BINARY.SIZE[1]", "PREVIEW",
        ] {
            await dialogue.ok("FETCH 1 \(item)")
            #expect(try mail.mailbox().snapshot().messages[0].flags == [], "\(item)")
        }
        for item in ["RFC822", "RFC822.TEXT", "BODY[HEADER]", "BODY[1]", "BINARY[1]", "BODY[HEADER.FIELDS (X)]"] {
            #expect(
                await dialogue.ok("FETCH 1 \(item)").last?.hasSuffix(#" FLAGS (\Seen \Recent))"#) == true, "\(item)")
            await dialogue.ok(#"STORE 1 -FLAGS.SILENT \Seen"#)
        }
        // A client that follows mod-sequences receives them (RFC 7162 section 3.1).
        await dialogue.ok("ENABLE CONDSTORE")
        let answer = await dialogue.ok("FETCH 1 BODY[TEXT]").last ?? ""
        let modSeq = try mail.mailbox().snapshot().highestModSeq
        #expect(answer.hasSuffix(#" UID 1 FLAGS (\Seen \Recent) MODSEQ (\#(modSeq)))"#), "\(answer)")
    }

    @Test func macros() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        let dialogue = await IMAPDialogue.alice(mail)
        func names(_ macro: String) async -> [String] {
            let answer = await dialogue.ok("FETCH 1 \(macro)").joined()
            return ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY ("].filter { answer.contains($0) }
        }
        #expect(await names("fast") == ["FLAGS", "INTERNALDATE", "RFC822.SIZE"])
        #expect(await names("ALL") == ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"])
        #expect(await names("Full") == ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY ("])
        // Macros cannot be combined with other items.
        #expect(await dialogue.fails("FETCH 1 (ALL)").hasPrefix("BAD "))
        #expect(await dialogue.fails("FETCH 1 (FLAGS FAST)").hasPrefix("BAD "))
    }

    /// Quoted strings hold ASCII without line ends, with quotes and backslashes escaped; anything else is a literal.
    @Test func stringsOfEnvelopes() async throws {
        let mail = try IMAPTestMail()
        try mail.append("Subject: a \"b\" \\c\n\n")
        try mail.append("Subject: Grüße\n\n")
        try mail.append("Subject: \(String(repeating: "x", count: 2000))\n\n")
        try mail.append("Subject: folded\n\tline\n\n")
        try mail.append("Subject:\n\n")
        try mail.append("From: \"q\\\"u\" <a\\b@c>\nX: y\n\n")
        let dialogue = await IMAPDialogue.alice(mail)
        func subject(_ number: Int) async -> String {
            let answer = await dialogue.ok("FETCH \(number) ENVELOPE").joined(separator: "|")
            return String(answer.dropFirst("* 1 FETCH (ENVELOPE (NIL ".count))
        }
        #expect(await subject(1).hasPrefix(#""a \"b\" \\c" NIL"#))
        #expect(await subject(2).hasPrefix("{7}|Grüße NIL"))
        #expect(await subject(3).hasPrefix("{2000}|xxx"))
        #expect(await subject(4).hasPrefix(#""folded line" NIL"#))
        #expect(await subject(5).hasPrefix(#""" NIL"#))
        #expect(await subject(6).contains(#"(("q\"u" NIL "a\\b" "c"))"#))
    }
}
