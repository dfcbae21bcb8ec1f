import Logging
import Primitives

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
        if isLockedOut(remoteAddress) { return .lockedOut }
        return counted(await authenticator.authenticate(inDomain(user), password: password), from: remoteAddress)
    }

    /// Begins a login by SCRAM.
    func scramCredentials(user: String, from remoteAddress: String) async -> SCRAMLookup {
        if isLockedOut(remoteAddress) { return .lockedOut }
        return await authenticator.scramCredentials(inDomain(user))
    }

    /// Ends it; a proof that was wrong counts as any failed login.
    func scramLogin(user: String, isProven: Bool, from remoteAddress: String) async -> LoginOutcome {
        if isLockedOut(remoteAddress) { return .lockedOut }
        return counted(isProven ? await authenticator.proven(inDomain(user)) : .refused, from: remoteAddress)
    }

    private func inDomain(_ user: String) -> String {
        guard !user.utf8.contains(UInt8(ascii: "@")), let domain = configuration.domains.first else { return user }
        return "\(user)@\(domain)"
    }

    private func isLockedOut(_ remoteAddress: String) -> Bool {
        guard let remote = IPAddress(remoteAddress) else { return false }
        return limits.mayAuthenticate(remote) != .allowed
    }

    private func counted(_ outcome: AuthenticationOutcome, from remoteAddress: String) -> LoginOutcome {
        switch outcome {
        case .accepted(let account): return .accepted(account)
        case .refused:
            if let remote = IPAddress(remoteAddress), limits.authenticationFailed(remote) {
                log.logger("login").warning("locked out after too many failures", metadata: ["client": "\(remote)"])
            }
            return .refused
        case .disabled: return .disabled
        case .unavailable: return .unavailable
        }
    }
}
