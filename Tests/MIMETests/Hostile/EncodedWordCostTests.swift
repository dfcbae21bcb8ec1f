import Testing

@testable import MIME

/// What words in many charsets cost.
@Suite struct EncodedWordCostTests {
    private static let charsets = [
        "koi8-r", "iso-8859-2", "iso-8859-5", "iso-8859-7", "windows-1250", "windows-1251", "windows-1253", "euc-jp",
        "shift_jis", "big5", "gb2312", "euc-kr", "iso-2022-jp", "hz-gb-2312", "utf-16", "utf-16le", "utf-7", "koi8-u",
        "ibm850", "ibm437", "macintosh", "tis-620", "iso-2022-kr", "utf-32",
    ]

    private static func words(_ count: Int) -> [UInt8] {
        utf8((0..<count).map { "=?\(charsets[$0 % charsets.count])?q?a?=" }.joined(separator: " "))
    }

    /// Opening a converter costs a hundred times as much as a word.
    @Test func convertersAreOpenedOnceForMany() {
        _ = EncodedWord.decode(Self.words(200))
        let before = Converters.opened
        let text = (0..<5).flatMap { _ in EncodedWord.decode(Self.words(1_000)) }
        // Two of the charsets, whose converters cannot be used twice, are opened for each of their words; tests beside
        // this one open some too.
        #expect(Converters.opened - before < 2 * 5_000 / Self.charsets.count + 500)
        #expect(text.count >= 5_000 * 9 / 10)
    }

    @Test func wordsBeyondTheMostStayAsTheyAre() {
        let word = "=?utf-8?q?a?="
        let value = utf8(String(repeating: word + " ", count: EncodedWord.mostWords) + word)
        let text = String(decoding: EncodedWord.decode(value), as: UTF8.self)
        #expect(text == String(repeating: "a", count: EncodedWord.mostWords) + " " + word)
    }

    /// A change of charset costs as much as a hundred words, so few of them are followed.
    @Test func changesOfCharsetBeyondTheMostStayAsTheyAre() {
        let (first, second) = ("=?utf-8?q?a?=", "=?iso-8859-2?q?b?=")
        let value = utf8(Array(repeating: "\(first) \(second)", count: 3_000).joined(separator: " "))
        let text = String(decoding: EncodedWord.decode(value), as: UTF8.self)
        let pairs = EncodedWord.mostChanges / 2
        #expect(text.hasPrefix(String(repeating: "ab", count: pairs) + "a \(second) \(first)"))
        #expect(text.hasSuffix(second))
    }

    /// A converter that has read one text reads the next as if it were new.
    @Test func convertersForgetWhatTheyRead() {
        func decoded(_ name: String, _ bytes: [UInt8]) -> String {
            String(decoding: Charset(named: utf8(name)).decode(bytes), as: UTF8.self)
        }
        for _ in 0..<8 {
            #expect(decoded("utf-16", [0xFE, 0xFF, 0x20, 0xAC]) == "€")
            #expect(decoded("utf-16", [0xFF, 0xFE, 0xAC, 0x20]) == "€")
            #expect(decoded("utf-32", [0xFF, 0xFE, 0, 0, 0xAC, 0x20, 0, 0]) == "€")
            #expect(decoded("utf-32", [0, 0, 0xFE, 0xFF, 0, 0, 0x20, 0xAC]) == "€")
            // The second half of a shift, of a character and of base64.
            #expect(decoded("iso-2022-kr", [0x1B, 0x24, 0x29, 0x43, 0x0E, 0x30, 0x21]) == "가")
            #expect(decoded("iso-2022-kr", [0x61]) == "a")
            #expect(decoded("euc-jp", [0xC6]) == "\u{FFFD}")
            #expect(decoded("euc-jp", [0xC6, 0xFC]) == "日")
            #expect(decoded("utf-7", [0x2B, 0x49]) != "€")
            #expect(decoded("utf-7", [0x2B, 0x49, 0x4B, 0x77, 0x2D]) == "€")
        }
    }
}
