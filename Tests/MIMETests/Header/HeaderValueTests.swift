import Testing

@testable import MIME

@Suite struct HeaderValueTests {
    @Test(arguments: [
        (" plain ", "plain"),
        (" a\r\n b\r\n\tc", "a b c"),
        ("a\n  b", "a  b"),
        ("a\rb\0c", "a b?c"),
        ("\r\n a\r\n", "a"),
        (" \r\n \t", ""),
        ("a\r", "a"),
        ("ä\r\n ö", "ä ö"),
    ])
    func unfolds(input: String, expected: String) {
        let bytes = utf8(input)
        #expect(string(HeaderValue.unfolded(bytes.span, 0..<bytes.count)) == expected)
    }

    @Test func decodesEncodedWordsAcrossFolds() {
        let bytes = utf8(" =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_an?= dich")
        #expect(string(HeaderValue.text(bytes.span, 0..<bytes.count)) == "grüße an dich")
    }

    @Test func clampsTheRange() {
        let bytes = utf8("abc")
        #expect(string(HeaderValue.unfolded(bytes.span, 1..<99)) == "bc")
    }

    /// A value reported as plain equals its text, wherever in a word the byte that makes it non-plain is.
    @Test func plainValuesAreTheirOwnText() {
        let alphabet: [UInt8] = Array("aZ =?~\t\r\n".utf8) + [0, 0x0F, 0x10, 0x7F, 0x80, 0xFF]
        var random = SystemRandomNumberGenerator()
        for round in 0..<20_000 {
            // Mostly letters, so that words without any other byte occur.
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                Int.random(in: 0..<12, using: &random) < round % 12 ? alphabet.randomElement(using: &random) ?? 0 : 0x61
            }
            var ends = bytes[...]
            while let first = ends.first, first.isWhitespace { ends = ends.dropFirst() }
            while let last = ends.last, last.isWhitespace { ends = ends.dropLast() }
            let isPlain =
                ends.allSatisfy { $0 > 0 && $0 < 0x80 && $0 != 10 && $0 != 13 }
                && !zip(ends, ends.dropFirst()).contains { $0 == (0x3D, 0x3F) }
            let plain = HeaderValue.plain(bytes.span, 0..<bytes.count)
            #expect(plain == (isPlain ? ends.indices : nil), "\(bytes)")
            if let plain { #expect(Array(bytes[plain]) == HeaderValue.text(bytes.span, 0..<bytes.count)) }
        }
    }
}
