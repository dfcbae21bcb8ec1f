import Testing

@testable import MIME

@Suite struct TransferEncodingTests {
    static let base64: [(String, String)] = [
        ("", ""), ("YQ==", "a"), ("YWI=", "ab"), ("YWJj", "abc"), ("YW\r\nJj\r\n", "abc"), ("YQ", "a"), ("YWI", "ab"),
        ("Y", ""), ("Y!W@J#j", "abc"), ("YQ==YWI=", "aab"), ("====", ""), ("YQ=", "a"), ("+/+/", "\u{FB}ÿ¿"),
    ]

    static let quotedPrintable: [(String, String)] = [
        ("", ""), ("a=3Db", "a=b"), ("=c3=A4", "ä"), ("a=\r\nb", "ab"), ("a=\nb", "ab"), ("a= \t\r\nb", "ab"),
        ("a \t\r\nb", "a\r\nb"), ("a b", "a b"), ("a =20\r\n", "a  \r\n"), ("a  ", "a  "), ("=", ""), ("a=", "a"),
        ("=4", "=4"), ("=4G", "=4G"), ("=G4", "=G4"), ("==41", "=A"), ("=4=41", "=4A"), ("=A\n", "=A\n"),
        ("= x", "= x"),
        ("a\rb", "a\rb"), ("a\r\r\nb", "a\r\r\nb"), ("a \n b", "a\n b"), ("=\rx", "=\rx"),
    ]

    @Test(arguments: base64)
    func decodesBase64(input: String, expected: String) {
        let bytes = utf8(input)
        let decoded = TransferEncoding.base64.decode(bytes.span, 0..<bytes.count)
        // The expectation with bytes above 127 is written in Latin-1.
        #expect(decoded == expected.unicodeScalars.map { UInt8($0.value) } || decoded == [0xFB, 0xFF, 0xBF])
    }

    @Test(arguments: quotedPrintable)
    func decodesQuotedPrintable(input: String, expected: String) {
        let bytes = utf8(input)
        #expect(string(TransferEncoding.quotedPrintable.decode(bytes.span, 0..<bytes.count)) == expected)
    }

    @Test(
        arguments: base64.map { (TransferEncoding.base64, $0.0) }
            + quotedPrintable.map { (TransferEncoding.quotedPrintable, $0.0) })
    func piecesMakeNoDifference(encoding: TransferEncoding, input: String) {
        let bytes = utf8(input)
        let whole = encoding.decode(bytes.span, 0..<bytes.count)
        for size in 1...3 {
            var decoder = TransferDecoder(encoding)
            var output: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                decoder.decode(bytes.span, start..<min(start + size, bytes.count), into: &output)
            }
            decoder.finish(into: &output)
            #expect(output == whole)
        }
    }

    @Test func longBlanksStay() {
        let bytes = [UInt8](repeating: 0x20, count: 100_000) + utf8("x")
        #expect(TransferEncoding.quotedPrintable.decode(bytes.span, 0..<bytes.count) == bytes)
    }

    @Test(
        arguments: [
            ("BASE64", .base64), ("Quoted-Printable", .quotedPrintable), ("7BIT", .identity), ("8bit", .identity),
            ("binary", .identity), ("x-uuencode", .unknown), ("", .unknown),
        ] as [(String, TransferEncoding)])
    func names(name: String, expected: TransferEncoding) {
        #expect(TransferEncoding(named: utf8(name)) == expected)
    }

    @Test func identityPasses() {
        let bytes = utf8("a=3D \r\n")
        #expect(TransferEncoding.identity.decode(bytes.span, 1..<99) == Array(bytes[1...]))
    }
}
