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
        ("angeböt.pdf", false, true),
        ("EMBEDDED ÄUSSERST", false, true),
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

    /// Searches a source that returns `size` bytes at a time.
    private func search(_ text: String, in bytes: [UInt8], size: Int) -> (isInBody: Bool, isInText: Bool) {
        let message = Message(parsing: bytes)
        let read: Message.Reading<Never> = { range, take in
            var start = range.lowerBound
            while start < range.upperBound {
                let end = min(start + size, range.upperBound)
                guard take(bytes.span.extracting(start..<end)) else { return }
                start = end
            }
        }
        let query = TextQuery(text)
        return (message.bodyContains(query, reading: read), message.contains(query, reading: read))
    }

    @Test(arguments: [
        ("schöne LANGE zeile", true, true), ("test €", true, true), ("angeböt.pdf", false, true),
        ("EMBEDDED ÄUSSERST", false, true), ("subject: grüß", false, true), ("binarystuff", false, false),
    ])
    func findsInPieces(text: String, inBody: Bool, inText: Bool) {
        for size in [1, 2, 3, 10, 100, 1 << 16] {
            let found = search(text, in: Self.bytes, size: size)
            #expect(found.isInBody == inBody)
            #expect(found.isInText == inText)
        }
    }

    @Test func stopsReadingWhereItFinds() {
        let bytes = mail("Subject: x\n\nneedle\n") + [UInt8](repeating: 0x61, count: 1000)
        let message = Message(parsing: bytes)
        var pieces = 0
        let isFound = message.bodyContains(TextQuery("needle")) { range, take in
            for start in stride(from: range.lowerBound, to: range.upperBound, by: 10) {
                pieces += 1
                guard take(bytes.span.extracting(start..<min(start + 10, range.upperBound))) else { return }
            }
        }
        #expect(isFound)
        #expect(pieces == 1)
    }

    @Test func aSourceThatEndsTooEarly() {
        let message = Message(parsing: Self.bytes)
        let isFound = message.contains(TextQuery("needle")) { _, take in _ = take([UInt8]().span) }
        #expect(!isFound)
    }
}
