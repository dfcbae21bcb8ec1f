import Primitives
import SMTPCodec
import Testing

@Suite struct SMTPAddressTests {
    @Test(arguments: [
        ("alice@example.com", "alice", "example.com", "alice@example.com"),
        ("Alice@EXAMPLE.Com", "Alice", "example.com", "Alice@example.com"),
        ("a.b+c@x", "a.b+c", "x", "a.b+c@x"),
        ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", "example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
        ("\"a b\"@example.com", "a b", "example.com", "\"a b\"@example.com"),
        ("\"alice\"@example.com", "alice", "example.com", "alice@example.com"),
        ("\"a\\\"\\\\>@b\"@example.com", "a\"\\>@b", "example.com", "\"a\\\"\\\\>@b\"@example.com"),
        ("\"a..b\"@example.com", "a..b", "example.com", "\"a..b\"@example.com"),
        ("a@[192.0.2.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]"),
        // Without the quotes that RFC 5321 asks for, as mobile networks and server controllers send it.
        ("a.@example.com", "a.", "example.com", "\"a.\"@example.com"),
        ("a..b@example.com", "a..b", "example.com", "\"a..b\"@example.com"),
        (".a@example.com", ".a", "example.com", "\".a\"@example.com"),
        ("a@[IPv6:2001:DB8::1]", "a", "[ipv6:2001:db8::1]", "a@[ipv6:2001:db8::1]"),
        ("j\u{F6}rg@B\u{DC}cher.example", "j\u{F6}rg", "b\u{FC}cher.example", "j\u{F6}rg@b\u{FC}cher.example"),
        ("a@x-1.y_2.example", "a", "x-1.y_2.example", "a@x-1.y_2.example"),
    ]) func reads(text: String, localPart: String, domain: String, written: String) throws {
        let address = try #require(SMTPAddress(text))
        #expect(address.localPart == localPart)
        #expect(address.domain == domain)
        #expect(address.description == written)
        #expect(SMTPAddress(written) == address)
    }

    @Test(arguments: [
        "", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a@.b", "a@b.", "a@b..c", "a@-b",
        "a@b-", "\"a@b", "\"a\"b@c", "\"\"@b", "a@[", "a@[]", "a@[1.2.3]", "a@[1.2.3.256]", "a@[1.2.3.4", "a@[a]b",
        "a(x)@b",
        "a@b(x)", "a<b@c", "a,b@c", "\"a\\", "\"a\u{1}\"@b", "a\u{7F}@b", "a@b;c", "\"\\\u{E4}\"@b",
    ]) func refuses(text: String) {
        #expect(SMTPAddress(text) == nil)
    }

    @Test func lengths() {
        let label = String(repeating: "d", count: 63)
        let domain = "\(label).\(label).\(label).\(String(repeating: "d", count: 63))"
        #expect(domain.utf8.count == 255)
        // A local part has no limit of its own (RFC 5321 section 4.5.3.1.1 says what must be taken at least).
        for count in [64, 65, 200, 2000] {
            let local = String(repeating: "l", count: count)
            #expect(SMTPAddress("\(local)@x")?.localPart == local)
            #expect(SMTPAddress("\"\(local) \"@x")?.localPart == "\(local) ")
        }
        #expect(SMTPAddress("a@\(domain)") != nil)
        #expect(SMTPAddress("a@\(domain)d") == nil)
        #expect(SMTPAddress("a@\(label)d.x") == nil)
        // The limit of a label beyond ASCII is that of its A-label.
        #expect(SMTPAddress("a@\(String(repeating: "\u{FC}", count: 40)).x") != nil)
    }

    @Test(arguments: [
        ("Alice+Tag@x", "alice"), ("alice@x", "alice"), ("+tag@x", "+tag"), ("a+b+c@x", "a"), ("\"A B+c\"@x", "a b"),
    ]) func accountNames(text: String, name: String) throws {
        #expect(try #require(SMTPAddress(text)).accountName == name)
    }

    @Test(
        arguments: [
            ("a@[192.0.2.1]", "192.0.2.1"), ("a@[IPv6:2001:DB8::1]", "2001:db8::1"), ("a@[2001:db8::1]", "2001:db8::1"),
            ("a@[IPv6:::ffff:192.0.2.1]", "192.0.2.1"), ("a@[x:y]", nil), ("a@192.0.2.1", nil), ("a@b", nil),
        ] as [(String, String?)])
    func literals(text: String, address: String?) throws {
        #expect(try #require(SMTPAddress(text)).addressLiteral?.description == address)
    }

    @Test func domainsCompareWithoutCaseLocalPartsWithIt() {
        #expect(SMTPAddress("a@X.example") == SMTPAddress("a@x.EXAMPLE"))
        #expect(SMTPAddress("A@x.example") != SMTPAddress("a@x.example"))
        #expect(SMTPAddress("a@[192.0.2.1]") != nil)
        #expect(SMTPAddress("a@x")?.isASCII == true)
        #expect(SMTPAddress("\u{E4}@x")?.isASCII == false)
    }
}
