import Testing

@testable import MailAccounts
@testable import ServerRuntime

@Suite struct SASLServerTests {
    private static func server(
        _ mechanism: SASLMechanism, _ credentials: SASLServer.Credentials = .octets
    ) -> SASLServer {
        SASLServer(mechanism, credentials: credentials, nonce: "xyz")
    }

    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static func kind(_ step: SASLServer.Step) -> SASLFailure.Kind? {
        if case .failed(let failure) = step { failure.kind } else { nil }
    }

    @Test func mechanismsAreListedOnce() {
        #expect(Set(SASLMechanism.preferred) == Set(SASLMechanism.allCases))
        #expect(SASLMechanism.preferred.count == SASLMechanism.allCases.count)
    }

    @Test(arguments: [SASLServer.Credentials.octets, .text]) func passwords(credentials: SASLServer.Credentials) {
        let attempt = SASLServer.Step.decide(.password(user: "us\u{E9}r", Self.bytes("p w")))
        for actor in ["", "us\u{E9}r"] {
            var plain = Self.server(.plain, credentials)
            #expect(plain.begin(nil) == .challenge([]))
            #expect(plain.receive(Self.bytes("\(actor)\0us\u{E9}r\0p w")) == attempt)
            var initial = Self.server(.plain, credentials)
            #expect(initial.begin(Self.bytes("\(actor)\0us\u{E9}r\0p w")) == attempt)
        }
        var login = Self.server(.login, credentials)
        #expect(login.begin(nil) == .challenge(Self.bytes("Username:")))
        #expect(login.receive(Self.bytes("us\u{E9}r")) == .challenge(Self.bytes("Password:")))
        #expect(login.receive(Self.bytes("p w")) == attempt)
    }

    @Test(arguments: [
        ("", SASLFailure.Kind.malformed), ("a", .malformed), ("a\0b", .malformed), ("\0a\0b\0c", .malformed),
        ("bob\0alice\0secret", .authorization),
    ]) func plainResponsesThatAreRefused(message: String, kind: SASLFailure.Kind) {
        for credentials in [SASLServer.Credentials.octets, .text] {
            var server = Self.server(.plain, credentials)
            #expect(Self.kind(server.begin(Self.bytes(message))) == kind)
            #expect(Self.kind(server.receive(Self.bytes("\0alice\0secret"))) == .malformed)
        }
    }

    /// Octets as name and password of PLAIN and LOGIN, with their failures by either rule.
    private static let octets:
        [(user: [UInt8], password: [UInt8], octets: SASLFailure.Kind?, text: SASLFailure.Kind?)] =
            [
                ([], [0x78], nil, .malformed), ([0xFF], [0x78], .refused, .malformed),
                ([0x61], [0xFF], nil, .malformed),
                ([0x61], [], nil, nil),
            ]

    @Test(arguments: octets) func credentialsThatAreNoText(
        user: [UInt8], password: [UInt8], octets: SASLFailure.Kind?, text: SASLFailure.Kind?
    ) {
        for (credentials, expected) in [(SASLServer.Credentials.octets, octets), (.text, text)] {
            var plain = Self.server(.plain, credentials)
            var login = Self.server(.login, credentials)
            var step = login.begin(user)
            // With octet credentials, a client that sends an unknown name is asked for the password all the same.
            if case .challenge = step { step = login.receive(password) } else { #expect(credentials == .text) }
            for step in [plain.begin([0] + user + [0] + password), step] {
                #expect(Self.kind(step) == expected)
                guard expected == nil else { continue }
                #expect(step == .decide(.password(user: String(decoding: user, as: UTF8.self), password)))
            }
        }
    }

    @Test func aNULInLOGIN() {
        for (credentials, kind) in [(SASLServer.Credentials.octets, nil), (.text, SASLFailure.Kind.malformed)] {
            var server = Self.server(.login, credentials)
            _ = server.begin(Self.bytes("alice"))
            #expect(Self.kind(server.receive([0])) == kind)
        }
    }

    /// The messages themselves are tested by `SCRAMExchangeTests`.
    @Test(arguments: [true, false]) func scram(isRight: Bool) throws {
        let hash = try PasswordHash(password: Self.bytes("pencil"), salt: [1], iterations: 1)
        let credentials = try #require(SCRAMCredentials(hash))
        // RFC 7677's client, which knows only its own nonce.
        var server = SASLServer(.scramSHA256, credentials: .text, nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
        #expect(server.begin(nil) == .challenge([]))
        #expect(server.receive(Self.bytes("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")) == .lookUp(user: "user"))
        let known = isRight ? SCRAMTestUsers.credentials(of: "user", password: "") : .credentials(credentials)
        guard case .credentials(let found) = known, case .challenge = server.found(found) else {
            Issue.record("no challenge")
            return
        }
        let last = SCRAMTestUsers.message(SCRAMTestUsers.last)
        guard isRight else {
            #expect(server.receive(last) == .decide(.proof(user: "user", isRight: false)))
            #expect(Self.kind(server.receive([])) == .malformed)
            return
        }
        #expect(server.receive(last) == .challenge(SCRAMTestUsers.message(SCRAMTestUsers.proof)))
        var other = server
        #expect(server.receive([]) == .decide(.proof(user: "user", isRight: true)))
        #expect(Self.kind(server.receive([])) == .malformed)
        #expect(Self.kind(other.receive([0])) == .malformed)
    }

    @Test func credentialsThatNobodyAskedFor() {
        let made = SCRAMCredentials(unknown: "a", secret: [1], iterations: 1)
        for mechanism in SASLMechanism.allCases {
            var server = Self.server(mechanism)
            #expect(Self.kind(server.found(made)) == .malformed)
            #expect(Self.kind(server.receive(Self.bytes("n,,n=user,r=abc"))) == .malformed)
        }
    }

    @Test func anAnswerInPlaceOfCredentials() {
        var server = Self.server(.scramSHA256)
        #expect(server.begin(Self.bytes("n,,n=user,r=abc")) == .lookUp(user: "user"))
        #expect(Self.kind(server.receive([])) == .malformed)
    }
}
