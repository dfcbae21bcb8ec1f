import TestSupport
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// ENVELOPE and BODYSTRUCTURE of malformed mail (RFC 9051 section 7.5.2).
@Suite struct IMAPSessionStructureTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let message: String
        let structure: String
        var testDescription: String { name }
    }

    static let rows: [Row] = [
        Row(
            name: "nothing", message: "",
            structure: #"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)"#),
        Row(
            name: "multipart without a boundary line", message: "Content-Type: multipart/mixed; boundary=b\n\nlost\n",
            structure: #"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 1 NIL NIL NIL NIL)"#),
        Row(
            name: "multipart with its end alone", message: "Content-Type: multipart/mixed; boundary=b\n\n--b--\n",
            structure: #"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)"#),
        Row(
            name: "part without header and body", message: "Content-Type: multipart/mixed; boundary=b\n\n--b\n",
            structure: #"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)"#
                + #" "mixed" ("boundary" "b") NIL NIL NIL)"#),
        Row(
            name: "message in a multipart",
            message: "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"
                + "Subject: in\n\nx\n--b--\n",
            structure: #"(("message" "rfc822" NIL NIL NIL "7bit" 16 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)"#
                + #" ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)"#
                + #" "mixed" ("boundary" "b") NIL NIL NIL)"#),
        Row(
            name: "message without anything", message: "Content-Type: message/rfc822\n\n",
            structure: #"("message" "rfc822" NIL NIL NIL "7bit" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"#
                + #" ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) 0 NIL NIL NIL NIL)"#),
        Row(
            name: "a report is no message", message: "Content-Type: message/delivery-status\n\nAction: failed\n",
            structure: #"("message" "delivery-status" NIL NIL NIL "7bit" 16 NIL NIL NIL NIL)"#),
        Row(
            name: "garbage for a type", message: "Content-Type: ///;;; charset\n\nx\n",
            structure: #"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)"#),
        Row(
            name: "a type without subtype", message: "Content-Type: pdf; name=x\n\nx\n",
            structure: #"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)"#),
        Row(
            name: "the first of two that can be read",
            message:
                "Content-Type: ;\nContent-Type: text/html\nContent-Type: image/png\nContent-ID: <1@a>\nContent-ID: <2@a>\n\n",
            structure: #"("text" "html" ("charset" "us-ascii") "<1@a>" NIL "7bit" 0 0 NIL NIL NIL NIL)"#),
        Row(
            name: "eight bits in parameters and description",
            message:
                "Content-Type: image/png; name=\"ä\"\nContent-Description: ö\nContent-Disposition: attachment; filename=ü\n\n",
            structure: "(\"image\" \"png\" (\"name\" {2}\r\nä) NIL {2}\r\nö \"7bit\" 0"
                + " NIL (\"attachment\" (\"filename\" {2}\r\nü)) NIL NIL)"),
        Row(
            name: "quotes, backslashes, folds and empty values",
            message:
                "Content-Type: image/png; name=\"a\\\"b\\\\c\";\n\tx=\"\"; y\nContent-Description: a \"b\"\n  c\n\n",
            structure: #"("image" "png" ("name" "a\"b\\c" "x" "") NIL "a \"b\"  c" "7bit" 0 NIL NIL NIL NIL)"#),
        Row(
            name: "continuations",
            message: "Content-Type: image/png; name*1*=%C3%A4.png; name*0*=utf-8''x\nContent-Disposition: inline\n\n",
            structure: #"("image" "png" ("name*" "utf-8''x%C3%A4.png") NIL NIL "7bit" 0 NIL ("inline" NIL) NIL NIL)"#),
        Row(
            name: "languages and location",
            message:
                "Content-Type: image/png\nContent-Language: de, en (x)\nContent-Location: a b\nContent-MD5: x==\n\n",
            structure: #"("image" "png" NIL NIL NIL "7bit" 0 "x==" NIL ("de" "en") "a b")"#),
    ]

    @Test(arguments: rows)
    func structure(_ row: Row) async throws {
        let mail = try IMAPTestMail()
        try mail.append(row.message)
        let dialogue = await IMAPDialogue.alice(mail)
        let answer = await dialogue.ok("FETCH 1 BODYSTRUCTURE").joined(separator: "\r\n")
        #expect(answer == "* 1 FETCH (BODYSTRUCTURE \(row.structure))")
    }

    static let pieces = [
        "\n", "\n\n", "\n--b\n", "\n--b--\n", "--c\n", "Content-Type: multipart/mixed; boundary=b\n\n",
        "Content-Type: multipart/digest; boundary=\"c\"\n\n", "Content-Type: message/rfc822\n\n",
        "Content-Type: message/global\n", "Content-Type: multipart", "Content-Type: text", "Content-Type: message/x",
        "/", "; name=", "; name*0*=utf-8''%C3", "; name*1=ä", "\"", "\\", "(", ")", "<", ">", "@", ",", ";", ":", "[",
        "From: ", "To: a b <c@d>, e", "Cc: g: h@i;", "Subject: ", "Date: ", "Message-ID: ", "In-Reply-To: ",
        "Content-ID: <", "Content-Description: ", "Content-Disposition: attachment; filename=", "Content-MD5: ",
        "Content-Language: de, en, ", "Content-Location: ", "Content-Transfer-Encoding: base64\n",
        "Content-Transfer-Encoding: ä\n", " ", "\t", "\r", "\0", "ä", "€", "x", "\n x", "NIL", "{3}", "=?utf-8?q?=00?=",
    ]

    /// IMAP4rev1 has no envelope in MESSAGE/GLOBAL; IMAP4rev2 does. Twice, since the read cache may store it.
    @Test func globalMessages() async throws {
        let mail = try IMAPTestMail()
        try mail.append("Content-Type: message/global\n\nSubject: in\n\nx\n")
        try mail.append("Content-Type: message/rfc822\n\nContent-Type: message/global\n\nSubject: in\n\nx\n")
        let (old, new) = (await IMAPDialogue.alice(mail), await IMAPDialogue.alice(mail))
        await new.ok("ENABLE IMAP4rev2")
        let envelope = #"(NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)"#
        let inner = #" \#(envelope) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL) 3"#
        for _ in 1...2 {
            for (dialogue, form) in [(old, ""), (new, inner)] {
                let global = #"("message" "global" NIL NIL NIL "7bit" 18\#(form) NIL NIL NIL NIL)"#
                let answers = await dialogue.ok("FETCH 1:* BODYSTRUCTURE")
                #expect(answers[line: 0] == "* 1 FETCH (BODYSTRUCTURE \(global))")
                #expect(answers[line: 1].contains("NIL) \(global) 5 NIL NIL NIL NIL))"))
            }
        }
        #expect(await old.ok("FETCH 1 BODY") == [#"* 1 FETCH (BODY ("message" "global" NIL NIL NIL "7bit" 18))"#])
        #expect(await old.ok("FETCH 1 BODY.PEEK[1.TEXT]") == ["* 1 FETCH (BODY[1.TEXT] {3}", "x", ")"])
    }

    @Test(arguments: [false, true]) func everyAnswerKeepsTheGrammar(isRev2: Bool) async throws {
        let mail = try IMAPTestMail()
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<400 {
            let count = Int.random(in: 0...40, using: &generator)
            try mail.append(
                (0..<count).map { _ in generator.pick(Self.pieces) }.joined())
        }
        let dialogue = await IMAPDialogue.alice(mail)
        if isRev2 { await dialogue.ok("ENABLE IMAP4rev2") }
        let answer = await dialogue.ok("FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE)").joined(separator: "\r\n") + "\r\n"
        var grammar = IMAPStructureGrammar(answer, isRev2: isRev2)
        do {
            for number in 1...400 {
                try grammar.skip("* \(number) FETCH (ENVELOPE ")
                try grammar.envelope()
                try grammar.skip(" BODY ")
                try grammar.body(isExtensible: false)
                try grammar.skip(" BODYSTRUCTURE ")
                try grammar.body(isExtensible: true)
                try grammar.skip(")\r\n")
            }
        } catch {
            Issue.record("\(error)")
        }
        #expect(grammar.isAtEnd)
    }
}
