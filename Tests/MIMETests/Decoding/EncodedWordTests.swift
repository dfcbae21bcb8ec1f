import Testing

@testable import MIME

@Suite struct EncodedWordTests {
    @Test(arguments: [
        ("", ""),
        ("plain text", "plain text"),
        ("=?utf-8?Q?a_b=C3=A4?=", "a bä"),
        ("=?UTF-8?b?w6Q=?=", "ä"),
        ("=?iso-8859-1?q?=E4?=", "ä"),
        ("=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?utf-8*de?q?x?=", "x"),
        // The table of RFC 2047 section 8.
        ("(=?ISO-8859-1?Q?a?=)", "(a)"),
        ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "ä"),
        ("=?utf-8?b?w6?= =?utf-8?b?Qx?=", "\u{FFFD}C"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("a=?utf-8?q?b?=c", "abc"),
        // An unknown charset carries no information: UTF-8 if valid, else windows-1252.
        ("=?x-unknown?q?a=C3=A4?=", "aä"), ("=?unknown-8bit?q?f=FCr_=96?=", "für –"), ("=?utf8mb4?b?w6Q=?=", "ä"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("=?utf-8?q?a?", "=?utf-8?q?a?"),
        ("=?", "=?"), ("=", "="), ("=?=", "=?="), ("=??q?a?=", "=??q?a?="), ("=?utf-8??a?=", "=?utf-8??a?="),
        ("=?utf-8?q??=", ""),
        ("=?utf-8?q?a b?=", "a b"),
        ("=?utf-8?q?=4?=", "=4"),
        ("=?utf-8?q?=?utf-8?q?a?=", "=?utf-8?q?a"),
        ("ä", "ä"),
        ("=?utf-8?q?=FF?=", "\u{FFFD}"),
        ("=?../../etc?q?a?=", "a"),
        ("=?utf-8//IGNORE?q?=FF?=", "ÿ"),
    ])
    func decodes(input: String, expected: String) {
        #expect(string(EncodedWord.decode(utf8(input))) == expected)
    }

    @Test func bareLatin1() {
        #expect(string(EncodedWord.decode([0x61, 0xE4, 0x62])) == "aäb")
    }
}
