import Testing

@testable import MIME

@Suite struct MessageSearchTests {
    static let bytes = mail(
        """
        Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
        X-Empty:
        Content-Type: multipart/mixed; boundary=o

        preamble words
        --o
        Content-Type: text/plain; charset=iso-8859-1
        Content-Transfer-Encoding: quoted-printable

        Sch=F6ne lan=
        ge Zeile
        --o
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: base64

        PGI+VGVzdCDigqw8L2I+
        --o
        Content-Type: application/pdf; name="=?utf-8?q?Angeb=C3=B6t?=.pdf"

        binarystuff
        --o
        Content-Type: message/delivery-status

        Action: failed
        --o
        Content-Type: message/rfc822

        Subject: embedded =?utf-8?b?w6R1w59lcnN0?=

        inner text
        --o--
        """)

    @Test(arguments: [
        ("schöne LANGE zeile", true, true),
        ("test €", true, true),
        ("angeböt.pdf", true, true),
        ("EMBEDDED ÄUSSERST", true, true),
        ("inner text", true, true),
        ("action: FAILED", true, true),
        ("grüsse", false, true),
        ("subject: grüß", false, true),
        ("binarystuff", false, false),
        ("Sch=F6ne", false, false),
        ("", true, true),
    ])
    func finds(text: String, inBody: Bool, inText: Bool) {
        let message = Message(parsing: Self.bytes)
        let query = TextQuery(text)
        let isInBody = message.bodyContains(query, in: Self.bytes.span)
        let isInText = message.contains(query, in: Self.bytes.span)
        #expect(isInBody == inBody)
        #expect(isInText == inText)
    }

    @Test(arguments: [
        ("subject", "GRÜSSE", true), ("Subject", "", true), ("X-Empty", "", true), ("X-None", "", false),
        ("X-Empty", "a", false), ("Subject", "Subject", false),
    ])
    func findsInFields(name: String, text: String, expected: Bool) {
        let header = HeaderBlock(scanning: Self.bytes.span)
        let isFound = header.contains(TextQuery(text), inFieldsNamed: name, in: Self.bytes.span)
        #expect(isFound == expected)
    }

    @Test func findsAcrossPiecesOfALargeBody() {
        let filler = String(repeating: "0123456789abcde\n", count: 65_536 / 17 - 1)
        let padding = String(
            repeating: "x", count: 65_536 - filler.utf8.count - filler.count(where: { $0 == "\n" }) - 3)
        let bytes = mail("Subject: x\n\n" + filler + padding + "needle\n")
        let message = Message(parsing: bytes)
        let found = ["xNEEDLE", "needles"].map { message.bodyContains(TextQuery($0), in: bytes.span) }
        #expect(found == [true, false])
    }
}
