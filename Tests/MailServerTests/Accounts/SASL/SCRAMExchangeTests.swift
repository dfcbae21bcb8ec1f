import Crypto
import Primitives
import Testing

@testable import MailAccounts
@testable import ServerRuntime

@Suite struct SCRAMExchangeTests {
    // RFC 7677 section 3.
    private static let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    private static let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    private static let challenge =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    private static let last =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    private static let proof = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

    private static func credentials(_ password: String = "pencil") throws -> SCRAMCredentials {
        let salt = try #require(Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ==".utf8))
        return try #require(
            SCRAMCredentials(PasswordHash(password: Array(password.utf8), salt: salt, iterations: 4096)))
    }

    /// A client implementation for messages of which the RFC has no example.
    private static func answer(
        to challenge: [UInt8], first: String, binding: String = "biws", password: String = "pencil", more: String = ""
    ) throws -> [UInt8] {
        let text = String(decoding: challenge, as: UTF8.self)
        let nonce = try #require(text.split(separator: ",").first)
        let credentials = try credentials(password)
        let salt = try #require(Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ==".utf8))
        let salted = try PasswordHash(password: Array(password.utf8), salt: salt, iterations: 4096).hash
        let key = Array(
            HMAC<SHA256>.authenticationCode(for: Array("Client Key".utf8), using: SymmetricKey(data: salted)))
        let bare = first.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)[2]
        let message = "c=\(binding),\(nonce)\(more)"
        let signature = Array(
            HMAC<SHA256>.authenticationCode(
                for: Array("\(bare),\(text),\(message)".utf8), using: SymmetricKey(data: credentials.storedKey)))
        return Array("\(message),p=\(Base64.text(zip(key, signature).map { $0 ^ $1 }))".utf8)
    }

    @Test func theRFCsExample() throws {
        var exchange = SCRAMExchange()
        #expect(try exchange.first(Array(Self.first.utf8), serverNonce: Self.serverNonce) == "user")
        #expect(try exchange.challenge(Self.credentials()) == Array(Self.challenge.utf8))
        #expect(try exchange.last(Array(Self.last.utf8)) == Array(Self.proof.utf8))
    }

    @Test(arguments: [
        ("n,,n=user,r=abc", "user", "biws"), ("y,,n=user,r=abc", "user", "eSws"),
        ("n,a=user,n=user,r=abc", "user", "bixhPXVzZXIs"), ("n,,n=a=2Cb=3Dc,r=abc", "a,b=c", "biws"),
        ("n,,n=us\u{E9}r,r=abc", "us\u{E9}r", "biws"), ("n,,n=user,r=abc,x=later", "user", "biws"),
    ]) func formsOfTheFirstMessage(message: String, user: String, binding: String) throws {
        var exchange = SCRAMExchange()
        #expect(try exchange.first(Array(message.utf8), serverNonce: "xyz") == user)
        let challenge = exchange.challenge(try Self.credentials())
        #expect(String(decoding: challenge, as: UTF8.self).hasPrefix("r=abcxyz,s="))
        for more in ["", ",x=later"] {
            let answer = try Self.answer(to: challenge, first: message, binding: binding, more: more)
            #expect(try exchange.last(answer).starts(with: Array("v=".utf8)))
        }
        let wrong = try Self.answer(to: challenge, first: message, binding: binding, password: "pencils")
        #expect(throws: SASLFailure(kind: .refused, text: "Wrong name or password")) {
            try exchange.last(wrong)
        }
    }

    @Test(arguments: [
        ("", SASLFailure.Kind.malformed), ("n", .malformed), ("n,,", .malformed), ("n,,n=user", .malformed),
        ("n,,n=,r=abc", .malformed), ("n,,n=user,r=", .malformed), ("n,,n=us=er,r=abc", .malformed),
        ("n,,n=user=2c,r=abc", .malformed), ("n,,n=user=,r=abc", .malformed), ("x,,n=user,r=abc", .malformed),
        ("n,b=user,n=user,r=abc", .malformed), ("n,a=,n=user,r=abc", .malformed), ("n,,r=abc,n=user", .malformed),
        ("n,,n=user,r=a\u{7F}c", .malformed), ("n,,n=us\u{0}er,r=abc", .malformed), ("n,,n=user,r=a b", .malformed),
        ("n,a=other,n=user,r=abc", .authorization), ("p=tls-unique,,n=user,r=abc", .unsupported),
        ("n,,m=x,n=user,r=abc", .unsupported), ("n,,n=user,r=" + String(repeating: "a", count: 9300), .malformed),
    ]) func firstMessagesThatAreRefused(message: String, kind: SASLFailure.Kind) {
        var exchange = SCRAMExchange()
        #expect {
            try exchange.first(Array(message.utf8), serverNonce: "xyz")
        } throws: { ($0 as? SASLFailure)?.kind == kind }
    }

    @Test func bytesThatAreNoText() {
        var exchange = SCRAMExchange()
        #expect(throws: SASLFailure.self) {
            try exchange.first(Array("n,,n=".utf8) + [0xFF] + Array(",r=abc".utf8), serverNonce: "x")
        }
    }

    @Test(arguments: [
        // Another header, another nonce, the proof of another password.
        (("c=biws", "c=eSws"), SASLFailure.Kind.refused), (("r=rOpr", "r=rOpx"), .refused),
        (("p=dHzb", "p=dHzc"), .refused), (("k0,", "k1,"), .refused), (("c=biws,", "c=biws,x=y,"), .malformed),
        (("c=biws,", ""), .malformed), (("c=biws", "c="), .malformed), (("c=biws", "c=!"), .malformed),
        (("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "dHzb"), .malformed), (("p=dHzb", "q=dHzb"), .malformed),
    ]) func lastMessagesThatAreRefused(change: (String, String), kind: SASLFailure.Kind) throws {
        var exchange = SCRAMExchange()
        _ = try exchange.first(Array(Self.first.utf8), serverNonce: Self.serverNonce)
        _ = exchange.challenge(try Self.credentials())
        let message = Self.last.replacing(change.0, with: change.1)
        #expect(message != Self.last)
        #expect {
            try exchange.last(Array(message.utf8))
        } throws: { ($0 as? SASLFailure)?.kind == kind }
    }

    @Test func aLastMessageWithoutAFirst() {
        #expect(throws: SASLFailure.self) { try SCRAMExchange().last(Array(Self.last.utf8)) }
    }

    @Test func hashesOfOtherLengths() throws {
        let salt = try #require(Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ==".utf8))
        let whole = PasswordHash(hash: Array(1...32), salt: salt, iterations: 1)
        let long = PasswordHash(hash: Array(1...64), salt: salt, iterations: 1)
        #expect(SCRAMCredentials(whole) != nil && SCRAMCredentials(whole) == SCRAMCredentials(long))
        #expect(SCRAMCredentials(PasswordHash(hash: Array(1...31), salt: salt, iterations: 1)) == nil)
    }

    @Test func aNameThatNobodyHas() {
        let one = SCRAMCredentials(unknown: "a@b", secret: [1], iterations: 5)
        #expect(one == SCRAMCredentials(unknown: "a@b", secret: [1], iterations: 5))
        #expect(one.salt.count == 16 && one.salt != SCRAMCredentials(unknown: "a@c", secret: [1], iterations: 5).salt)
        #expect(one.salt != SCRAMCredentials(unknown: "a@b", secret: [2], iterations: 5).salt)
    }

    @Test func nonces() {
        let nonces = Set((0..<100).map { _ in SCRAMExchange.randomNonce() })
        #expect(nonces.count == 100 && nonces.allSatisfy { $0.utf8.count == 24 && !$0.contains(",") })
    }
}
