import Testing

@testable import MIME

@Suite struct TextQueryTests {
    @Test(arguments: [
        ("hello", "Say HELLO there", true),
        ("ÄRGER", "kein ärger", true),
        ("ärger", "KEIN ÄRGER", true),
        ("STRASSE", "Straße", true),
        ("σ", "ς", true),
        ("привет", "ПРИВЕТ", true),
        ("日本", "の日本", true),
        ("aab", "aaab", true),
        ("abab", "abaabab", true),
        ("ab", "a b", false),
        ("hello!", "hello", false),
        ("x", "", false),
        ("", "", true),
        ("", "x", true),
        ("e", "é", false),
    ])
    func finds(query: String, text: String, expected: Bool) {
        #expect(TextQuery(query).isFound(in: utf8(text)) == expected)
    }

    @Test func invalidBytesMatchThemselves() {
        #expect(TextQuery([0xFF, 0x41]).isFound(in: [0x62, 0xFF, 0x61]))
        #expect(TextQuery([0xC3]).isFound(in: [0x61, 0xC3]))
        #expect(!TextQuery([0xC3, 0xA4]).isFound(in: [0xC3, 0x61, 0xA4]))
    }

    @Test func findsAcrossPieces() {
        var matcher = TextMatcher(TextQuery("grüße"))
        for byte in utf8("viele GRÜSSE") { matcher.take([byte]) }
        #expect(matcher.isFound)
        matcher.reset()
        matcher.take(utf8("grü"))
        matcher.reset()
        matcher.take(utf8("ße"))
        let isFound = matcher.finish()
        #expect(!isFound)
    }
}
