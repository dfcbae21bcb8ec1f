import DurableFiles
package import Logging
import Primitives
package import ServerRuntime
import ShardFS

/// The reloadable settings of a ``LoginService``.
package struct LoginSettings: Sendable, Equatable {
    /// The domain assumed for a bare user name; if nil, bare names are refused.
    package var defaultDomain: String?

    package init(defaultDomain: String?) { self.defaultDomain = defaultDomain }
}

/// Decides the logins of all protocols.
///
/// A client address with too many failures is locked out before its password is checked, for every protocol and
/// mechanism.
package final class LoginService: LoginChecker, UpdatableComponent {
    package typealias Settings = LoginSettings

    private let accounts: AccountStore
    private let filePool: BlockingPool
    private let passwordPool: BlockingPool
    private let limits: ConnectionLimits
    private let logger: Logger
    private let settings: Locked<LoginSettings>
    private let cache = VerifiedCredentialCache()
    /// Verified in place of a missing account, so that an unknown name takes the same time.
    private let decoy: PasswordHash
    private let decoySecret: [UInt8]
    private let decoyAccount: DecoyAccount
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - filePool: the threads that read user.json.
    ///   - passwordPool: the threads that hash passwords. Keep it small and its queue bounded: each check occupies a
    ///     core for tens of milliseconds.
    ///   - limits: counts the failures of each client address.
    ///   - decoyIterations: the iteration count of most accounts in the store.
    ///   - decoySecret: the key for the SCRAM salts of unknown names. It must survive restarts: a salt that changes
    ///     would reveal that the account does not exist.
    ///   - decoyAccount: read in place of an account that is not there.
    ///   - now: monotonic nanoseconds.
    package init(
        accounts: AccountStore, filePool: BlockingPool, passwordPool: BlockingPool, limits: ConnectionLimits,
        logger: Logger, settings: LoginSettings, decoyIterations: Int = PasswordHash.defaultIterations,
        decoySecret: [UInt8], decoyAccount: DecoyAccount, now: @escaping @Sendable () -> Int64
    ) {
        self.accounts = accounts
        self.filePool = filePool
        self.passwordPool = passwordPool
        self.limits = limits
        self.logger = logger
        self.settings = Locked(settings)
        self.decoySecret = decoySecret
        self.decoyAccount = decoyAccount
        self.now = now
        decoy = PasswordHash(
            hash: SecureRandom.bytes(PasswordHash.defaultLength), salt: SecureRandom.bytes(16),
            iterations: decoyIterations)
    }

    /// Replaces the settings, effective from the next login.
    package func update(_ new: LoginSettings) { settings.withLock { $0 = new } }

    package func decide(_ attempt: LoginAttempt, from remoteAddress: String) async -> LoginOutcome {
        let client = IPAddress(remoteAddress)
        // Counted before the password is looked at: checks wait for each other, and so many could pass here at a time.
        if let client, await !limits.beginLogin(client) { return .lockedOut }
        let outcome: LoginOutcome =
            switch attempt {
            case .password(let user, let password): await check(password, of: qualified(user))
            case .proof(let user, isRight: true): await admit(qualified(user))
            case .proof(_, isRight: false): .refused
            }
        if case .unavailable(let reason) = outcome { logFailure(reason, of: attempt.user, from: remoteAddress) }
        if let client, limits.endLogin(client, failed: outcome == .refused) {
            logger.warning(
                "locked out after too many failures",
                metadata: ["client": "\(client)", "account": "\(Self.shown(qualified(attempt.user)))"])
        }
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
            logFailure("\(error)", of: user, from: remoteAddress)
            return .unavailable(reason: "\(error)")
        }
        // Always computes both, so that an unknown name takes the same time.
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

    private func logFailure(_ reason: String, of user: String, from remoteAddress: String) {
        logger.error(
            "could not check a login",
            metadata: [
                "account": "\(Self.shown(qualified(user)))", "client": "\(remoteAddress)", "error": "\(reason)",
            ])
    }

    /// A name cut for the log: a client may send thousands of octets.
    private static func shown(_ name: String) -> String { String(name.prefix(256)) }

    // MARK: accounts

    /// Appends the default domain to a bare user name.
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
        let verification: PasswordHash.Verification
        do {
            verification = try await passwordPool.run { [cache, now] in
                // A check for another connection of the same client may have finished while this one was queued.
                if let (account, stamp) = found, cache.contains(account.address, password, stamp, now: now()) {
                    return .right
                }
                return hash.verification(of: password)
            }
        } catch {
            return .unavailable(reason: "could not check the password: \(error)")
        }
        guard verification != .wrong, let (account, stamp) = found else { return .refused }
        if verification == .rightUnprepared {
            await replaceHash(of: account, password)
        } else {
            cache.insert(account.address, password, stamp, now: now())
        }
        return Self.admitted(account)
    }

    /// Replaces a hash that predates password preparation. Failures are only logged.
    private func replaceHash(of account: UserAccount, _ password: [UInt8]) async {
        let old = account.password
        do {
            let new = try await passwordPool.run { () throws(AccountError) in
                try PasswordHash(password: password, iterations: old.iterations)
            }
            try await filePool.run { [accounts] () throws(AccountError) in
                try accounts.replaceHash(account.address, old, by: new)
            }
        } catch {
            logger.warning(
                "could not replace a password hash that SCRAM cannot use",
                metadata: ["account": "\(account.address)", "error": "\(error)"])
        }
    }

    /// Completes a login after a successful SCRAM proof.
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
        try await filePool.run { [accounts, decoyAccount] () throws(AccountError) in
            try accounts.find(address, orWorkOn: decoyAccount)
        }
    }
}
