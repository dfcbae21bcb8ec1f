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
}
