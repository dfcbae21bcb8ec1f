import Testing

@testable import Primitives

@Suite struct IPAddressTests {
    @Test(
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:DB8::0:1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"), ("::1", "::1"), ("", nil), ("192.0.2", nil), ("192.0.2.256", nil), ("x", nil),
            ("1.2.3.4\0", nil), (":::", nil),
        ] as [(String, String?)])
    func text(input: String, expected: String?) {
        #expect(IPAddress(input)?.description == expected)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false), ("10.128.0.0/9", "10.127.0.1", false), ("10.128.0.0/9", "10.129.0.1", true),
        ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "::1", false), ("2001:db8::/32", "2001:db8:ffff::", true),
    ])
    func networks(network: String, address: String, contains: Bool) throws {
        #expect(try #require(IPNetwork(network)).contains(try #require(IPAddress(address))) == contains)
    }

    @Test(arguments: ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "/8", "::/129", "a/8", "10.0.0.0/8/8", "10.0.0.0/+8"])
    func badNetworks(text: String) {
        #expect(IPNetwork(text) == nil)
    }
}
