import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// FETCH BINARY and APPEND with literal8 (RFC 3516), PREVIEW (RFC 8970).
@Suite struct IMAPSessionBinaryTests {
    /// Part 1 is base64 with a NUL at offset 3, 2 quoted-printable, 3 unencoded, 4 a message, 5 in an unknown encoding.
    static let message = """
        Subject: binary
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary=b

        --b
        Content-Type: application/octet-stream
        Content-Transfer-Encoding: BASE64

        YWJjAGRl
        Zmc=
        --b
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        f=C3=BCr=
         dich=3D
        --b

        as it is
        --b
        Content-Type: message/rfc822

        Subject: inner

        inside
        --b
        Content-Type: text/plain
        Content-Transfer-Encoding: x-rot13

        uryyb
        --b--

        """

    @Test(arguments: [
        ("BINARY.PEEK[1]", "(BINARY[1] ~{8}|abc\0defg)"),
        ("BINARY.PEEK[1]<0.3>", "(BINARY[1]<0> {3}|abc)"),
        ("BINARY.PEEK[1]<4.100>", "(BINARY[1]<4> {4}|defg)"),
        ("BINARY.PEEK[1]<3.1>", "(BINARY[1]<3> ~{1}|\0)"),
        ("BINARY.PEEK[1]<8.1>", "(BINARY[1]<8> {0}|)"),
        ("BINARY.PEEK[1]<4294967296.1>", "(BINARY[1]<4294967296> {0}|)"),
        ("BINARY.SIZE[1]", "(BINARY.SIZE[1] 8)"),
        ("BINARY.PEEK[2]", "(BINARY[2] {10}|für dich=)"),
        ("BINARY.SIZE[2]", "(BINARY.SIZE[2] 10)"),
        ("BINARY.PEEK[3]", "(BINARY[3] {8}|as it is)"),
        ("BINARY.PEEK[3]<3.2>", "(BINARY[3]<3> {2}|it)"),
        ("BINARY.PEEK[4.1]", "(BINARY[4.1] {6}|inside)"),
        ("BINARY.PEEK[4]", "(BINARY[4] {24}|Subject: inner||inside)"), ("BINARY.SIZE[4]", "(BINARY.SIZE[4] 24)"),
        ("BINARY.PEEK[4]<9.5>", "(BINARY[4]<9> {5}|inner)"),
        ("BINARY.PEEK[9]", "(BINARY[9] NIL)"),
        ("BINARY.SIZE[9]", "(BINARY.SIZE[9] 0)"),
        ("BINARY.PEEK[]<0.7>", "(BINARY[]<0> {7}|Subject)"),
        ("(BINARY.SIZE[3] BINARY.PEEK[3] UID)", "(BINARY.SIZE[3] 8 BINARY[3] {8}|as it is UID 1)"),
    ]) func sections(item: String, answer: String) async throws {
        let mail = try IMAPTestMail()
        try mail.append(Self.message)
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(await dialogue.ok("FETCH 1 \(item)").joined(separator: "|") == "* 1 FETCH \(answer)")
    }

    @Test func whatCannotBeDecoded() async throws {
        let mail = try IMAPTestMail()
        try mail.append(Self.message)
        try mail.append("Subject: x\n\nplain\n")
        let dialogue = await IMAPDialogue.alice(mail)
        for item in ["BINARY.PEEK[5]", "BINARY.SIZE[5]"] {
            let (lines, result) = await dialogue.command("FETCH 1 \(item)")
            #expect(lines.isEmpty && result.hasPrefix("NO [UNKNOWN-CTE] "))
        }
        try mail.append(
            "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\nx\n"
                + "--i--\n--o\nContent-Type: message/rfc822\nContent-Transfer-Encoding: x-rot13\n\nSubject: x\n\n--o--\n"
        )
        await dialogue.ok("NOOP")
        #expect(await dialogue.fails("FETCH 3 BINARY.PEEK[1]").hasPrefix("NO [CANNOT] "))
        #expect(await dialogue.fails("FETCH 3 BINARY.SIZE[2]").hasPrefix("NO [UNKNOWN-CTE] "))
        // \Seen is set and reported.
        let (update, answer) = await dialogue.command("FETCH 1 BINARY[5]")
        #expect(
            update.count == 1 && update[line: 0].hasPrefix("* 1 FETCH (FLAGS (") && update[line: 0].contains(#"\Seen"#))
        #expect(answer.hasPrefix("NO [UNKNOWN-CTE] "))
        // The remaining items are returned all the same.
        let (lines, result) = await dialogue.command("UID FETCH 1:2 (BINARY.PEEK[5] BINARY.SIZE[1])")
        #expect(lines == ["* 1 FETCH (UID 1 BINARY.SIZE[1] 8)", "* 2 FETCH (UID 2 BINARY[5] NIL BINARY.SIZE[1] 7)"])
        #expect(result.hasPrefix("NO [UNKNOWN-CTE] "))
    }

    @Test func seen() async throws {
        let mail = try IMAPTestMail()
        try mail.append(Self.message)
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])")
        #expect(try mail.mailbox().snapshot().messages[0].flags == [])
        #expect(
            await dialogue.ok("FETCH 1 BINARY[3]") == ["* 1 FETCH (BINARY[3] {8}", #"as it is FLAGS (\Seen \Recent))"#])
    }

    /// Larger than the pieces on either side of the decoder, and than one turn of counting.
    @Test func largeParts() async throws {
        let mail = try IMAPTestMail()
        // 57 octets per line: "0123456789" over and over, with a NUL as the very last octet.
        let lines = 120_000
        let line = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\n"
        try mail.append(
            "Content-Type: x/y\nContent-Transfer-Encoding: base64\n\n" + String(repeating: line, count: lines)
                + "AA==\n")
        let dialogue = await IMAPDialogue.alice(mail)
        let size = lines * 57 + 1
        #expect(await dialogue.ok("FETCH 1 BINARY.SIZE[1]") == ["* 1 FETCH (BINARY.SIZE[1] \(size))"])
        let whole = await dialogue.ok("FETCH 1 BINARY.PEEK[1]")
        #expect(whole.count == 2 && whole[line: 0] == "* 1 FETCH (BINARY[1] ~{\(size)}")
        #expect(whole[line: 1].utf8.count == size + 1 && whole[line: 1].hasSuffix("456\0)"))
        let unit = "012345678901234567890123456789012345678901234567890123456"
        for offset in [0, 56, 32_767 * 57, 57 * 119_999 + 50] {
            let start = offset % 57
            let expected = (unit + unit).dropFirst(start).prefix(7)
            #expect(
                await dialogue.ok("FETCH 1 BINARY.PEEK[1]<\(offset).7>")
                    == ["* 1 FETCH (BINARY[1]<\(offset)> {7}", "\(expected))"])
        }
        #expect(await dialogue.ok("FETCH 1 BINARY.PEEK[1]<\(size - 2).70>").last == "6\0)")
    }

    @Test func previews() async throws {
        let mail = try IMAPTestMail()
        try mail.append("Content-Type: text/html\n\n<p>Hello &amp; welcome</p>")
        try mail.append("Content-Type: text/plain; charset=utf-8\n\nGrüße")
        try mail.append("Content-Type: application/pkcs7-mime\n\nMIIB")
        try mail.append(Self.message)
        // Text that begins far inside a message larger than the part that is examined.
        let large = String(repeating: "AAAA", count: 15) + "\n"
        try mail.append(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n\n"
                + String(repeating: large, count: 2000) + "--b\n\nfound\n--b\n\n"
                + String(repeating: large, count: 9000))
        let dialogue = await IMAPDialogue.alice(mail)
        let answers = [
            #"* 1 FETCH (PREVIEW "Hello & welcome")"#, "* 2 FETCH (PREVIEW {7}", "Grüße)", #"* 3 FETCH (PREVIEW "")"#,
            "* 4 FETCH (PREVIEW {10}", "für dich=)", #"* 5 FETCH (PREVIEW "found")"#,
        ]
        #expect(await dialogue.ok("FETCH 1:* (PREVIEW)") == answers)
        #expect(await dialogue.ok("FETCH 1:* (PREVIEW (LAZY))") == answers)
        #expect(await dialogue.ok("FETCH 1 PREVIEW (LAZY)") == [answers[0]])
        #expect(try mail.mailbox().snapshot().messages[0].flags == [])
    }
}
