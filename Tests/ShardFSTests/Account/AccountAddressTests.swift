import Testing

@testable import ShardFS

@Suite struct AccountAddressTests {
    @Test(arguments: [
        ("alice@example.com", "alice", "example.com"),
        ("Alice.B+tag=1_-@EXAMPLE.com", "alice.b+tag=1_-", "example.com"),
        ("0@localhost", "0", "localhost"), ("JÖRG@BÜCHER.example", "jörg", "bücher.example"),
        ("u\u{308}@x.xn--p1ai", "ü", "x.xn--p1ai"), ("用户@例子.广告", "用户", "例子.广告"),
    ])
    func reads(_ row: (String, String, String)) throws {
        let address = try AccountAddress(parsing: row.0)
        #expect(address.local == row.1)
        #expect(address.domain == row.2)
        #expect(try AccountAddress(parsing: address.description) == address)
    }

    @Test(arguments: [
        "", "alice", "@example.com", "alice@", "a/b@x.org", "../x@x.org", "..@x.org", ".a@x.org", "a.@x.org",
        "a..b@x.org", "a\u{0}b@x.org", "a b@x.org", "a\tb@x.org", "a\"b@x.org", "a@b@x.org", "a%b@x.org", "a\\b@x.org",
        "a\u{202E}b@x.org", "a\u{200B}@x.org", "a\u{2028}@x.org", "a@.x.org", "a@x..org", "a@x.org.", "a@-x.org",
        "a@x-.org",
        "a@x_y.org", "a@x/y", "a@..", "a@[127.0.0.1]", "a@x y", "a@x\u{0}", "a@\u{2024}\u{2024}", "a@x\u{2044}y",
    ])
    func refuses(_ text: String) {
        #expect(throws: StoreError(.invalidName, "")) { try AccountAddress(parsing: text) }
    }

    @Test func limits() throws {
        let label = String(repeating: "d", count: 63)
        #expect(throws: Never.self) { try AccountAddress.local(String(repeating: "a", count: 64)) }
        #expect(throws: Never.self) { try AccountAddress.domain([label, label, label, label].joined(separator: ".")) }
        for refused in ["\(label)d.org", Array(repeating: "dd", count: 100).joined(separator: ".")] {
            #expect(throws: StoreError(.invalidName, "")) { try AccountAddress.domain(refused) }
        }
        #expect(throws: StoreError(.invalidName, "")) { try AccountAddress.local(String(repeating: "a", count: 65)) }
        #expect(throws: StoreError(.invalidName, "")) {
            try AccountAddress.local(String(repeating: "é", count: 5_000_000))
        }
    }
}
