import DurableFiles
import FoundationEssentials
import Primitives
import ShardFS
import TestSupport
import Testing

@testable import MailAccounts
@testable import MailServer
@testable import ServerConfiguration
@testable import ServerRuntime

private let alice = try! AccountAddress(login: "alice@example.com")

/// A store with alice (password "secret", one round), pools, and a clock controlled by the test.
private final class Fixture: Sendable {
    let directory: TemporaryDirectory
    let store: AccountStore
    let filePool = BlockingPool(threads: 1, maximumWaiting: 100)
    let passwordPool = BlockingPool(threads: 1, maximumWaiting: 100)
    let limits: ConnectionLimits
    let time = Locked<Int64>(0)
    let lines = Locked<[String]>([])
    let service: LoginService

    init(failures: Int = 100, hook: (any SystemHook)? = nil) throws {
        let system = SystemCalls(hook: hook)
        directory = TemporaryDirectory()
        store = AccountStore(
            mailRoot: directory.path, files: PathFiles(system: system), mailboxes: RecordingProvisioning(), now: { 0 })
        var configuration = Configuration()
        configuration.rateLimit.authFailureLimit = failures
        configuration.rateLimit.authFailureLockout = 900
        let now: @Sendable () -> Int64 = { [time] in time.withLock { $0 } }
        let log = LogOutput(LogOutput.Settings(configuration)) { [lines] line in
            lines.withLock { $0.append(line) }
        }
        limits = ConnectionLimits(ConnectionLimits.Settings(configuration), now: now)
        service = LoginService(
            accounts: store, filePool: filePool, passwordPool: passwordPool,
            limits: limits, logger: log.logger("login"),
            settings: LoginSettings(defaultDomain: nil), decoyIterations: 1, decoySecret: [1],
            decoyAccount: try DecoyAccount(at: directory.path + "/decoy.json", files: PathFiles(system: system)),
            now: now)
        try store.createDomain("example.com")
        try store.create(alice, password: Array("secret".utf8), iterations: 1)
    }

    func login(_ name: String, _ password: String, from client: String = "192.0.2.7") async -> LoginOutcome {
        await service.decide(.password(user: name, Array(password.utf8)), from: client)
    }

    func proof(of name: String, isRight: Bool = true, from client: String = "192.0.2.7") async -> LoginOutcome {
        await service.decide(.proof(user: name, isRight: isRight), from: client)
    }

    func credentials(_ name: String) async -> SCRAMCredentials? {
        if case .credentials(let found) = await service.scramCredentials(of: name, from: "192.0.2.7") {
            found
        } else {
            nil
        }
    }

    func shutdown() async {
        await filePool.shutdown()
        await passwordPool.shutdown()
    }
}

@Suite struct LoginServiceTests {
    /// What a password looks like when it is set and when it is typed (RFC 4013).
    @Test(arguments: [
        ("e\u{301}clair", "\u{E9}clair", true), ("pass\u{A0}word", "pass word", true),
        ("soft\u{AD}ware", "software", true), ("\u{2168}", "IX", true), ("IX", "\u{2168}", true),
        ("Gr\u{FC}n", "Gr\u{FC}n", true), ("\u{7}bell", "\u{7}bell", true), ("\u{1F600}", "\u{1F600}", true),
        ("\u{7}bell\u{AD}", "\u{7}bell", false), ("eclair", "\u{E9}clair", false),
    ]) func preparedPasswords(set: String, typed: String, isRight: Bool) async throws {
        let f = try Fixture()
        try f.store.setPassword(alice, Array(set.utf8), iterations: 1)
        #expect(await f.login("alice@example.com", typed) == (isRight ? .accepted(try f.store.load(alice)) : .refused))
        await f.shutdown()
    }

    /// A hash of the old program's, or made before passwords were prepared.
    private static func unprepared(_ password: String) throws -> PasswordHash {
        // Latin letters alone are prepared as they are: this hash is built from the octets below the preparation.
        let salt = Array("salt".utf8)
        let key = try #require(PasswordHash.derived(Array(password.utf8), salt: salt, iterations: 1))
        return PasswordHash(hash: key, salt: salt, iterations: 1)
    }

    @Test func anUnpreparedHashIsReplacedByALogin() async throws {
        let f = try Fixture()
        let old = try Self.unprepared("e\u{301}clair")
        try f.store.update(alice) { $0.password = old }
        // Another spelling does not verify yet, and a failed login replaces nothing.
        #expect(await f.login("alice@example.com", "\u{E9}clair") == .refused)
        #expect(try f.store.load(alice).password == old)
        guard case .accepted = await f.login("alice@example.com", "e\u{301}clair") else { return #expect(Bool(false)) }
        let new = try f.store.load(alice).password
        #expect(new.verification(of: Array("\u{E9}clair".utf8)) == .right)
        #expect(new.salt != old.salt)
        #expect(new.iterations == old.iterations)
        guard case .accepted = await f.login("alice@example.com", "\u{E9}clair") else { return #expect(Bool(false)) }
        #expect(try f.store.load(alice).password == new)
        // SCRAM's clients prepare the password.
        #expect(await f.credentials("alice@example.com") == SCRAMCredentials(new))
        await f.shutdown()
    }

    @Test func aPreparedHashIsLeftAlone() async throws {
        let f = try Fixture()
        let old = try f.store.load(alice).password
        #expect(await f.login("alice@example.com", "sec\u{AD}ret") == .accepted(try f.store.load(alice)))
        #expect(try f.store.load(alice).password == old)
        await f.shutdown()
    }

    @Test func aLockOutNamesTheAccount() async throws {
        let f = try Fixture(failures: 2)
        _ = await f.login("alice@example.com", "a")
        _ = await f.login("x client=198.51.100.9 \"y\"@example.com", "a")
        let lines = f.lines.withLock { $0 }
        #expect(lines.count == 1)
        #expect(
            lines.first?.hasSuffix(
                #"account="x client=198.51.100.9 \"y\"@example.com" client=192.0.2.7"# + "\n") == true, "\(lines)")
        await f.shutdown()
    }

    @Test func anAccountThatCannotBeReadIsLogged() async throws {
        let f = try Fixture()
        try Data("{".utf8).write(
            to: URL(filePath: "\(f.directory.path)/domains/example.com/users/alice/user.json"))
        guard case .unavailable = await f.login("alice@example.com", "secret") else { return #expect(Bool(false)) }
        _ = await f.credentials("alice@example.com")
        let lines = f.lines.withLock { $0 }
        #expect(lines.count == 2)
        for line in lines {
            #expect(line.contains("account=alice@example.com client=192.0.2.7 error="), "\(line)")
        }
        await f.shutdown()
    }

    @Test func rightAndWrongPasswords() async throws {
        let f = try Fixture()
        #expect(await f.login("Alice@Example.com", "secret") == .accepted(try f.store.load(alice)))
        #expect(await f.login("alice@example.com", "Secret") == .refused)
        #expect(await f.login("bob@example.com", "secret") == .refused)
        #expect(await f.login("alice", "secret") == .refused)
        #expect(await f.login("../../etc/passwd", "secret") == .refused)
        #expect(await f.login("alice@example.com", "") == .refused)
        await f.shutdown()
    }

    @Test func aNameWithoutADomain() async throws {
        let f = try Fixture()
        #expect(await f.login("alice", "secret") == .refused)
        #expect(await f.proof(of: "alice") == .refused)
        let unknown = await f.credentials("bob@example.com")
        #expect(await f.credentials("bob") != unknown)
        f.service.update(LoginSettings(defaultDomain: "example.com"))
        #expect(await f.login("alice", "secret") == .accepted(try f.store.load(alice)))
        #expect(await f.proof(of: "alice") == .accepted(try f.store.load(alice)))
        #expect(await f.credentials("bob") == unknown && unknown != nil)
        f.service.update(LoginSettings(defaultDomain: "example.org"))
        #expect(await f.login("alice", "secret") == .refused)
        await f.shutdown()
    }

    @Test func whatSCRAMProofsAreJudgedBy() async throws {
        let f = try Fixture()
        #expect(await f.credentials("Alice@example.com") == SCRAMCredentials(try f.store.load(alice).password))
        // An unknown name looks like an account, and always the same one, however it is spelled.
        let unknown = await f.credentials("bob@example.com")
        #expect(unknown?.salt.count == 16 && unknown?.iterations == 1)
        #expect(await f.credentials("BOB@example.com") == unknown)
        #expect(await f.credentials("carol@example.com") != unknown && unknown != nil)
        #expect(await f.credentials("../../etc/passwd") != nil)
        // A hash too short for SCRAM looks like no account.
        try f.store.update(alice) { $0.password = PasswordHash(hash: Array(1...16), salt: [1], iterations: 1) }
        #expect(await f.credentials("alice@example.com")?.salt.count == 16)

        #expect(await f.proof(of: "Alice@example.com") == .accepted(try f.store.load(alice)))
        #expect(await f.proof(of: "Alice@example.com", isRight: false) == .refused)
        #expect(await f.proof(of: "bob@example.com") == .refused)
        try f.store.setEnabled(alice, false)
        #expect(await f.proof(of: "alice@example.com") == .disabled)
        await f.shutdown()
    }

    @Test func failuresLockAnAddressOut() async throws {
        let f = try Fixture(failures: 3)
        #expect(await f.login("alice@example.com", "wrong") == .refused)
        #expect(await f.proof(of: "alice@example.com", isRight: false) == .refused)
        // Neither of these counts.
        #expect(await f.login("alice@example.com", "secret") == .accepted(try f.store.load(alice)))
        #expect(await f.credentials("alice@example.com") != nil)
        #expect(f.lines.withLock { $0 }.isEmpty)
        #expect(await f.proof(of: "bob@example.com") == .refused)
        let lines = f.lines.withLock { $0 }
        #expect(lines.count == 1)
        #expect(
            lines.first?.hasSuffix(
                "locked out after too many failures account=bob@example.com client=192.0.2.7\n") == true)

        #expect(await f.login("alice@example.com", "secret") == .lockedOut)
        #expect(await f.proof(of: "alice@example.com") == .lockedOut)
        #expect(await f.service.scramCredentials(of: "alice@example.com", from: "192.0.2.7") == .lockedOut)
        #expect(await f.login("alice@example.com", "secret", from: "192.0.2.8") == .accepted(try f.store.load(alice)))
        f.time.withLock { $0 = 900_000_000_000 }
        #expect(await f.login("alice@example.com", "secret") == .accepted(try f.store.load(alice)))
        await f.shutdown()
    }

    /// However many guesses come at a time, no more are judged than may fail.
    @Test func guessesThatComeTogetherCountTogether() async throws {
        let f = try Fixture(failures: 5)
        let outcomes = await withTaskGroup { group in
            for n in 0..<90 { group.addTask { await f.login("alice@example.com", "guess \(n)") } }
            return await group.reduce(into: [LoginOutcome]()) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .refused } == 5)
        #expect(outcomes.count { $0 == .lockedOut } == 85)
        #expect(f.lines.withLock { $0 }.count == 1)
        await f.shutdown()
    }

    /// A mail program that opens many connections at a time is not taken for a guesser.
    @Test func rightPasswordsThatComeTogetherAreAllAccepted() async throws {
        let f = try Fixture(failures: 5)
        let accepted = LoginOutcome.accepted(try f.store.load(alice))
        let outcomes = await withTaskGroup { group in
            for _ in 0..<60 { group.addTask { await f.login("alice@example.com", "secret") } }
            return await group.reduce(into: [LoginOutcome]()) { $0.append($1) }
        }
        #expect(outcomes.allSatisfy { $0 == accepted } && outcomes.count == 60)
        #expect(await f.login("alice@example.com", "wrong") == .refused)
        await f.shutdown()
    }

    /// The first step of SCRAM and a wrong password do the same for every name.
    @Test func everyNameCostsTheSameWork() async throws {
        let counter = CallCounter()
        let f = try Fixture(hook: counter)
        var work: [String: [String: Int]] = [:]
        for name in ["alice@example.com", "bob@example.com", "bob@elsewhere.example", "no name", "a@b@c"] {
            counter.take()
            _ = await f.credentials(name)
            let first = counter.take()
            #expect(await f.login(name, "wrong") == .refused)
            #expect(counter.take() == first, "\(name)")
            work[name] = first
        }
        #expect(Set(work.values).count == 1, "\(work)")
        #expect(work["alice@example.com"]?["read"] ?? 0 > 0, "\(work)")
        await f.shutdown()
    }

    /// A check that could not be made and a disabled account never lock anyone out.
    @Test func onlyFailuresCount() async throws {
        let f = try Fixture(failures: 1)
        try f.store.setEnabled(alice, false)
        for _ in 1...3 { #expect(await f.login("alice@example.com", "secret") == .disabled) }
        await f.passwordPool.shutdown()
        for _ in 1...3 { #expect(await f.login("alice@example.com", "wrong") != .lockedOut) }
        await f.filePool.shutdown()
    }

    @Test func aDisabledAccountIsRefusedAtOnceThoughItsPasswordIsRemembered() async throws {
        let f = try Fixture()
        #expect(await f.login("alice@example.com", "secret") == .accepted(try f.store.load(alice)))
        try f.store.setEnabled(alice, false)
        #expect(await f.login("alice@example.com", "secret") == .disabled)
        #expect(await f.login("alice@example.com", "secret") == .disabled)
        #expect(await f.login("alice@example.com", "wrong") == .refused)
        await f.shutdown()
    }

    @Test func aChangedPasswordHoldsAtOnce() async throws {
        let f = try Fixture()
        #expect(await f.login("alice@example.com", "secret") != .refused)
        try f.store.setPassword(alice, Array("other".utf8), iterations: 1)
        #expect(await f.login("alice@example.com", "secret") == .refused)
        #expect(await f.login("alice@example.com", "other") != .refused)
        await f.shutdown()
    }

    @Test func aRememberedPasswordNeedsNoHashAndIsForgottenInTime() async throws {
        let f = try Fixture()
        #expect(await f.login("alice@example.com", "secret") != .refused)
        await f.passwordPool.shutdown()
        f.time.withLock { $0 = 59_999_999_999 }
        #expect(await f.login("alice@example.com", "secret") == .accepted(try f.store.load(alice)))
        let closed = LoginOutcome.unavailable(reason: "could not check the password: the server is shutting down")
        #expect(await f.login("alice@example.com", "wrong") == closed)
        f.time.withLock { $0 = 60_000_000_000 }
        #expect(await f.login("alice@example.com", "secret") == closed)
        await f.filePool.shutdown()
    }

    @Test func aDamagedFileIsNotAWrongPassword() async throws {
        let f = try Fixture()
        try f.store.files.publish([], at: f.store.directory(alice) + "/user.json", replacing: true)
        guard case .unavailable(let reason) = await f.login("alice@example.com", "secret") else {
            Issue.record("expected unavailable")
            return
        }
        #expect(reason.contains("user.json of alice@example.com"))
        await f.shutdown()
    }

    @Test func theCacheIsBounded() throws {
        let cache = VerifiedCredentialCache(lifetime: 10, capacity: 3)
        let stamp = FileStamp(inode: 1, size: 1, modified: 1)
        for i in 0..<10 {
            cache.insert(try AccountAddress(login: "u\(i)@example.com"), [1], stamp, now: 0)
            #expect(cache.count <= 3)
        }
        #expect(cache.contains(try AccountAddress(login: "u9@example.com"), [1], stamp, now: 9))
        #expect(!cache.contains(try AccountAddress(login: "u9@example.com"), [2], stamp, now: 9))
        #expect(!cache.contains(try AccountAddress(login: "u9@example.com"), [1], stamp, now: 10))
    }
}

/// Counts system calls by kind.
private final class CallCounter: SystemHook {
    private let counts = Locked<[String: Int]>([:])

    func before(_ call: SystemCall) -> Errno? {
        let kind = String("\(call)".prefix { $0 != "(" })
        counts.withLock { $0[kind, default: 0] += 1 }
        return nil
    }

    @discardableResult
    func take() -> [String: Int] {
        counts.withLock { counts in
            defer { counts = [:] }
            return counts
        }
    }
}
