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

    /// RFC 3501 section 6.4.5: HEADER.FIELDS.NOT has all lines except those of the named fields.
    @Test(arguments: [
        ("From k@x Mon\r\nFrom: k\r\nSubject: s\r\n\r\n", "From k@x Mon\r\nFrom: k\r\n\r\n"),
        ("Subject: s\r\nodd:\r\nno field\r\n x\r\nT: t\r\n\r\n", "odd:\r\nno field\r\n x\r\nT: t\r\n\r\n"),
    ])
    func linesThatAreNoFieldAreExcludedByNoName(text: String, expected: String) {
        let bytes = utf8(text)
        let block = HeaderBlock(scanning: bytes.span)
        let names = [utf8("subject"), []]
        #expect(string(block.raw(.except(names), in: bytes.span, hasBody: false)) == expected)
        #expect(string(block.raw(.only(names), in: bytes.span, hasBody: false)) == "Subject: s\r\n\r\n")
    }

    @Test func endsTheLastLine() {
        let bytes = utf8("A: 1\r\nB: 2")
        let header = HeaderBlock(scanning: bytes.span)
        #expect(string(header.raw(.only([utf8("b")]), in: bytes.span, hasBody: false)) == "B: 2\r\n")
    }

    @Test(arguments: [
        ("A: 1\r\nB: 2", false, "B: 2\r\n"), ("A: 1\r\nB: 2\r\n", false, "B: 2\r\n"),
        ("A: 1\r\n", false, ""), ("A: 1\r\n\r\n", false, "\r\n"), ("B: 2\n\n", false, "B: 2\n\r\n"),
        ("A: 1\r\nB: 2\r\nno field\r\n\r\n", true, "B: 2\r\n\r\n"),
    ])
    func addsNoBlankLineWhereNothingFollows(text: String, hasBody: Bool, expected: String) {
        let bytes = utf8(text)
        let raw = HeaderBlock(scanning: bytes.span).raw(.only([utf8("b")]), in: bytes.span, hasBody: hasBody)
        #expect(string(raw) == expected)
        let hasBlankLine = raw.withUnsafeBytes { PlainFields($0).endInBlankLine }
        #expect(hasBlankLine == (expected == "\r\n" || Array(expected.utf8).suffix(3) == [10, 13, 10]))
    }
}
