import Testing

@testable import MIME

@Suite struct CharsetTests {
    @Test(
        arguments: [
            ("utf-8", [0xC3, 0xA4], "ä"),
            ("UTF8", [0xC3], "\u{FFFD}"),
            ("us-ascii", [0x61], "a"),
            ("iso-8859-1", [0xE4, 0x80], "ä\u{80}"),
            ("ISO-8859-15", [0xA4], "€"),
            ("windows-1252", [0x80, 0x93], "€“"),
            ("cp1251", [0xCF], "П"),
            ("koi8-r", [0xF0], "П"),
            ("Shift_JIS", [0x93, 0xFA], "日"),
            ("euc-jp", [0xC6, 0xFC], "日"),
            ("gb2312", [0xC8, 0xD5], "日"),
            ("big5", [0xA4, 0xE9], "日"),
            ("euc-kr", [0xC0, 0xCF], "일"),
            ("utf-16", [0xFE, 0xFF, 0x20, 0xAC], "€"),
            ("utf-16le", [0xAC, 0x20], "€"),
            ("utf-7", [0x2B, 0x49, 0x4B, 0x77, 0x2D], "€"),
            ("x-unknown", [0x61, 0xE4], "aä"),
            ("windows-1252", [0x81, 0x61], "\u{FFFD}a"),
            ("shift_jis", [0x93], "\u{FFFD}"),
            ("euc-jp", [0xFF, 0xFF, 0x61], "\u{FFFD}\u{FFFD}a"),
            ("utf-8*en", [0x61], "a"),
        ] as [(String, [UInt8], String)])
    func decodes(name: String, input: [UInt8], expected: String) {
        #expect(string(Charset(named: utf8(name)).decode(input)) == expected)
    }

    @Test(arguments: [
        ("utf-8", true), ("ISO-8859-16", true), ("iso-8859-12", false), ("iso-8859-99999999999999999999", false),
        ("", false), ("utf-8//TRANSLIT", false), ("../x", false), ("windows-1259", false), ("cp-1252", true),
        (String(repeating: "x", count: 1000), false),
    ])
    func knows(name: String, expected: Bool) {
        #expect(Charset(named: utf8(name)).isKnown == expected)
    }

    @Test func piecesMakeNoDifference() {
        let text: [UInt8] = [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42, 0x61]
        var decoder = CharsetDecoder(Charset(named: utf8("iso-2022-jp")))
        var output: [UInt8] = []
        for byte in text { decoder.decode([byte], into: &output) }
        decoder.finish(into: &output)
        #expect(string(output) == "日本a")
    }

    @Test func longTextPassesTheBuffer() {
        let output = Charset(named: utf8("koi8-r")).decode([UInt8](repeating: 0xF0, count: 200_000))
        #expect(output.count == 400_000)
        #expect(output.suffix(2) == [0xD0, 0x9F])
    }

    @Test func preferredNamesAreKnown() {
        #expect(Charset.preferredNames.filter { !Charset(named: utf8($0)).isKnown } == [])
    }
}
