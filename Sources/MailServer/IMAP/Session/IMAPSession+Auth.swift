import IMAPCodec
import MailAccounts
import ServerRuntime
import ShardFS

// STARTTLS, LOGIN and AUTHENTICATE. RFC 9051 section 6.2; the mechanisms are those of `SASLServer`.

extension IMAPSession {
    /// An AUTHENTICATE exchange between two of its lines.
    struct AuthExchange {
        var tag: String
        var server: SASLServer
    }

    private static let privacyRequired = IMAPFailure.no(.privacyRequired, "Use STARTTLS first")
    private static let wrongCredentials = IMAPFailure.no(.authenticationFailed, "Wrong name or password")
    private static let tooManyConnections = IMAPFailure.no(.limit, "The account has too many connections; close some")
    private static let cannotCheck = IMAPFailure.no(.unavailable, "Logins cannot be checked now; try again later")

    func startTLS(_ tag: String) async throws(IMAPFailure) -> IMAPSessionStep {
        guard case .notAuthenticated = state, configuration.offersTLS, !isTLS else {
            let text = isTLS ? "TLS is already active" : "STARTTLS is not offered"
            respond(.status(tag: tag, .bad, text: text))
            return .resolve(.resume)
        }
        respond(.status(tag: tag, .ok, text: "Begin TLS negotiation now"))
        isTLS = true
        return .startTLS
    }

    func login(_ tag: String, user: [UInt8], password: [UInt8]) async throws(IMAPFailure) -> IMAPSessionStep {
        try await answer(tag) { session throws(IMAPFailure) in
            try session.checkLogin()
            guard let user = LoginAttempt.name(user) else { return try await session.enter(.refused, "LOGIN") }
            let attempt = LoginAttempt.password(user: user, password)
            return try await session.enter(
                await session.backend.logins.decide(attempt, from: session.remoteAddress), "LOGIN")
        }
        return resumeCommands()
    }

    func authenticate(
        _ tag: String, _ mechanism: String, _ initialResponse: [UInt8]?
    ) async throws(IMAPFailure) -> IMAPSessionStep {
        var server: SASLServer
        do throws(IMAPFailure) {
            server = try saslServer(mechanism)
        } catch {
            try await answer(tag) { _ throws(IMAPFailure) in throw error }
            return .resolve(.resume)
        }
        let step = server.begin(initialResponse)
        return try await take(step, of: AuthExchange(tag: tag, server: server))
    }

    private func saslServer(_ mechanism: String) throws(IMAPFailure) -> SASLServer {
        try checkLogin()
        guard let mechanism = SASLMechanism(rawValue: mechanism) else {
            throw .no(.cannot, "This authentication mechanism is not supported")
        }
        return SASLServer(mechanism, credentials: .octets, nonce: configuration.makeNonce())
    }

    /// Handles a line of the exchange.
    func continueAuthentication(_ response: IMAPAuthenticationResponse) async throws(IMAPFailure) -> IMAPSessionStep {
        guard var exchange else { return .resolve(.resume) }
        self.exchange = nil
        switch response {
        case .data(let message):
            let step = exchange.server.receive(message)
            return try await take(step, of: exchange)
        case .cancel: respond(.status(tag: exchange.tag, .bad, text: "AUTHENTICATE cancelled"))
        case .malformed: respond(.status(tag: exchange.tag, .bad, text: "Invalid base64"))
        }
        return .resolve(.resume)
    }

    /// Executes the session's next step of an exchange.
    private func take(
        _ step: SASLServer.Step, of exchange: AuthExchange
    ) async throws(IMAPFailure) -> IMAPSessionStep {
        switch step {
        case .challenge(let message):
            respond(.challenge(message))
            self.exchange = exchange
            return .resolve(.continueAuthentication)
        case .lookUp(let user):
            switch await backend.logins.scramCredentials(of: user, from: remoteAddress) {
            case .credentials(let credentials):
                var exchange = exchange
                let step = exchange.server.found(credentials)
                return try await take(step, of: exchange)
            case .lockedOut: return try await end(exchange, .lockedOut)
            case .unavailable(let reason): return try await end(exchange, .unavailable(reason: reason))
            }
        case .decide(let attempt):
            return try await end(exchange, await backend.logins.decide(attempt, from: remoteAddress))
        case .failed(let failure):
            guard failure.kind != .refused else { return try await end(exchange, .refused) }
            try await answer(exchange.tag) { _ throws(IMAPFailure) in throw IMAPFailure(failure) }
            return .resolve(.resume)
        }
    }

    private func end(
        _ exchange: AuthExchange, _ outcome: LoginOutcome
    ) async throws(IMAPFailure) -> IMAPSessionStep {
        try await answer(exchange.tag) { session throws(IMAPFailure) in
            try await session.enter(outcome, "AUTHENTICATE")
        }
        return resumeCommands()
    }

    private func checkLogin() throws(IMAPFailure) {
        guard case .notAuthenticated = state else { throw .bad("Already logged in") }
        if !mayLogIn { throw Self.privacyRequired }
    }

    /// Finishes a login: enters the authenticated state, or counts the failure.
    private func enter(_ outcome: LoginOutcome, _ command: String) async throws(IMAPFailure) -> Completion {
        switch outcome {
        case .accepted(let user):
            guard let account = await backend.open(user) else { throw Self.cannotCheck }
            guard place?.logIn(user.address.description) ?? true else { throw Self.tooManyConnections }
            state = .authenticated(account)
            owner.account = account.address.description
            return Completion("\(command) completed", code: .capability(capabilities))
        case .refused:
            try countLoginFailure()
            throw Self.wrongCredentials
        case .disabled:
            try countLoginFailure()
            throw .no(.contactAdmin, "The account is disabled")
        case .lockedOut:
            try countLoginFailure()
            throw .no(.unavailable, "Too many failed logins from this address; try again later")
        case .tooManyConnections: throw Self.tooManyConnections
        case .unavailable: throw Self.cannotCheck
        }
    }

    private func resumeCommands() -> IMAPSessionStep {
        guard case .authenticated = state else { return .resolve(.resume) }
        return .resolve(.resume, options: configuration.decoderOptions(authenticated: true))
    }
}

extension IMAPFailure {
    fileprivate init(_ failure: SASLFailure) {
        self =
            switch failure.kind {
            case .malformed: .bad(failure.text)
            case .unsupported: .no(.cannot, failure.text)
            case .authorization: .no(.authorizationFailed, failure.text)
            case .refused: .no(.authenticationFailed, failure.text)
            }
    }
}
