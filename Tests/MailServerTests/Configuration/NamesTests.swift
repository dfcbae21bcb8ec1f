import Testing

@testable import ServerConfiguration

@Suite struct NamesTests {
    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("prot", "port", 1), ("abc", "abc", 0),
        ("abcdef", "abdcef", 1),
    ])
    func editDistance(a: String, b: String, distance: Int) {
        #expect(NearestName.editDistance(Array(a.utf8), Array(b.utf8)) == distance)
        #expect(NearestName.editDistance(Array(b.utf8), Array(a.utf8)) == distance)
    }

    @Test(
        arguments: [
            ("Example.COM", "example.com"), ("example.com.", "example.com"), ("localhost", "localhost"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"), ("", nil), (".", nil), ("a..b", nil), ("-a.b", nil),
            ("a-.b", nil), ("a_b.c", nil), ("a/b", nil), ("..", nil), ("bücher.example", nil), ("a\0b", nil),
            (String(repeating: "a", count: 64), nil),
            (String(repeating: "a", count: 63), String(repeating: "a", count: 63)),
            (String(repeating: "a.", count: 128), nil),
        ] as [(String, String?)])
    func hostNames(name: String, expected: String?) {
        #expect(HostName.normalized(name) == expected)
    }
}
