import DurableFiles
import NIOConcurrencyHelpers
import ShardFS

/// The answer to a login.
public enum AuthenticationOutcome: Sendable, Equatable {
    case accepted(UserAccount)
    /// No such account, or not its password. The two are not told apart, in content or in time.
    case refused
    /// The password is right and the account is disabled.
    case disabled
    /// Too many checks wait already, or the account cannot be read now; the client may try again later.
    case unavailable(String)
}

/// Checks logins: the one place that does, for all protocols.
public final class Authenticator: Sendable {
    private let accounts: AccountStore
    private let filePool: BlockingPool
    private let passwordPool: BlockingPool
    private let cache = VerifiedCredentialCache()
    /// Verified in place of an account that is not there, so that its absence costs the same time.
    let decoy: PasswordHash
    /// Of the salts that names without an account show to SCRAM.
    let decoySecret: [UInt8]
    /// Monotonic nanoseconds.
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - filePool: reads user.json.
    ///   - passwordPool: hashes; a small one with a queue limit, since each check takes a core for tens of
    ///     milliseconds.
    ///   - decoyIterations: the count that most accounts of the store have.
    ///   - decoySecret: the same after each start, lest a name without an account be known by its changing salt.
    public init(
        accounts: AccountStore, filePool: BlockingPool, passwordPool: BlockingPool,
        decoyIterations: Int = PasswordHash.usualIterations, decoySecret: [UInt8] = SecureRandom.bytes(32),
        now: @escaping @Sendable () -> Int64
    ) {
        self.accounts = accounts
        self.filePool = filePool
        self.passwordPool = passwordPool
        self.now = now
        self.decoySecret = decoySecret
        decoy = PasswordHash(
            hash: SecureRandom.bytes(PasswordHash.usualLength), salt: SecureRandom.bytes(16),
            iterations: decoyIterations)
    }

    /// - Parameters:
    ///   - login: `user@domain`, in any case.
    ///   - password: as the client sent it.
    public func authenticate(_ login: String, password: [UInt8]) async -> AuthenticationOutcome {
        let address = try? AccountAddress(login: login)
        let found: (account: UserAccount, stamp: FileStamp)?
        do {
            found = try await lookUp(address)
        } catch {
            return .unavailable("\(error)")
        }
        if let (account, stamp) = found, cache.contains(account.address, password, stamp, now: now()) {
            return account.enabled ? .accepted(account) : .disabled
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
            return .unavailable("password checks: \(error)")
        }
        guard verified, let (account, stamp) = found else { return .refused }
        cache.insert(account.address, password, stamp, now: now())
        return account.enabled ? .accepted(account) : .disabled
    }

    func lookUp(
        _ address: AccountAddress?
    ) async throws(PoolError<AccountError>) -> (account: UserAccount, stamp: FileStamp)? {
        guard let address else { return nil }
        return try await filePool.run { [accounts] () throws(AccountError) in try accounts.find(address) }
    }
}
