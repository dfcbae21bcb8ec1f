import Testing

@testable import Primitives

@Suite struct MailDomainTests {
    @Test(arguments: [
        ("Example.COM", "example.com"), ("a-b.example", "a-b.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("B\u{FC}cher.example", "b\u{FC}cher.example"), ("bu\u{308}cher.example", "b\u{FC}cher.example"),
        ("localhost", "localhost"), ("1.example", "1.example"),
        (String(repeating: "a", count: 63) + ".example", String(repeating: "a", count: 63) + ".example"),
    ])
    func stored(text: String, stored: String) throws {
        // Bytes, because strings compare equal across normalization forms.
        #expect(try Array(MailDomain.stored(text).utf8) == Array(stored.utf8))
        #expect(try MailDomain.stored(stored) == stored)
    }

    @Test(arguments: [
        ("", "a domain must not be empty"),
        ("a..b", "a domain must not have an empty label"),
        (".example", "a domain must not have an empty label"),
        ("example.", "a domain must not have an empty label"),
        ("-a.example", "a domain may contain only letters, digits and inner hyphens"),
        ("a-.example", "a domain may contain only letters, digits and inner hyphens"),
        ("a_b.example", "a domain may contain only letters, digits and inner hyphens"),
        ("../etc", "a domain must not have an empty label"),
        ("a/b", "a domain may contain only letters, digits and inner hyphens"),
        ("a\0b", "a domain may contain only letters, digits and inner hyphens"),
        (String(repeating: "a", count: 64), "a domain label may have at most 63 bytes"),
        (String(repeating: "a.", count: 128) + "b", "a domain may have at most 255 bytes"),
        (String(repeating: "a", count: 1_000_000), "a domain may have at most 255 bytes"),
    ])
    func refused(text: String, message: String) {
        #expect(throws: NameSyntaxError(message)) { try MailDomain.stored(text) }
    }
}
