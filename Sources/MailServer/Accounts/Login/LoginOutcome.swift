/// The answer to a login, for every protocol.
package enum LoginOutcome: Sendable, Equatable {
    case accepted(UserAccount)
    /// No such account, or not its password. The two are not told apart, in content or in time.
    case refused
    /// The password is right, but the account is disabled.
    case disabled
    /// Too many failures came from this address; the client must wait.
    case lockedOut
    /// Too many checks wait already, or the account cannot be read now; the client may try again later.
    case unavailable(reason: String)
}

/// The evidence on which a login is decided.
package enum LoginAttempt: Sendable, Hashable {
    case password(user: String, [UInt8])
    /// The end of a SCRAM exchange: whether the client has proven that it knows the password.
    case proof(user: String, isRight: Bool)

    /// The octets of a name as text; nil for those that cannot be anybody's name.
    package static func name(_ octets: [UInt8]) -> String? {
        guard !octets.contains(0) else { return nil }
        return String(validating: octets, as: UTF8.self)
    }
}

/// The start of a login by SCRAM.
package enum SCRAMLookup: Sendable, Equatable {
    /// The account's credentials; made-up ones for an unknown name, so that the two are not told apart.
    case credentials(SCRAMCredentials)
    /// Too many failures came from this address.
    case lockedOut
    /// The account cannot be read now.
    case unavailable(reason: String)
}

/// Decides the logins of a session. Calls come from many connections at once.
///
/// A `user` is the text that the client sent, mostly an address; nothing about it is known to be true.
package protocol LoginChecker: Sendable {
    /// Decides a login from `remoteAddress`, and counts it when it fails.
    func decide(_ attempt: LoginAttempt, from remoteAddress: String) async -> LoginOutcome

    /// The credentials by which a SCRAM proof of `user`'s password is judged.
    func scramCredentials(of user: String, from remoteAddress: String) async -> SCRAMLookup
}
