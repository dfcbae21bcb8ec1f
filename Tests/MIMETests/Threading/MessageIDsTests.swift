import Testing

@testable import MIME

@Suite struct MessageIDsTests {
    @Test(arguments: [
        ("<a@b>", ["a@b"]),
        (" <a@b> <c@d>\t<e@f>", ["a@b", "c@d", "e@f"]),
        ("<a@b><c@d>", ["a@b", "c@d"]),
        // RFC 5256 section 3: quoting makes no difference.
        (#"<"01KF8JCEOCBS0045PS"@xxx.yyy.com>"#, ["01KF8JCEOCBS0045PS@xxx.yyy.com"]),
        ("<01KF8JCEOCBS0045PS@xxx.yyy.com>", ["01KF8JCEOCBS0045PS@xxx.yyy.com"]),
        (#"<"a\"b@c"@d>"#, [#"a"b@c@d"#]),
        ("<A@b> <a@B>", ["A@b", "a@B"]),
        ("< a @ b >", ["a@b"]),
        ("<a (comment (nested)) @b>", ["a@b"]),
        ("<a(b@c> <d@e>", ["a(b@c", "d@e"]),
        (#"<a"b@c> <d@e>"#, ["ab@c", "d@e"]),
        ("<a@[127.0.0.1]>", ["a@[127.0.0.1]"]),
        ("", []), ("a@b", []), ("<a>", []), ("<@b>", []), ("<a@>", []), ("<>", []), ("<a@b", []),
        ("<a@b <c@d>", ["c@d"]),
        ("Your message of today <a@b> from <someone>", ["a@b"]),
        ("\"name\" <x@y>", ["x@y"]),
    ])
    func scan(value: String, ids: [String]) {
        #expect(MessageIDs(utf8(value)).map { string($0) } == ids, "\(value)")
    }

    @Test(arguments: ["<", "<a@b", "<a@b>", "<\"", "<(", "(", "<a(b", "<a\"b\\", "\\", "<((((@))))"])
    func hostile(piece: String) {
        let value = Array(repeatElement(utf8(piece), count: (1 << 20) / piece.utf8.count).joined())
        var count = 0
        for _ in MessageIDs(value) { count += 1 }
        #expect(count <= value.count / 3)
        for _ in MessageIDs(utf8("<a@b") + value) { count += 1 }
    }
}
