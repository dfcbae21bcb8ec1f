import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// APPEND of content that only a literal8 can hold (RFC 3516): stored as base64, available in both forms.
@Suite struct IMAPSessionBinaryAppendTests {
    private static func append(_ message: String) -> String {
        let text = message.replacing("\n", with: "\r\n")
        return "APPEND INBOX ~{\(text.utf8.count)+}\r\n\(text)"
    }

    @Test func aWholeMessage() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        let head = "Subject: s\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n\n"
        await dialogue.ok(Self.append(head + "he\0llo"))
        #expect(await dialogue.ok("FETCH 1 BODY.PEEK[1]") == ["* 1 FETCH (BODY[1] {8}", "aGUAbGxv)"])
        #expect(
            await dialogue.ok("FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])")
                == ["* 1 FETCH (BINARY.SIZE[1] 6 BINARY[1] ~{6}", "he\0llo)"])
        #expect(
            await dialogue.ok("FETCH 1 BODY") == [
                #"* 1 FETCH (BODY ("application" "octet-stream" NIL NIL NIL "base64" 8))"#
            ])
        let whole = await dialogue.ok("FETCH 1 (RFC822.SIZE BODY.PEEK[])")
        let size = head.replacing("\n", with: "\r\n").utf8.count + 8
        #expect(whole[line: 0] == "* 1 FETCH (RFC822.SIZE \(size) BODY[] {\(size)}")
        #expect(whole[line: 3] == "Content-Transfer-Encoding: base64")
    }

    @Test func partsOfParts() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok(
            Self.append(
                """
                Content-Type: multipart/mixed; boundary=a
                Content-Transfer-Encoding: binary

                --a

                text
                --a
                Content-Transfer-Encoding: BINARY (as it is)
                Content-Type: image/png

                \0\u{1}
                --a
                Content-Type: message/rfc822
                Content-Transfer-Encoding: binary

                Content-Transfer-Encoding: binary
                Subject: inner

                deep\0
                --a
                Content-Transfer-Encoding: binary

                --a--

                """))
        func fetch(_ item: String) async -> String { await dialogue.ok("FETCH 1 \(item)").joined(separator: "|") }
        #expect(await fetch("BODY.PEEK[1]") == "* 1 FETCH (BODY[1] {4}|text)")
        #expect(await fetch("BODY.PEEK[2]") == "* 1 FETCH (BODY[2] {4}|AAE=)")
        #expect(await fetch("BINARY.PEEK[2]") == "* 1 FETCH (BINARY[2] ~{2}|\0\u{1})")
        #expect(
            await fetch("BODY.PEEK[2.MIME]").contains("|Content-Transfer-Encoding: base64|Content-Type: image/png|"))
        // A part that contains others cannot be encoded itself.
        #expect(await fetch("BODY.PEEK[HEADER]").contains("|Content-Transfer-Encoding: binary|"))
        #expect(await fetch("BODY.PEEK[3.MIME]").contains("|Content-Transfer-Encoding: binary|"))
        #expect(
            await fetch("BODY.PEEK[3]")
                == "* 1 FETCH (BODY[3] {61}|Content-Transfer-Encoding: base64|Subject: inner||ZGVlcAA=)")
        #expect(await fetch("BINARY.PEEK[3.1]") == "* 1 FETCH (BINARY[3.1] ~{5}|deep\0)")
        #expect(await fetch("BODY.PEEK[4]") == "* 1 FETCH (BODY[4] {0}|)")
        // The summary was made from the stored form.
        let structure = await fetch("BODYSTRUCTURE")
        #expect(structure.matches(of: /"base64"/).count == 3 && structure.matches(of: /"binary"/).count == 1)
    }

    /// More than is read and encoded at a time.
    @Test(arguments: [57 * 1024 - 1, 57 * 1024, 57 * 1024 + 1, 200_000]) func large(count: Int) async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        let body = String(repeating: "0123456\0", count: count / 8 + 1).prefix(count)
        await dialogue.ok(Self.append("Content-Transfer-Encoding: binary\n\n\(body)"))
        let answer = await dialogue.ok("FETCH 1 BINARY.PEEK[1]")
        #expect(answer[line: 0] == "* 1 FETCH (BINARY[1] ~{\(count)}" && answer[line: 1] == "\(body))")
        let lines = await dialogue.ok("FETCH 1 BODY.PEEK[1]").dropFirst()
        #expect(lines.count == (count + 56) / 57 && lines.dropLast().allSatisfy { $0.utf8.count == 76 })
    }

    @Test func severalAndAReplacement() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        let text = "Content-Transfer-Encoding: binary\r\n\r\na\0b"
        let literal = "~{\(text.utf8.count)+}\r\n\(text)"
        await dialogue.ok("APPEND INBOX \(literal) {4+}\r\nlast \(literal)")
        await dialogue.ok("REPLACE 2 INBOX \(literal)")
        #expect(await dialogue.ok("FETCH 1:* BINARY.SIZE[1]").count == 3)
        #expect(await dialogue.ok("SEARCH TEXT \"Encoding: base64\"") == ["* SEARCH 1 2 3"])
        // All or none.
        #expect(await dialogue.fails("APPEND INBOX \(literal) ~{4+}\r\n\r\n\0x").hasPrefix("NO [UNKNOWN-CTE] "))
        #expect(try mail.mailbox().snapshot().messages.count == 3)
    }

    /// A NUL where nothing marks the content as binary.
    @Test(arguments: [
        "\na\0b", "Subject: \0\n\nx", "Content-Transfer-Encoding: 8bit\n\n\0",
        "Content-Transfer-Encoding: base64\n\n\0", "Content-Transfer-Encoding: binary\nX: \0\n\nx",
        "Content-Type: multipart/mixed; boundary=a\nContent-Transfer-Encoding: binary\n\n\0\n--a\n\nx\n--a--\n",
        "Content-Type: multipart/mixed; boundary=a\nContent-Transfer-Encoding: binary\n\n--a\n\n\0\n--a--\n",
    ]) func refused(message: String) async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(await dialogue.fails(Self.append(message)).hasPrefix("NO [UNKNOWN-CTE] "))
        #expect(try mail.mailbox().snapshot().messages.count == 0)
    }

    /// Applies even to content that a literal could hold: binary permits lines of any length and lone line ends.
    @Test func binaryWithoutNUL() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        await dialogue.ok(Self.append("Content-Transfer-Encoding: binary\n\nplain"))
        #expect(await dialogue.ok("FETCH 1 BODY.PEEK[TEXT]") == ["* 1 FETCH (BODY[TEXT] {8}", "cGxhaW4=)"])
        // Unchanged: no part is binary, or the message was sent as an ordinary literal.
        let text = "Content-Transfer-Encoding: binary\r\n\r\nplain"
        await dialogue.ok("APPEND INBOX {\(text.utf8.count)+}\r\n\(text)")
        await dialogue.ok(Self.append("Content-Transfer-Encoding: 8bit\n\nplain"))
        #expect(await dialogue.ok("FETCH 2:3 BODY.PEEK[TEXT]").filter { $0 == "plain)" }.count == 2)
    }
}
