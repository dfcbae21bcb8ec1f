import Logging

/// The answer to a login from an address, lock-outs counted.
enum LoginOutcome: Sendable {
    case accepted(UserAccount)
    case refused
    case disabled
    /// Too many failures came from this address.
    case lockedOut
    case unavailable
}

extension ServerEnvironment {
    /// Checks a login for any protocol. A name without a domain is taken in the first configured domain.
    func login(user: String, password: [UInt8], from remoteAddress: String) async -> LoginOutcome {
        let remote = IPAddress(remoteAddress)
        if let remote, case .refused = limits.mayAuthenticate(remote) { return .lockedOut }
        var user = user
        if !user.utf8.contains(UInt8(ascii: "@")), let domain = configuration.domains.first { user += "@\(domain)" }
        switch await authenticator.authenticate(user, password: password) {
        case .accepted(let account): return .accepted(account)
        case .refused:
            if let remote, limits.authenticationFailed(remote) {
                log.logger("login").warning("locked out after too many failures", metadata: ["client": "\(remote)"])
            }
            return .refused
        case .disabled: return .disabled
        case .unavailable: return .unavailable
        }
    }
}
