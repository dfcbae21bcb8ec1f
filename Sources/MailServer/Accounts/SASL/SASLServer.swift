/// The server's side of one SASL exchange (RFC 4422), for every protocol: client messages in, the next step out.
///
/// A value without socket or clock. The protocol handles the wire form: base64, the initial response, cancelling with
/// `*`. After a decision or a failure the exchange is over, and every further message is refused.
package struct SASLServer: Sendable {
    /// The action that a message requires of the session.
    package enum Step: Sendable, Equatable {
        /// Send this challenge and read the client's next message.
        case challenge([UInt8])
        /// Look up the user's credentials for ``found(_:)``.
        case lookUp(user: String)
        /// Decide the login; the exchange is over.
        case decide(LoginAttempt)
        /// Refuse the login; the exchange is over.
        case failed(SASLFailure)
    }

    /// The octets that PLAIN and LOGIN accept as a name or password.
    package enum Credentials: Sendable {
        /// Any octets; a name that is not text counts as a wrong name.
        case octets
        /// UTF-8 without NUL, and a nonempty name; anything else is malformed.
        case text
    }

    private enum State: Sendable {
        case plain
        case loginUser
        case loginPassword(user: [UInt8])
        case scramFirst
        case scramLookup(user: String, SCRAMExchange)
        case scramProof(user: String, SCRAMExchange)
        /// The server's proof has been sent; the client acknowledges it with an empty message.
        case scramEnd(user: String)
        case over
    }

    private var state: State
    private let credentials: Credentials
    private let nonce: String

    /// - Parameter nonce: the server's half of the SCRAM nonce: random for each exchange, printable ASCII, no comma.
    package init(_ mechanism: SASLMechanism, credentials: Credentials, nonce: String) {
        state =
            switch mechanism {
            case .plain: .plain
            case .login: .loginUser
            case .scramSHA256: .scramFirst
            }
        self.credentials = credentials
        self.nonce = nonce
    }

    /// Begins the exchange.
    /// - Parameter initialResponse: the initial response sent with the command, possibly empty; nil if there was none.
    package mutating func begin(_ initialResponse: [UInt8]?) -> Step {
        if let initialResponse { return receive(initialResponse) }
        if case .loginUser = state { return .challenge(Array("Username:".utf8)) }
        return .challenge([])
    }

    /// Processes the client's next message.
    package mutating func receive(_ message: [UInt8]) -> Step {
        let state = state
        self.state = .over
        do throws(SASLFailure) {
            switch state {
            case .plain: return .decide(try plain(message))
            case .loginUser:
                try require(name: message)
                self.state = .loginPassword(user: message)
                return .challenge(Array("Password:".utf8))
            case .loginPassword(let user):
                try require(text: message)
                return .decide(try attempt(user, message))
            case .scramFirst: return try beginSCRAM(message)
            case .scramProof(let user, let exchange): return try judge(message, of: user, exchange)
            case .scramEnd(let user):
                guard message.isEmpty else { throw Self.over }
                return .decide(.proof(user: user, isRight: true))
            case .scramLookup, .over: throw Self.over
            }
        } catch {
            return .failed(error)
        }
    }

    /// Continues with the credentials requested by ``Step/lookUp(user:)``.
    package mutating func found(_ credentials: SCRAMCredentials) -> Step {
        guard case .scramLookup(let user, var exchange) = state else {
            state = .over
            return .failed(Self.over)
        }
        let challenge = exchange.challenge(credentials)
        state = .scramProof(user: user, exchange)
        return .challenge(challenge)
    }

    // MARK: passwords

    /// Parses `authzid NUL authcid NUL password`. Nobody may act as another user: the authzid must be empty or equal to
    /// the authcid.
    private func plain(_ message: [UInt8]) throws(SASLFailure) -> LoginAttempt {
        let parts = message.split(separator: 0, omittingEmptySubsequences: false).map { Array($0) }
        guard parts.count == 3 else { throw SASLFailure(kind: .malformed, text: "Malformed PLAIN response") }
        let (actor, user, password) = (parts[0], parts[1], parts[2])
        try require(text: actor)
        try require(name: user)
        try require(text: password)
        guard actor.isEmpty || Self.isSame(actor, user) else {
            throw SASLFailure(kind: .authorization, text: "Cannot act as another user")
        }
        return try attempt(user, password)
    }

    /// Whether two names are equal, ignoring case.
    private static func isSame(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a == b || String(decoding: a, as: UTF8.self).lowercased() == String(decoding: b, as: UTF8.self).lowercased()
    }

    private func attempt(_ user: [UInt8], _ password: [UInt8]) throws(SASLFailure) -> LoginAttempt {
        guard let user = LoginAttempt.name(user) else {
            throw SASLFailure(kind: .refused, text: "Wrong name or password")
        }
        return .password(user: user, password)
    }

    private func require(text: [UInt8]) throws(SASLFailure) {
        guard credentials == .octets || LoginAttempt.name(text) != nil else {
            throw SASLFailure(kind: .malformed, text: "Not valid UTF-8, or contains NUL")
        }
    }

    private func require(name: [UInt8]) throws(SASLFailure) {
        try require(text: name)
        guard credentials == .octets || !name.isEmpty else {
            throw SASLFailure(kind: .malformed, text: "The user name is missing")
        }
    }

    // MARK: SCRAM

    private mutating func beginSCRAM(_ message: [UInt8]) throws(SASLFailure) -> Step {
        var exchange = SCRAMExchange()
        let user = try exchange.first(message, serverNonce: nonce)
        state = .scramLookup(user: user, exchange)
        return .lookUp(user: user)
    }

    private mutating func judge(
        _ message: [UInt8], of user: String, _ exchange: SCRAMExchange
    ) throws(SASLFailure) -> Step {
        do throws(SASLFailure) {
            let proof = try exchange.last(message)
            state = .scramEnd(user: user)
            return .challenge(proof)
        } catch {
            guard error.kind == .refused else { throw error }
            return .decide(.proof(user: user, isRight: false))
        }
    }

    private static let over = SASLFailure(kind: .malformed, text: "The authentication exchange is over")
}
