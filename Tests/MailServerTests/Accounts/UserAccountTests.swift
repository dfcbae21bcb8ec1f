import Primitives
import ShardFS
import Testing

@testable import MailAccounts
@testable import ServerRuntime

/// PBKDF2-HMAC-SHA256 of "password" with salt "salt", 1 and 2 rounds (RFC 7914 section 11 has similar vectors), made
/// with an independent implementation.
private let oneRound = "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"
private let twoRounds = "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"

private func account(_ json: String) throws(AccountError) -> UserAccount {
    try UserAccount(address: try AccountAddress(login: "alice@example.com"), json: Array(json.utf8))
}

@Suite struct UserAccountTests {
    @Test(arguments: [(1, oneRound), (2, twoRounds)])
    func knownVectors(iterations: Int, hash: String) throws {
        let made = try PasswordHash(password: Array("password".utf8), salt: Array("salt".utf8), iterations: iterations)
        #expect(Hex.encode(made.hash) == hash)
        #expect(made.verifies(Array("password".utf8)))
        #expect(!made.verifies(Array("Password".utf8)))
        #expect(!made.verifies([]))
    }

    @Test(arguments: [
        // "salt" is 4 letters of base64: whatever decodes as base64 is base64.
        #"{"password_hash": "\#(oneRound)", "salt": "73616c74", "iterations": 1}"#,
        #"{"password_hash": "\#(oneRound)", "salt": "c2FsdA==", "iterations": 1}"#,
        #"{"password_hash": "Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=", "salt": "73616C74", "iterations": 1}"#,
    ])
    func hashAndSaltAreReadGenerously(json: String) throws {
        #expect(try account(json).password.verifies(Array("password".utf8)))
    }

    @Test func aSaltThatIsNeitherIsText() throws {
        let made = try PasswordHash(password: Array("p".utf8), salt: Array("not-hex!".utf8), iterations: 3)
        let read = try account(
            #"{"password_hash": "\#(Hex.encode(made.hash))", "salt": "not-hex!", "iterations": 3}"#)
        #expect(read.password == made)
    }

    @Test func missingKeysHaveDefaults() throws {
        let read = try account(#"{"password_hash": "\#(oneRound)", "salt": "aa"}"#)
        #expect(read.password.iterations == 300_000)
        #expect(read.enabled)
        #expect(!read.admin)
        // As the engine takes it, whose quota it is.
        #expect(read.quota == .none)
        #expect(read.createdAt == "")
    }

    @Test func writingIsExactAndKeepsUnknownKeys() throws {
        var read = try account(
            #"{"password_hash": "\#(oneRound.uppercased())", "salt": "c2FsdA==", "iterations": 1, "quota_mb": 5, "#
                + #""nick": {"a": [1, null]}, "created_at": "2020-01-01", "username": "mallory"}"#)
        read.setQuota(megabytes: 0)
        read.admin = true
        let text = String(decoding: try read.json(), as: UTF8.self)
        #expect(
            text == """
                {
                  "admin" : true,
                  "created_at" : "2020-01-01",
                  "domain" : "example.com",
                  "enabled" : true,
                  "iterations" : 1,
                  "nick" : {
                    "a" : [
                      1,
                      null
                    ]
                  },
                  "password_hash" : "\(oneRound)",
                  "quota_mb" : 0,
                  "salt" : "73616c74",
                  "username" : "alice"
                }

                """)
        let again = try UserAccount(address: read.address, json: Array(text.utf8))
        #expect(try again.json() == Array(text.utf8))
    }

    /// Read like Python's decoder, whose files these are.
    @Test func base64WithStrayBits() throws {
        let salt = try account(#"{"password_hash": "\#(oneRound)", "salt": "c2FsdB=="}"#)
        #expect(salt.password.salt == Array("salt".utf8))
    }

    @Test func aLimitOfMessagesIsWrittenOnceItIsSet() throws {
        var read = try account(#"{"password_hash": "\#(oneRound)", "salt": "aa"}"#)
        #expect(read.quota.messages == 0)
        #expect(try !String(decoding: read.json(), as: UTF8.self).contains("quota_messages"))
        read.setQuota(messages: 5000)
        read = try UserAccount(address: read.address, json: try read.json())
        #expect(read.quota.messages == 5000)
        read.setQuota(messages: 0)
        #expect(try UserAccount(address: read.address, json: try read.json()).quota.messages == 0)
    }

    /// One reader, in the engine: the server neither refuses what the engine takes nor writes a limit of its own.
    @Test(
        arguments: [
            ("", nil, QuotaLimits.none),
            (#", "quota_mb": 0.5"#, .number(0.5), QuotaLimits(bytes: 1 << 19, messages: 0)),
            (#", "quota_mb": null"#, .null, .none), (#", "quota_mb": 0"#, .integer(0), .none),
            (#", "quota_mb": 1e300"#, .number(1e300), QuotaLimits(bytes: .max, messages: 0)),
            (
                #", "quota_mb": 18446744073709551615"#, .unsigned(.max),
                QuotaLimits(bytes: .max, messages: 0)
            ),
            (#", "quota_messages": 1.5"#, nil, QuotaLimits(bytes: 0, messages: 2)),
        ] as [(String, JSONValue?, QuotaLimits)])
    func quotasAreTheEngines(key: String, kept: JSONValue?, limits: QuotaLimits) throws {
        var read = try account(#"{"password_hash": "\#(oneRound)", "salt": "aa"\#(key)}"#)
        #expect(read.quota == limits)
        read.enabled = false
        let written = try JSONValue.parse(try read.json(), name: "x")
        #expect(written["quota_mb"] == kept)
        #expect(try UserAccount(address: read.address, json: try read.json()).quota == limits)
    }

    @Test(arguments: [
        ("", "valid JSON"), ("[]", "not a JSON object"), ("{}", "password_hash"),
        (#"{"password_hash": "abc", "salt": "aa"}"#, "password_hash"),
        (#"{"password_hash": "aa", "salt": "aa"}"#, "password_hash"),
        (#"{"password_hash": "\#(oneRound)"}"#, "salt"),
        (#"{"password_hash": "\#(oneRound)", "salt": ""}"#, "salt"),
        (#"{"password_hash": "\#(oneRound)", "salt": "aa", "iterations": 0}"#, "iterations"),
        (#"{"password_hash": "\#(oneRound)", "salt": "aa", "iterations": 1e12}"#, "iterations"),
        (#"{"password_hash": "\#(oneRound)", "salt": "aa", "quota_mb": -1}"#, "quota_mb"),
        (#"{"password_hash": "\#(oneRound)", "salt": "aa", "quota_mb": "many"}"#, "quota_mb"),
        (#"{"password_hash": "\#(oneRound)", "salt": "aa", "quota_messages": -1.5}"#, "quota_messages"),
        (#"{"password_hash": "\#(oneRound)", "salt": "aa", "enabled": "yes"}"#, "enabled"),
        (#"{"password_hash": "\#(oneRound)", "salt": "aa", "admin": 1}"#, "admin"),
    ])
    func damageIsNamed(json: String, word: String) {
        let error = #expect(throws: AccountError.self) { try account(json) }
        #expect(error?.code == .damaged)
        #expect(error?.description.contains(word) == true, "\(String(describing: error))")
    }

    @Test(
        arguments: [
            ("Alice@Example.COM", "alice@example.com"), ("a.b+c@d", "a.b+c@d"), ("o'neil@d.e", nil),
            ("a@b@c", nil), ("@d", nil), ("a@", nil), ("a", nil), (".a@d", nil), ("a.@d", nil), ("a..b@d", nil),
            ("../x@d", nil), ("a/b@d", nil), ("a%2fb@d", nil), ("a\0@d", nil), ("a b@d", nil),
            (String(repeating: "a", count: 65) + "@d", nil), ("a@../etc", nil), ("a@[127.0.0.1]", nil),
        ] as [(String, String?)])
    func addresses(text: String, expected: String?) {
        #expect((try? AccountAddress(login: text))?.description == expected)
    }

    @Test func passwordsHaveLimits() {
        for bad in [[], [UInt8](repeating: 65, count: 1025), [65, 0]] {
            let error = #expect(throws: AccountError.self) { try PasswordHash(password: bad, iterations: 1) }
            #expect(error?.code == .invalidPassword)
        }
    }

    @Test func generatedPasswordsDiffer() {
        let passwords = Set((0..<100).map { _ in SecureRandom.password() })
        #expect(passwords.count == 100)
        #expect(passwords.allSatisfy { $0.utf8.count == 23 })
    }
}
