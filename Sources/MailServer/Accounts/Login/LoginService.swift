import DurableFiles
package import Logging
import Primitives
package import ServerRuntime
import ShardFS

/// The reloadable settings of a ``LoginService``.
package struct LoginSettings: Sendable, Equatable {
    /// The domain of a name without one; nil when there is none, and such names are refused.
    package var defaultDomain: String?

    package init(defaultDomain: String?) { self.defaultDomain = defaultDomain }
}

/// Decides logins: the one place that does, for all protocols.
///
/// An address with too many failures is locked out before its password is looked at, by whatever protocol and mechanism
/// it comes.
package final class LoginService: LoginChecker, UpdatableComponent {
    package typealias Settings = LoginSettings

    private let accounts: AccountStore
    private let filePool: BlockingPool
    private let passwordPool: BlockingPool
    private let limits: ConnectionLimits
    private let logger: Logger
    private let settings: Locked<LoginSettings>
    private let cache = VerifiedCredentialCache()
    /// Verified in place of an account that is not there, so that its absence costs the same time.
    private let decoy: PasswordHash
    private let decoySecret: [UInt8]
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - filePool: reads user.json.
    ///   - passwordPool: hashes; a small one with a queue limit, since each check takes a core for tens of
    ///     milliseconds.
    ///   - limits: counts the failures of each address.
    ///   - decoyIterations: the count that most accounts of the store have.
    ///   - decoySecret: the key of the salts that unknown names show to SCRAM; the same after each start, lest such a
    ///     name be known by its changing salt.
    ///   - now: monotonic nanoseconds.
    package init(
        accounts: AccountStore, filePool: BlockingPool, passwordPool: BlockingPool, limits: ConnectionLimits,
        logger: Logger, settings: LoginSettings, decoyIterations: Int = PasswordHash.defaultIterations,
        decoySecret: [UInt8], now: @escaping @Sendable () -> Int64
    ) {
        self.accounts = accounts
        self.filePool = filePool
        self.passwordPool = passwordPool
        self.limits = limits
        self.logger = logger
        self.settings = Locked(settings)
        self.decoySecret = decoySecret
        self.now = now
        decoy = PasswordHash(
            hash: SecureRandom.bytes(PasswordHash.defaultLength), salt: SecureRandom.bytes(16),
            iterations: decoyIterations)
    }

    /// Takes new settings; they hold from the next login on.
    package func update(_ new: LoginSettings) { settings.withLock { $0 = new } }

    package func decide(_ attempt: LoginAttempt, from remoteAddress: String) async -> LoginOutcome {
        let client = IPAddress(remoteAddress)
        if isLockedOut(client) { return .lockedOut }
        let outcome: LoginOutcome =
            switch attempt {
            case .password(let user, let password): await check(password, of: qualified(user))
            case .proof(let user, isRight: true): await admit(qualified(user))
            case .proof(_, isRight: false): .refused
            }
        if outcome == .refused { countFailure(of: client) }
        return outcome
    }

    package func scramCredentials(of user: String, from remoteAddress: String) async -> SCRAMLookup {
        if isLockedOut(IPAddress(remoteAddress)) { return .lockedOut }
        let name = qualified(user)
        let address = try? AccountAddress(login: name)
        let found: UserAccount?
        do {
            found = try await lookUp(address)?.account
        } catch {
            return .unavailable(reason: "\(error)")
        }
        // Both are made in any case, so that an unknown name takes the same time.
        let unknown = SCRAMCredentials(
            unknown: address?.description ?? name, secret: decoySecret, iterations: decoy.iterations)
        let known = SCRAMCredentials(found?.password ?? decoy)
        guard found != nil, let known else { return .credentials(unknown) }
        return .credentials(known)
    }

    // MARK: failures

    private func isLockedOut(_ client: IPAddress?) -> Bool {
        guard let client else { return false }
        return limits.mayAuthenticate(client) != .allowed
    }

    private func countFailure(of client: IPAddress?) {
        guard let client, limits.authenticationFailed(client) else { return }
        logger.warning("locked out after too many failures", metadata: ["client": "\(client)"])
    }

    // MARK: accounts

    /// The name in the default domain, when it has none of its own.
    private func qualified(_ user: String) -> String {
        guard !user.utf8.contains(UInt8(ascii: "@")), let domain = settings.withLock({ $0.defaultDomain })
        else { return user }
        return "\(user)@\(domain)"
    }

    private func check(_ password: [UInt8], of name: String) async -> LoginOutcome {
        let found: (account: UserAccount, stamp: FileStamp)?
        do {
            found = try await lookUp(try? AccountAddress(login: name))
        } catch {
            return .unavailable(reason: "\(error)")
        }
        if let (account, stamp) = found, cache.contains(account.address, password, stamp, now: now()) {
            return Self.admitted(account)
        }
        let hash = found?.account.password ?? decoy
        let verified: Bool
        do {
            verified = try await passwordPool.run { [cache, now] in
                // While this check waited, one for another connection of the same client may have ended.
                if let (account, stamp) = found, cache.contains(account.address, password, stamp, now: now()) {
                    return true
                }
                return hash.verifies(password)
            }
        } catch {
            return .unavailable(reason: "password checks: \(error)")
        }
        guard verified, let (account, stamp) = found else { return .refused }
        cache.insert(account.address, password, stamp, now: now())
        return Self.admitted(account)
    }

    /// The end of a login whose password was proven by SCRAM.
    private func admit(_ name: String) async -> LoginOutcome {
        do {
            return try await lookUp(try? AccountAddress(login: name)).map { Self.admitted($0.account) } ?? .refused
        } catch {
            return .unavailable(reason: "\(error)")
        }
    }

    private static func admitted(_ account: UserAccount) -> LoginOutcome {
        account.enabled ? .accepted(account) : .disabled
    }

    private func lookUp(
        _ address: AccountAddress?
    ) async throws(PoolError<AccountError>) -> (account: UserAccount, stamp: FileStamp)? {
        guard let address else { return nil }
        return try await filePool.run { [accounts] () throws(AccountError) in try accounts.find(address) }
    }
}
