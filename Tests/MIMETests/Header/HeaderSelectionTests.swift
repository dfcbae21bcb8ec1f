import Testing

@testable import MIME

@Suite struct HeaderSelectionTests {
    static let text = "From: a\r\nTo: b,\r\n c\r\nX-A: 1\r\nto: d\r\nSubject: s\r\n\r\nbody"

    @Test(arguments: [
        (["TO"], "To: b,\r\n c\r\nto: d\r\n\r\n"),
        (["subject", "from"], "From: a\r\nSubject: s\r\n\r\n"),
        (["x"], "\r\n"),
        ([], "\r\n"),
    ])
    func only(names: [String], expected: String) {
        let bytes = utf8(Self.text)
        let header = HeaderBlock(scanning: bytes.span)
        #expect(string(header.raw(.only(names.map(utf8)), in: bytes.span, hasBody: true)) == expected)
    }

    @Test(arguments: [
        (["to", "X-a"], "From: a\r\nSubject: s\r\n\r\n"),
        ([], "From: a\r\nTo: b,\r\n c\r\nX-A: 1\r\nto: d\r\nSubject: s\r\n\r\n"),
    ])
    func except(names: [String], expected: String) {
        let bytes = utf8(Self.text)
        let header = HeaderBlock(scanning: bytes.span)
        #expect(string(header.raw(.except(names.map(utf8)), in: bytes.span, hasBody: true)) == expected)
    }

    @Test func joinsNeighbours() {
        let bytes = utf8(Self.text)
        let header = HeaderBlock(scanning: bytes.span)
        #expect(header.ranges(.except([utf8("X-A")]), in: bytes.span) == [0..<21, 29..<48])
    }

    @Test func endsTheLastLine() {
        let bytes = utf8("A: 1\r\nB: 2")
        let header = HeaderBlock(scanning: bytes.span)
        #expect(string(header.raw(.only([utf8("b")]), in: bytes.span, hasBody: false)) == "B: 2\r\n")
    }

    @Test(arguments: [
        ("A: 1\r\nB: 2", false, "B: 2\r\n"), ("A: 1\r\nB: 2\r\n", false, "B: 2\r\n"),
        ("A: 1\r\n", false, ""), ("A: 1\r\n\r\n", false, "\r\n"), ("B: 2\n\n", false, "B: 2\n\r\n"),
        ("A: 1\r\nB: 2\r\nno field", true, "B: 2\r\n\r\n"),
    ])
    func addsNoBlankLineWhereNothingFollows(text: String, hasBody: Bool, expected: String) {
        let bytes = utf8(text)
        let raw = HeaderBlock(scanning: bytes.span).raw(.only([utf8("b")]), in: bytes.span, hasBody: hasBody)
        #expect(string(raw) == expected)
        let hasBlankLine = raw.withUnsafeBytes { PlainFields($0).endInBlankLine }
        #expect(hasBlankLine == (expected == "\r\n" || Array(expected.utf8).suffix(3) == [10, 13, 10]))
    }
}
