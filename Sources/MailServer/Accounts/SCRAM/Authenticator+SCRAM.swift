import ShardFS

/// What a login by SCRAM begins with.
public enum SCRAMLookup: Sendable {
    /// Those of the account; made up where there is none, so that the two are not told apart.
    case credentials(SCRAMCredentials)
    /// Too many failures came from this address.
    case lockedOut
    /// The account cannot be read now.
    case unavailable
}

extension Authenticator {
    /// What a proof of `login`'s password is judged by.
    /// - Parameter login: `user@domain`, in any case.
    public func scramCredentials(_ login: String) async -> SCRAMLookup {
        let address = try? AccountAddress(login: login)
        let found: UserAccount?
        do {
            found = try await lookUp(address)?.account
        } catch {
            return .unavailable
        }
        // Both are made in any case, so that a name that nobody has takes the same time.
        let unknown = SCRAMCredentials(
            unknown: address?.description ?? login, secret: decoySecret, iterations: decoy.iterations)
        let known = SCRAMCredentials(found?.password ?? decoy)
        guard found != nil, let known else { return .credentials(unknown) }
        return .credentials(known)
    }

    /// The account of a login whose password was proven by SCRAM.
    public func proven(_ login: String) async -> AuthenticationOutcome {
        do {
            guard let account = try await lookUp(try? AccountAddress(login: login))?.account else { return .refused }
            return account.enabled ? .accepted(account) : .disabled
        } catch {
            return .unavailable("\(error)")
        }
    }
}
