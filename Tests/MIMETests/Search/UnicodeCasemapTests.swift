import Testing

@testable import MIME

@Suite struct UnicodeCasemapTests {
    /// Titlecase from UnicodeData, then decomposition (RFC 5051 section 2).
    @Test(arguments: [
        ("abc XYZ 09", "ABC XYZ 09"), ("_[", "_["),
        ("é", "E\u{301}"), ("É", "E\u{301}"), ("e\u{301}", "E\u{301}"), ("ǆ", "Dz\u{30C}"),
        ("σς", "ΣΣ"), ("ß", "ß"), ("ﬁ", "fi"), ("Å", "A\u{30A}"), ("が", "か\u{3099}"), ("日本", "日本"),
        ("ｑ", "Q"), ("\u{1F600}", "\u{1F600}"), ("", ""),
    ])
    func keys(text: String, key: String) {
        #expect(UnicodeCasemap.key(utf8(text)) == utf8(key), "\(text)")
    }
}
