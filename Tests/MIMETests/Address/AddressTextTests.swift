import Testing

@testable import MIME

@Suite struct AddressTextTests {
    @Test(arguments: [
        ("", ""), ("joe@x", "<joe@x>"), ("Joe <joe@x>", "Joe <joe@x>"), ("joe@x (Joe)", "Joe <joe@x>"),
        ("<user-x (c)@ (c) example.org>", "<user-x@example.org>"), ("joe . q\r\n @x . y", "<joe.q@x.y>"),
        ("(a) Joe (b) Public <joe@x>, <a@b>", "Joe Public <joe@x>, <a@b>"),
        ("G (c): a@b, C <c@d>;, e@f", "G: <a@b>, C <c@d>;, <e@f>"), ("G:;", "G: ;"),
        (#""Public, Joe" <joe@x>"#, "Public, Joe <joe@x>\n\"Public, Joe\" <joe@x>"),
        (#""Joe \"Q\"" <joe@x>"#, "Joe \"Q\" <joe@x>\n\"Joe \\\"Q\\\"\" <joe@x>"),
        (#""joe"@x"#, "<joe@x>"), (#""joe q"@x"#, "<joe q@x>\n<\"joe q\"@x>"),
        ("Joe <@a,@b:joe@x>", "Joe <joe@x>\nJoe <@a,@b:joe@x>"),
        ("=?utf-8?q?J=C3=B6?= =?utf-8?q?rg?= (c) <j@x>", "Jörg <j@x>"), ("joe", "<joe>"), ("Joe <>", "Joe <>"),
    ])
    func shows(input: String, expected: String) {
        let value = utf8(input.replacing("\r\n", with: ""))
        #expect(string(AddressList.searchText(of: value)) == expected)
    }

    @Test(arguments: [
        ("From", "user-x@EXAMPLE.org", true), ("from", "(c)", false), ("From", "", true), ("To", "", false),
    ])
    func isSearchedIn(name: String, text: String, expected: Bool) {
        let bytes = mail("From: <user-x (c)@ (c)\n example.org>\n\n")
        let header = HeaderBlock(scanning: bytes.span)
        let isFound = header.contains(TextQuery(text), inAddressesOf: name, in: bytes.span)
        #expect(isFound == expected)
        let plain = bytes.withUnsafeBytes { fields in
            var matcher = TextMatcher(TextQuery(text))
            return PlainFields(fields).contains(
                &matcher, inFieldsNamed: utf8(name.lowercased()), asAddresses: true)
        }
        #expect(plain == expected)
    }
}
