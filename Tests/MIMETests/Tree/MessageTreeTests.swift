import Testing

@testable import MIME

@Suite struct MessageTreeTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let message: [UInt8]
        let structure: String
        var testDescription: String { name }
    }

    static let rows: [Row] = [
        Row(
            name: "plain", message: mail("Subject: x\n\nHello\nWorld\n"),
            structure: "(text/plain (charset=us-ascii) NIL NIL 7bit 14 2)"),
        Row(
            name: "last line not ended", message: mail("Subject: x\n\nHello\nWorld"),
            structure: "(text/plain (charset=us-ascii) NIL NIL 7bit 12 1)"),
        Row(
            name: "bare LF", message: utf8("Subject: x\n\nHello\nWorld\n"),
            structure: "(text/plain (charset=us-ascii) NIL NIL 7bit 12 2)"),
        Row(
            name: "header only", message: mail("Content-Type: image/png"),
            structure: "(image/png NIL NIL NIL 7bit 0)"),
        Row(name: "empty", message: [], structure: "(text/plain (charset=us-ascii) NIL NIL 7bit 0 0)"),
        Row(
            name: "all content fields",
            message: mail(
                "Content-Type: text/html; charset=utf-8\nContent-ID: <1@x>\nContent-Description: a\n b\n"
                    + "Content-Transfer-Encoding: (c) Base64 \n\nYQ==\n"),
            structure: "(text/html (charset=utf-8) <1@x> a b Base64 6 1)"),
        Row(
            name: "multipart",
            message: mail(
                """
                Content-Type: multipart/mixed; boundary="b"

                preamble
                --b

                one

                --b
                Content-Type: image/gif
                Content-Transfer-Encoding: base64

                R0lG
                --b--
                epilogue
                --b
                not a part
                """),
            structure: "((text/plain (charset=us-ascii) NIL NIL 7bit 5 1)(image/gif NIL NIL NIL base64 4) mixed)"),
        Row(
            name: "transport padding",
            message: mail("Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\nx\n--b-- \n"),
            structure: "((text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"),
        Row(
            name: "boundaries that begin alike",
            message: mail(
                """
                Content-Type: multipart/mixed; boundary=abc

                --abc
                Content-Type: multipart/alternative; boundary=abcd

                --abcd

                1
                --abcde
                --abcd
                Content-Type: text/html

                2
                --abcd--
                --abc

                3
                --abc--
                """),
            structure:
                "(((text/plain (charset=us-ascii) NIL NIL 7bit 10 1)(text/html (charset=us-ascii) NIL NIL 7bit 1 0)"
                + " alternative)(text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"),
        Row(
            name: "boundary that is another's closing line",
            message: mail(
                "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b--\n\n"
                    + "--b--\n\n1\n--b----\n--b\n\n2\n--b--\n"),
            structure: "(((text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"
                + "(text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"),
        Row(
            name: "closing line that is an outer boundary",
            message: mail(
                "Content-Type: multipart/mixed; boundary=b--\n\n--b--\nContent-Type: multipart/mixed; boundary=b\n\n"
                    + "--b\n\n1\n--b--\n--b--\n\n2\n--b----\n"),
            structure: "(((text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"
                + "(text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"),
        Row(
            name: "inner multipart not closed",
            message: mail(
                "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n"
                    + "--i\n\n1\n--o\n\n2\n--o--\n"),
            structure: "(((text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"
                + "(text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"),
        Row(
            name: "cut off in a part", message: mail("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n2"),
            structure: "((text/plain (charset=us-ascii) NIL NIL 7bit 4 1) mixed)"),
        Row(
            name: "cut off in a header",
            message: mail("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b"),
            structure: "((a/b NIL NIL NIL 7bit 0) mixed)"),
        Row(
            name: "parts without anything",
            message: mail("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n--b--\n"),
            structure:
                "((text/plain (charset=us-ascii) NIL NIL 7bit 0 0)(text/plain (charset=us-ascii) NIL NIL 7bit 0 0)"
                + " mixed)"),
        Row(
            name: "inner part that begins at the outer boundary line",
            message: mail(
                "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=i\n\n"
                    + "--i\n--b\nContent-Type: message/rfc822\n--b--\n"),
            structure: "(((text/plain (charset=us-ascii) NIL NIL 7bit 0 0) mixed)"
                + "(message/rfc822 NIL NIL NIL 7bit 0 <NIL> (text/plain (charset=us-ascii) NIL NIL 7bit 0 0) 0) mixed)"),
        Row(
            name: "part without blank line",
            message: mail("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n<p>\n--b--\n"),
            structure: "((text/html (charset=us-ascii) NIL NIL 7bit 0 0) mixed)"),
        Row(
            name: "no boundary parameter", message: mail("Content-Type: multipart/mixed\n\n--b\n\n1\n--b--\n"),
            structure: "(text/plain (charset=us-ascii) NIL NIL 7bit 17 4)"),
        Row(
            name: "no boundary line", message: mail("Content-Type: multipart/mixed; boundary=b\n\ntext\n"),
            structure: "(text/plain (charset=us-ascii) NIL NIL 7bit 6 1)"),
        Row(
            name: "blank boundary", message: mail("Content-Type: multipart/mixed; boundary=\" \"\n\n-- \n\n1\n"),
            structure: "(text/plain (charset=us-ascii) NIL NIL 7bit 10 3)"),
        Row(
            name: "boundary in continuations",
            message: mail("Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\n\n--ab\n\n1\n--ab--\n"),
            structure: "((text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"),
        Row(
            name: "embedded message",
            message: mail("Content-Type: message/rfc822\n\nSubject: inner\nContent-Type: text/html\n\n<p>\n</p>\n"),
            structure: "(message/rfc822 NIL NIL NIL 7bit 54 <inner> (text/html (charset=us-ascii) NIL NIL 7bit 11 2) 5)"
        ),
        Row(
            name: "embedded message in multipart",
            message: mail(
                "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n"
                    + "Subject: in\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\n1\n--i--\n--o--\n"),
            structure: "((message/rfc822 NIL NIL NIL 7bit 79 <in> "
                + "((text/plain (charset=us-ascii) NIL NIL 7bit 1 0) alternative) 6) mixed)"),
        Row(
            name: "embedded message without a field",
            message: mail("Content-Type: message/rfc822\n\nhello there\n"),
            structure: "(message/rfc822 NIL NIL NIL 7bit 13 <NIL> (text/plain (charset=us-ascii) NIL NIL 7bit 0 0) 1)"),
        Row(
            name: "embedded message without blank line",
            message: mail("Content-Type: message/rfc822\nhello there\n"),
            structure: "(message/rfc822 NIL NIL NIL 7bit 0 <NIL> (text/plain (charset=us-ascii) NIL NIL 7bit 0 0) 0)"),
        Row(
            name: "part whose parameter is not folded",
            message: mail(
                "Content-Type: multipart/mixed; boundary=e\n\n--e\nContent-Transfer-Encoding: base64\n"
                    + "Content-Type: application/zip; x-mode=0600;\nname=\"plan.zip\"\nContent-ID: <i>\n\nUEs=\n--e--\n"
            ),
            structure: "((application/zip (x-mode=0600) <i> NIL base64 4) mixed)"),
        Row(
            name: "text between two fields",
            message: mail("Subject: s\nno field\nContent-Type: text/html\n\nx\n"),
            structure: "(text/html (charset=us-ascii) NIL NIL 7bit 3 1)"),
        Row(
            name: "boundary line in a header without end",
            message: mail("Content-Type: multipart/mixed; boundary=e\n\n--e\nno field\n--e\n\nx\n--e--\n"),
            structure: "((text/plain (charset=us-ascii) NIL NIL 7bit 0 0)"
                + "(text/plain (charset=us-ascii) NIL NIL 7bit 1 0) mixed)"),
        Row(
            name: "digest",
            message: mail(
                "Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: 1\n\na\n--d\nContent-Type: text/plain\n\nb\n--d--\n"
            ),
            structure: "((message/rfc822 NIL NIL NIL 7bit 15 <1> (text/plain (charset=us-ascii) NIL NIL 7bit 1 0) 2)"
                + "(text/plain (charset=us-ascii) NIL NIL 7bit 1 0) digest)"),
        Row(
            name: "mbox line", message: mail("From x Mon\nContent-Type: text/html\n\nx\n"),
            structure: "(text/html (charset=us-ascii) NIL NIL 7bit 3 1)"),
    ]

    @Test(arguments: rows)
    func structure(_ row: Row) {
        let message = Message(parsing: row.message)
        #expect(message.root.rendered == row.structure)
        #expect(message.range == 0..<row.message.count)
        #expect(brokenRule(message, in: row.message) == nil)
    }

    @Test func extensionFields() {
        let fields = Message(
            parsing: mail(
                """
                Content-Type: text/plain
                Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==
                Content-Disposition: attachment; filename="x.txt"
                Content-Language: en, de-DE (mostly)
                Content-Location: http://example.org/x
                Content-MD5: second


                """)
        ).root.fields
        #expect(string(fields.md5) == "Q2hlY2sgSW50ZWdyaXR5IQ==")
        #expect(string(fields.disposition?.kind) == "attachment")
        #expect(string(fields.disposition?.parameters.text(named: "filename")) == "x.txt")
        #expect(fields.languages.map { string($0) } == ["en", "de-DE"])
        #expect(string(fields.location) == "http://example.org/x")
    }

    @Test func parsesARange() {
        let bytes = mail("junk\nSubject: x\n\nbody\njunk\n")
        let message = Message(parsing: bytes.span, in: 6..<26)
        #expect(string(message.envelope.subject) == "x")
        #expect(string(bytes, message.root.body) == "body\r\n")
    }

    @Test func depthLimit() {
        let bytes = mail(
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n"
                + "--b\nContent-Type: message/rfc822\n\nSubject: x\n\n1\n--b--\n--a--\n")
        func rendered(_ depth: Int) -> String {
            Message(parsing: bytes, limits: ParseLimits(depth: depth)).root.rendered
        }
        #expect(rendered(1) == "(application/octet-stream NIL NIL NIL 7bit 118)")
        #expect(rendered(2) == "((application/octet-stream NIL NIL NIL 7bit 59) mixed)")
        #expect(rendered(3) == "(((application/octet-stream NIL NIL NIL 7bit 15) mixed) mixed)")
        #expect(rendered(4).contains("message/rfc822"))
    }

    @Test func partLimit() {
        let bytes = mail("Content-Type: multipart/mixed; boundary=a\n\n--a\n\n1\n--a\n\n2\n--a\n\n3\n--a--\n")
        let message = Message(parsing: bytes, limits: ParseLimits(parts: 3))
        guard case .multipart(let parts) = message.root.structure else {
            Issue.record("not a multipart")
            return
        }
        #expect(parts.map { string(bytes, $0.body) } == ["1", "2\r\n--a\r\n\r\n3\r\n--a--\r\n"])
        #expect(parts.map(\.lines) == [0, 5])
    }

    @Test func partLimitCountsAMessageThatBeginsAtTheBoundary() {
        let bytes = mail("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n--b\n\nx\n")
        for parts in 1...5 {
            let limits = ParseLimits(parts: parts)
            #expect(brokenRule(Message(parsing: bytes, limits: limits), in: bytes, limits: limits) == nil)
        }
    }

    @Test func headerLimit() {
        let bytes = mail("Content-Type: multipart/mixed; boundary=a\nX: y\n\n--a\n\n1\n--a--\n")
        let message = Message(parsing: bytes, limits: ParseLimits(headerBytes: 45))
        #expect(message.root.rendered == "(application/octet-stream NIL NIL NIL 7bit 25)")
        #expect(message.root.header == 0..<43)
    }
}
