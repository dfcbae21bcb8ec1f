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
        #expect(string(header.raw(.only(names.map(utf8)), in: bytes.span)) == expected)
    }

    @Test(arguments: [
        (["to", "X-a"], "From: a\r\nSubject: s\r\n\r\n"),
        ([], "From: a\r\nTo: b,\r\n c\r\nX-A: 1\r\nto: d\r\nSubject: s\r\n\r\n"),
    ])
    func except(names: [String], expected: String) {
        let bytes = utf8(Self.text)
        let header = HeaderBlock(scanning: bytes.span)
        #expect(string(header.raw(.except(names.map(utf8)), in: bytes.span)) == expected)
    }

    @Test func joinsNeighbours() {
        let bytes = utf8(Self.text)
        let header = HeaderBlock(scanning: bytes.span)
        #expect(header.ranges(.except([utf8("X-A")]), in: bytes.span) == [0..<21, 29..<48])
    }

    @Test func endsTheLastLine() {
        let bytes = utf8("A: 1\r\nB: 2")
        let header = HeaderBlock(scanning: bytes.span)
        #expect(string(header.raw(.only([utf8("b")]), in: bytes.span)) == "B: 2\r\n\r\n")
    }
}
