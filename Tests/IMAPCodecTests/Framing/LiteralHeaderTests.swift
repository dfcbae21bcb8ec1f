import Testing

@testable import IMAPCodec

@Suite struct LiteralHeaderTests {
    static let rows: [(String, Int, Bool, Bool)] = [
        ("a {0}", 0, true, false), ("a {310+}", 310, false, false), ("a ~{7}", 7, true, true),
        ("{007+}", 7, false, false), ("~{1+}", 1, false, true), ("{9223372036854775807}", .max, true, false),
        ("{9223372036854775808}", .max, true, false), ("{99999999999999999999}", .max, true, false),
        ("{18446744073709551616}", .max, true, false), ("{100000000000000000000000000000}", .max, true, false),
        ("{00000000000000000000000000000000000012}", 12, true, false),
    ]

    @Test("headers", arguments: rows)
    func header(_ line: String, _ size: Int, _ isSynchronising: Bool, _ isBinary: Bool) throws {
        let header = try #require(LiteralHeader(endOf: bytes(line)))
        #expect(header.size == size)
        #expect(header.isSynchronising == isSynchronising)
        #expect(header.isBinary == isBinary)
    }

    @Test(
        "no headers",
        arguments: ["", "}", "{}", "{+}", "{a}", "{5} ", "5}", "{-5}", "{5+", "{5-}", "{5++}", "+}", "{ 5}"])
    func none(_ line: String) {
        #expect(LiteralHeader(endOf: bytes(line)) == nil)
    }
}
