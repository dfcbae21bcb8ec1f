import Testing

@testable import MIME

@Suite struct CharsetTests {
    @Test(
        arguments: [
            ("utf-8", [0xC3, 0xA4], "ä"),
            ("UTF8", [0xC3], "\u{FFFD}"),
            ("us-ascii", [0x61], "a"),
            ("iso-8859-1", [0xE4, 0x80, 0x81], "ä€\u{81}"),
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
            ("x-unknown", [0x61, 0xE4, 0x93], "aä“"),
            ("x-unknown", [0xC3, 0xA4, 0xE4, 0xE2, 0x82, 0xAC, 0xE2, 0x82], "ää€â‚"),
            ("us-ascii", [0xC3, 0xA4, 0xE4], "ää"),
            ("", [0xC3, 0xA4], "ä"),
            ("windows-1252", [0x81, 0x61], "\u{81}a"),
            ("iso-8859-9", [0x80, 0xFD], "€ı"),
            ("iso-2022-jp", [0x1B, 0x24, 0x42, 0x2D, 0x21, 0x46, 0x7C, 0x1B, 0x28, 0x42, 0x61], "①日a"),
            ("iso-2022-jp", [0x1B, 0x28, 0x49, 0x31, 0x1B, 0x28, 0x4A, 0x61, 0x0E, 0x32, 0x0F, 0x62], "ｱaｲb"),
            ("iso-2022-jp", [0x1B, 0x24, 0x28, 0x44, 0x30, 0x21, 0x1B, 0x28, 0x42, 0x78], "〓x"),
            ("iso-2022-jp", [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x0A, 0x61, 0x1B, 0x5B], "日\na\u{1B}["),
            ("cp50221", [0x1B, 0x24, 0x42, 0x7C, 0x62, 0x1B, 0x28, 0x42], "髙"),
            ("hz-gb-2312", [0x7E, 0x7B, 0x48, 0x55, 0x7E, 0x7D, 0x7E, 0x7E, 0x61, 0x7E, 0x0A, 0x62], "日~ab"),
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

    /// Names of the IANA registry, of browsers and of older systems, each with the expected text.
    @Test(
        arguments: [
            ("csShiftJIS", [0x93, 0x56], "天"), ("MS932", [0x93, 0x56], "天"), ("x-ms-cp932", [0x93, 0x56], "天"),
            ("csISO2022JP", [0x1B, 0x24, 0x42, 0x45, 0x37], "天"), ("euc_jp", [0xC5, 0xB7], "天"),
            ("Extended_UNIX_Code_Packed_Format_for_Japanese", [0xC5, 0xB7], "天"),
            ("korean", [0xB3, 0xAF], "날"), ("KSC_5601", [0xB3, 0xAF], "날"), ("MS949", [0xB3, 0xAF], "날"),
            ("csGB2312", [0xCC, 0xEC], "天"), ("chinese", [0xCC, 0xEC], "天"), ("cn-big5", [0xA4, 0xD1], "天"),
            ("csKOI8R", [0xD0], "п"), ("cyrillic", [0xDF], "п"), ("win1251", [0xEF], "п"), ("x-cp1251", [0xEF], "п"),
            ("greek", [0xEA], "κ"), ("hebrew", [0xEE], "מ"), ("ISO-8859-8-I", [0xEE], "מ"), ("arabic", [0xD7], "ط"),
            ("ISO_8859-2:1987", [0xE8], "č"), ("latin2", [0xE8], "č"), ("l2", [0xE8], "č"), ("CP-850", [0x81], "ü"),
            ("850", [0x81], "ü"), ("ibm-850", [0x81], "ü"), ("cspc850multilingual", [0x81], "ü"),
            ("x-mac-roman", [0x9F], "ü"), ("csUTF8", [0xC3, 0xBC], "ü"), ("utf_8", [0xC3, 0xBC], "ü"),
            ("ISO_8859-1:1987", [0xFC], "ü"), ("iso-ir-100", [0xFC], "ü"), ("cp819", [0xFC], "ü"),
            ("IBM037", [0xDC], "ü"),
            ("tis-620", [0xA1], "ก"), ("windows-874", [0xA1], "ก"), ("x-mac-cyrillic", [0x8F], "П"),
            ("koi8-t", [0xF0], "П"),
        ] as [(String, [UInt8], String)])
    func aliases(name: String, input: [UInt8], expected: String) {
        let charset = Charset(named: utf8(name))
        #expect(charset.isKnown)
        #expect(string(charset.decode(input)) == expected)
    }

    @Test(
        arguments: [
            ("iso-2022-jp", [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42, 0x61], "日本a"),
            ("unknown-8bit", [0x61, 0xE2, 0x82, 0xAC, 0xE4, 0xF0, 0x9F, 0x98, 0x80, 0xC3], "a€ä😀Ã"),
        ] as [(String, [UInt8], String)])
    func piecesMakeNoDifference(name: String, text: [UInt8], expected: String) {
        var decoder = CharsetDecoder(Charset(named: utf8(name)))
        var output: [UInt8] = []
        for byte in text { decoder.decode([byte], into: &output) }
        decoder.finish(into: &output)
        #expect(string(output) == expected)
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
