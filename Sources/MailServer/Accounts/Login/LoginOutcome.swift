/// The result of a login attempt, for every protocol.
package enum LoginOutcome: Sendable, Equatable {
    case accepted(UserAccount)
    /// No such account, or a wrong password. The two are indistinguishable to the client, in content and in timing.
    case refused
    /// The password is right, but the account is disabled.
    case disabled
    /// The account has as many connections as it may have.
    case tooManyConnections
    /// Too many failures from this IP address; the client must wait.
    case lockedOut
    /// The queue of password checks is full, or the account cannot be read at present; the client may try again later.
    case unavailable(reason: String)
}

/// The evidence that a client presents for a login.
package enum LoginAttempt: Sendable, Hashable {
    case password(user: String, [UInt8])
    /// The result of a SCRAM exchange: `isRight` if the client has proven knowledge of the password.
    case proof(user: String, isRight: Bool)

    /// The name that the client sent.
    package var user: String {
        switch self {
        case .password(let user, _), .proof(let user, _): user
        }
    }

    /// Decodes a name, or returns nil if it contains NUL or is not UTF-8.
    package static func name(_ octets: [UInt8]) -> String? {
        guard !octets.contains(0) else { return nil }
        return String(validating: octets, as: UTF8.self)
    }
}

/// The credentials lookup at the start of a SCRAM login.
package enum SCRAMLookup: Sendable, Equatable {
    /// The account's credentials, or fake ones for an unknown name, so that clients cannot tell the two apart.
    case credentials(SCRAMCredentials)
    /// Too many failures from this IP address.
    case lockedOut
    /// The account cannot be read at present.
    case unavailable(reason: String)
}

/// Decides the logins of a session. Called from many connections concurrently.
///
/// `user` is unverified text from the client, usually an address.
package protocol LoginChecker: Sendable {
    /// Decides a login from `remoteAddress` and counts a failure against that address.
    func decide(_ attempt: LoginAttempt, from remoteAddress: String) async -> LoginOutcome

    /// Returns the credentials against which a SCRAM proof of `user`'s password is verified.
    func scramCredentials(of user: String, from remoteAddress: String) async -> SCRAMLookup
}
