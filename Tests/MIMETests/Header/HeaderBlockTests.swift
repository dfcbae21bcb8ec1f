import Testing

@testable import MIME

@Suite struct HeaderBlockTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let input: String
        /// "name=value" with the raw value; lines that are not a field have no name.
        let fields: [String]
        let body: String
        var testDescription: String { name }
    }

    static let rows: [Row] = [
        Row(name: "CRLF", input: "A: 1\r\nB: 2\r\n\r\nbody\r\n", fields: ["A= 1", "B= 2"], body: "body\r\n"),
        Row(name: "LF", input: "A: 1\nB: 2\n\nbody\n", fields: ["A= 1", "B= 2"], body: "body\n"),
        Row(name: "mixed", input: "A: 1\nB: 2\r\n\nbody", fields: ["A= 1", "B= 2"], body: "body"),
        Row(
            name: "folded", input: "A: 1\r\n 2\r\n\t3\r\nB:4\r\n\r\n", fields: ["A= 1\r\n 2\r\n\t3", "B=4"], body: ""),
        Row(name: "blanks before the colon", input: "A \t: 1\r\n\r\nx", fields: ["A= 1"], body: "x"),
        Row(name: "blank continuation", input: "A: 1\r\n \r\nB: 2\r\n\r\nx", fields: ["A= 1\r\n ", "B= 2"], body: "x"),
        Row(
            name: "line without a colon", input: "A: 1\r\nHello there\r\nB: 2\r\n\r\nx",
            fields: ["A= 1", "=Hello there", "B= 2"], body: "x"),
        Row(
            name: "several of them", input: "one\r\n two\r\nthree\r\nA: 1\r\n\r\nx",
            fields: ["=one\r\n two\r\nthree", "A= 1"], body: "x"),
        Row(name: "no blank line", input: "A: 1\r\nHello there\r\n", fields: ["A= 1", "=Hello there"], body: ""),
        Row(name: "header only", input: "A: 1\r\nB: 2", fields: ["A= 1", "B= 2"], body: ""),
        Row(name: "no header", input: "\r\nbody", fields: [], body: "body"),
        Row(name: "empty", input: "", fields: [], body: ""),
        Row(name: "leading space", input: " F: 0\r\nA: 1\r\n\r\nx", fields: ["= F: 0", "A= 1"], body: "x"),
        Row(
            name: "mbox line", input: "From a@b Mon Jan  1 00:00:00 2024\r\nA: 1\r\n\r\nx",
            fields: ["=From a@b Mon Jan  1 00:00:00 2024", "A= 1"], body: "x"),
        Row(
            name: "mbox line with continuation", input: "From a@b\r\n c\r\nA: 1\r\n\r\nx",
            fields: ["=From a@b\r\n c", "A= 1"], body: "x"),
        Row(
            name: "quoted mbox line", input: "A: 1\r\n>From a@b Mon\r\nB: 2\r\n\r\nx",
            fields: ["A= 1", "=>From a@b Mon", "B= 2"], body: "x"),
        Row(
            name: "mbox line further down", input: "A: 1\r\nFrom a@b\r\n\r\nx", fields: ["A= 1", "=From a@b"],
            body: "x"),
        Row(name: "From with a blank", input: "From : a@b\r\n\r\nx", fields: ["From= a@b"], body: "x"),
        Row(name: "NUL and 8-bit", input: "A: \0ä\r\nÄ: 2\r\n\r\nx", fields: ["A= \0ä", "Ä= 2"], body: "x"),
        Row(name: "empty values", input: "A:\r\nB: \r\n\r\nx", fields: ["A=", "B= "], body: "x"),
        Row(name: "no name", input: ": 1\r\n\r\nx", fields: ["=: 1"], body: "x"),
        Row(name: "lone CR", input: "A: 1\rB: 2\r\n\r\nx", fields: ["A= 1\rB: 2"], body: "x"),
    ]

    @Test(arguments: rows)
    func scans(_ row: Row) {
        let bytes = utf8(row.input)
        let header = HeaderBlock(scanning: bytes.span)
        let fields = header.fields.map { string(Array(bytes[$0.name])) + "=" + string(Array(bytes[$0.value])) }
        #expect(fields == row.fields)
        #expect(string(Array(bytes[header.range.upperBound...])) == row.body)
        #expect(header.range.lowerBound == 0)
        #expect(!header.isTruncated)
    }

    @Test func wholeFieldsHaveTheirLineEnds() {
        let bytes = utf8("A: 1\r\n 2\r\nB: 3")
        let header = HeaderBlock(scanning: bytes.span)
        #expect(header.fields.map { string(Array(bytes[$0.whole])) } == ["A: 1\r\n 2\r\n", "B: 3"])
    }

    @Test func scansInsideARange() {
        let bytes = utf8("X: 0\r\nA: 1\r\n\r\nB: 2\r\n")
        let header = HeaderBlock(scanning: bytes.span, in: 6..<10)
        #expect(header.fields.map { string(Array(bytes[$0.value])) } == [" 1"])
        #expect(header.range == 6..<10)
        #expect(HeaderBlock(scanning: bytes.span, in: 50..<90).range.isEmpty)
    }

    @Test func findsFieldsByName() {
        let bytes = utf8("To: a\r\nTOO: b\r\nto: c\r\n d\r\n\r\n")
        let header = HeaderBlock(scanning: bytes.span)
        #expect(string(header.value(of: "tO", in: bytes.span)) == "a")
        #expect(header.all(named: "TO", in: bytes.span).count == 2)
        #expect(string(bytes, header.all(named: "TO", in: bytes.span).last?.value) == " c\r\n d")
        #expect(header.first(named: "T", in: bytes.span) == nil)
    }

    @Test func noNameFindsLinesThatAreNoField() {
        let bytes = utf8("odd line\r\nTo: a\r\n\r\n")
        let header = HeaderBlock(scanning: bytes.span)
        #expect(header.first(named: "", in: bytes.span) == nil)
        let found = ["odd line", ": odd"].map { header.contains(TextQuery($0), in: bytes.span) }
        #expect(found == [true, false])
    }

    @Test(arguments: [(5, 0, 0), (6, 1, 6), (11, 1, 6), (12, 2, 12), (13, 2, 12), (14, 2, 14)])
    func stopsAtTheLimit(limit: Int, fields: Int, end: Int) {
        let bytes = utf8("A: 1\r\nB: 2\r\n\r\nbody")
        let header = HeaderBlock(scanning: bytes.span, limits: ParseLimits(headerBytes: limit))
        #expect(header.fields.count == fields)
        #expect(header.range == 0..<end)
        #expect(header.isTruncated == (limit < 14))
    }
}
