import IMAPCodec

// STARTTLS, LOGIN and AUTHENTICATE. RFC 9051 section 6.2; SASL PLAIN is RFC 4616, SCRAM RFC 5802.

extension IMAPSession {
    /// Where an AUTHENTICATE exchange stands.
    struct AuthExchange {
        enum Step {
            case plain
            case loginUser
            case loginPassword(user: [UInt8])
            case scramFirst
            case scramProof(user: String, SCRAMExchange)
            /// The server's own proof is sent; the client takes note of it with an empty line.
            case scramEnd(user: String)
        }

        var tag: String
        var step: Step
    }

    private static let privacyRequired = IMAPFailure.no(.privacyRequired, "Use STARTTLS first")
    private static let wrongCredentials = IMAPFailure.no(.authenticationFailed, "Wrong name or password")

    func startTLS(_ tag: String) async throws(IMAPFailure) -> IMAPSessionStep {
        guard case .notAuthenticated = state, configuration.offersTLS, !isTLS else {
            let text = isTLS ? "TLS is in use already" : "STARTTLS is not offered"
            respond(.status(tag: tag, .bad, text: text))
            return .resolve(.resume)
        }
        respond(.status(tag: tag, .ok, text: "Begin TLS now"))
        isTLS = true
        return .startTLS
    }

    func login(_ tag: String, user: [UInt8], password: [UInt8]) async throws(IMAPFailure) -> IMAPSessionStep {
        try await answer(tag) { session throws(IMAPFailure) in
            try session.checkLogin()
            return try await session.verify(user: user, password: password, command: "LOGIN")
        }
        return resumeCommands()
    }

    func authenticate(
        _ tag: String, _ mechanism: String, _ initialResponse: [UInt8]?
    ) async throws(IMAPFailure) -> IMAPSessionStep {
        var step: AuthExchange.Step?
        try await answer(tag, failuresOnly: true) { session throws(IMAPFailure) in
            try session.checkLogin()
            switch mechanism {
            case "PLAIN": step = .plain
            case "LOGIN": step = .loginUser
            case "SCRAM-SHA-256": step = .scramFirst
            default: throw .no(.cannot, "This authentication mechanism is not offered")
            }
        }
        guard let step else { return .resolve(.resume) }
        exchange = AuthExchange(tag: tag, step: step)
        if let initialResponse { return try await continueAuthentication(.data(initialResponse)) }
        respond(.challenge(Self.challenge(for: step)))
        return .resolve(.continueAuthentication)
    }

    /// A line of the exchange.
    func continueAuthentication(_ response: IMAPAuthenticationResponse) async throws(IMAPFailure) -> IMAPSessionStep {
        guard let exchange else { return .resolve(.resume) }
        self.exchange = nil
        let data: [UInt8]
        switch response {
        case .data(let bytes): data = bytes
        case .cancel:
            respond(.status(tag: exchange.tag, .bad, text: "AUTHENTICATE cancelled"))
            return .resolve(.resume)
        case .malformed:
            respond(.status(tag: exchange.tag, .bad, text: "That is not base64"))
            return .resolve(.resume)
        }
        switch exchange.step {
        case .plain:
            try await answer(exchange.tag) { session throws(IMAPFailure) in
                let (user, password) = try Self.plain(data)
                return try await session.verify(user: user, password: password, command: "AUTHENTICATE")
            }
            return resumeCommands()
        case .loginUser:
            let next = AuthExchange.Step.loginPassword(user: data)
            self.exchange = AuthExchange(tag: exchange.tag, step: next)
            respond(.challenge(Self.challenge(for: next)))
            return .resolve(.continueAuthentication)
        case .loginPassword(let user):
            try await answer(exchange.tag) { session throws(IMAPFailure) in
                try await session.verify(user: user, password: data, command: "AUTHENTICATE")
            }
            return resumeCommands()
        case .scramFirst: return try await beginSCRAM(exchange.tag, data)
        case .scramProof(let user, let scram): return try await judgeSCRAM(exchange.tag, user, scram, data)
        case .scramEnd(let user): return try await endSCRAM(exchange.tag, user, data)
        }
    }

    private static func challenge(for step: AuthExchange.Step) -> [UInt8] {
        switch step {
        case .plain, .scramFirst, .scramProof, .scramEnd: []
        case .loginUser: Array("Username:".utf8)
        case .loginPassword: Array("Password:".utf8)
        }
    }

    /// `authzid NUL authcid NUL password`; another identity than one's own cannot be taken.
    private static func plain(_ bytes: [UInt8]) throws(IMAPFailure) -> (user: [UInt8], password: [UInt8]) {
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .bad("That is no PLAIN response") }
        guard parts[0].isEmpty || parts[0] == parts[1] else {
            throw .no(.authorizationFailed, "No acting for others")
        }
        return (Array(parts[1]), Array(parts[2]))
    }

    private func checkLogin() throws(IMAPFailure) {
        guard case .notAuthenticated = state else { throw .bad("Logged in already") }
        if !mayLogIn { throw Self.privacyRequired }
    }

    private func verify(
        user: [UInt8], password: [UInt8], command: String
    ) async throws(IMAPFailure) -> Completion {
        guard let name = String(validating: user, as: UTF8.self), !name.utf8.contains(0) else {
            try countLoginFailure()
            throw Self.wrongCredentials
        }
        return try enter(await backend.authenticate(user: name, password: password, from: remoteAddress), command)
    }

    /// The end of a login.
    func enter(_ outcome: IMAPAuthenticationOutcome, _ command: String) throws(IMAPFailure) -> Completion {
        switch outcome {
        case .accepted(let account):
            state = .authenticated(account)
            return Completion("\(command) completed", code: .capability(capabilities))
        case .refused:
            try countLoginFailure()
            throw Self.wrongCredentials
        case .disabled:
            try countLoginFailure()
            throw .no(.contactAdmin, "The account is disabled")
        case .lockedOut:
            try countLoginFailure()
            throw .no(.unavailable, "Too many failed logins from this address; wait")
        case .unavailable:
            throw .no(.unavailable, "Logins cannot be checked now; try again")
        }
    }

    func resumeCommands() -> IMAPSessionStep {
        guard case .authenticated = state else { return .resolve(.resume) }
        return .resolve(.resume, options: configuration.decoderOptions(authenticated: true))
    }

    /// As `answer`, for the first half of a command: success is not answered.
    private func answer(
        _ tag: String, failuresOnly: Bool, _ body: (isolated IMAPSession) throws(IMAPFailure) -> Void
    ) async throws(IMAPFailure) {
        do throws(IMAPFailure) {
            try body(self)
        } catch {
            try await answer(tag) { _ throws(IMAPFailure) in throw error }
        }
    }
}
