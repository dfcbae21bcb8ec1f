import TestSupport
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
        // i;unicode-casemap decomposes: an accent is a separate character (RFC 5051 section 2).
        ("e", "é", true),
        ("é", "e", false),
        ("e\u{301}", "É", true),
        ("ＡＢ", "ab", true),
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

    private func folded(_ text: [UInt8]) -> [UInt8] {
        var folder = FoldingStream()
        var result: [UInt8] = []
        for byte in text { folder.take(byte) { result.append($0) } }
        folder.finish { result.append($0) }
        return result
    }

    @Test func everyCharacterFoldsAsUnicodeSays() {
        // The planes of symbols and of ideographs; the scripts between them are always looked up.
        let ranges: [Range<UInt32>] = [0x80..<0x1_0000, 0x1_E800..<0x2_0100, 0x2_F700..<0x3_0000]
        let wrong = ranges.joined().compactMap(Unicode.Scalar.init).filter { scalar in
            folded(Array(String(Character(scalar)).utf8)) != CaseFolding.mapped(scalar)
        }
        #expect(wrong.map { String($0.value, radix: 16) } == [])
    }

    @Test(
        arguments: [
            [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0xAF], [0xF4, 0x90, 0x80, 0x80],
            [0xE2],
            [0xE2, 0x82, 0x78], [0xF0, 0x9F, 0x98], [0x80], [0xFF, 0xFE],
        ] as [[UInt8]])
    func whatIsNoCharacterPassesAsItIs(bytes: [UInt8]) { #expect(folded(bytes) == bytes) }

    /// Compares with the plain definition: the folded text contains the folded query.
    @Test(arguments: 0..<8)
    func agreesWithTheDefinition(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let letters = [
            "a", "A", "b", "B", "k", "K", "\u{212A}", "s", "\u{17F}", "ß", "é", "É", "[", "{", "@", "`", "€", "\0", " ",
        ]
        func random(_ count: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: count, using: &generator)).flatMap { _ in
                utf8(letters[Int.random(in: 0..<letters.count, using: &generator)])
            }
        }
        for _ in 0..<200 {
            let text =
                random(0...60) + [UInt8](repeating: 0x2E, count: Int.random(in: 0...50, using: &generator))
                + random(0...4)
            let query = random(1...3)
            var matcher = TextMatcher(TextQuery(query))
            var start = 0
            while start < text.count {
                let end = min(start + Int.random(in: 1...64, using: &generator), text.count)
                matcher.take(text.span.extracting(start..<end))
                start = end
            }
            let isFound = matcher.finish()
            #expect(isFound == folded(text).holds(folded(query)), "\(text) | \(query)")
        }
    }
}

extension [UInt8] {
    /// Whether the bytes contain `other`.
    fileprivate func holds(_ other: [UInt8]) -> Bool {
        guard count >= other.count else { return false }
        return (0...count - other.count).contains { self[$0..<$0 + other.count].elementsEqual(other) }
    }
}
