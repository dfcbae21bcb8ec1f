import Testing

@testable import MIME

@Suite struct SectionTests {
    /// The shape of the example in RFC 3501 section 6.4.5, shortened.
    static let nested = mail(
        """
        Subject: outer
        Content-Type: multipart/mixed; boundary=o

        --o

        part 1
        --o
        Content-Type: message/rfc822
        Content-ID: <2>

        Subject: inner
        Content-Type: multipart/mixed; boundary=i

        --i

        part 2.1
        --i
        Content-Type: text/html

        part 2.2
        --i--
        --o
        Content-Type: message/rfc822

        Subject: single

        part 3.1
        --o--

        """)

    @Test(
        arguments: [
            ([1], .body, "part 1"),
            ([1], .mime, "\n"),
            ([1], .header, nil),
            ([1], .text, nil),
            ([1, 1], .body, nil),
            ([2], .mime, "Content-Type: message/rfc822\nContent-ID: <2>\n\n"),
            ([2], .header, "Subject: inner\nContent-Type: multipart/mixed; boundary=i\n\n"),
            ([2], .text, "--i\n\npart 2.1\n--i\nContent-Type: text/html\n\npart 2.2\n--i--"),
            ([2, 1], .body, "part 2.1"),
            ([2, 2], .mime, "Content-Type: text/html\n\n"),
            ([2, 2], .body, "part 2.2"),
            ([2, 3], .body, nil),
            ([3], .body, "Subject: single\n\npart 3.1"),
            ([3], .text, "part 3.1"),
            ([3, 1], .body, "part 3.1"),
            ([3, 1], .mime, "Subject: single\n\n"),
            ([3, 2], .body, nil),
            ([3, 1, 1], .body, nil),
            ([0], .body, nil),
            ([-1], .body, nil),
            ([4], .body, nil),
            ([Int.max], .body, nil),
            ([], .header, "Subject: outer\nContent-Type: multipart/mixed; boundary=o\n\n"),
            ([], .mime, nil),
        ] as [([Int], SectionText, String?)])
    func resolves(path: [Int], text: SectionText, expected: String?) {
        let message = Message(parsing: Self.nested)
        let found = string(Self.nested, message.range(of: text, at: path))
        #expect(found == expected?.replacing("\n", with: "\r\n"))
    }

    @Test func wholeMessage() {
        let message = Message(parsing: Self.nested)
        #expect(message.range(of: .body) == 0..<Self.nested.count)
        #expect(message.range(of: .text)?.lowerBound == message.range(of: .header)?.upperBound)
    }

    @Test func bodyOfASinglePartIsPartOne() {
        let bytes = mail("Subject: x\n\nbody\n")
        let message = Message(parsing: bytes)
        #expect(string(bytes, message.range(of: .body, at: [1])) == "body\r\n")
        #expect(string(bytes, message.range(of: .mime, at: [1])) == "Subject: x\r\n\r\n")
        #expect(message.range(of: .body, at: [2]) == nil)
        #expect(message.range(of: .body, at: [1, 1]) == nil)
    }

    @Test func messageAsRoot() {
        let bytes = mail("Content-Type: message/rfc822\n\nSubject: x\n\nbody\n")
        let message = Message(parsing: bytes)
        #expect(string(bytes, message.range(of: .header, at: [1])) == "Subject: x\r\n\r\n")
        #expect(string(bytes, message.range(of: .body, at: [1, 1])) == "body\r\n")
    }
}
