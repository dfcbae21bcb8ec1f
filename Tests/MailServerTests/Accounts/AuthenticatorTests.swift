import DurableFiles
import NIOConcurrencyHelpers
import ShardFS
import TestSupport
import Testing

@testable import MailServer

private let alice = try! AccountAddress(login: "alice@example.com")

/// A store with alice (password "secret", one round), pools, and a clock that the test moves.
private final class Fixture: Sendable {
    let directory: TemporaryDirectory
    let store: AccountStore
    let filePool = BlockingPool(threads: 1, maximumWaiting: 100)
    let passwordPool: BlockingPool
    let time = NIOLockedValueBox<Int64>(0)
    let authenticator: Authenticator

    init(waiting: Int = 100) throws {
        directory = TemporaryDirectory()
        store = AccountStore(
            mailRoot: directory.path, files: PathFiles(), mailboxes: RecordingProvisioning(), now: { 0 })
        passwordPool = BlockingPool(threads: 1, maximumWaiting: waiting)
        authenticator = Authenticator(
            accounts: store, filePool: filePool, passwordPool: passwordPool, decoyIterations: 1,
            now: { [time] in time.withLockedValue { $0 } })
        try store.createDomain("example.com")
        try store.create(alice, password: Array("secret".utf8), iterations: 1)
    }

    func login(_ name: String, _ password: String) async -> AuthenticationOutcome {
        await authenticator.authenticate(name, password: Array(password.utf8))
    }

    func shutdown() async {
        await filePool.shutdown()
        await passwordPool.shutdown()
    }
}

@Suite struct AuthenticatorTests {
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

    @Test func whatSCRAMProofsAreJudgedBy() async throws {
        let f = try Fixture()
        func credentials(_ name: String) async -> SCRAMCredentials? {
            if case .credentials(let found) = await f.authenticator.scramCredentials(name) { found } else { nil }
        }
        #expect(await credentials("Alice@example.com") == SCRAMCredentials(try f.store.load(alice).password))
        // A name that nobody has looks like one, and always the same, however it is written.
        let unknown = await credentials("bob@example.com")
        #expect(unknown?.salt.count == 16 && unknown?.iterations == 1)
        #expect(await credentials("BOB@example.com") == unknown)
        #expect(await credentials("carol@example.com") != unknown && unknown != nil)
        #expect(await credentials("../../etc/passwd") != nil)
        // A hash too short for SCRAM looks like no account.
        try f.store.update(alice) { $0.password = PasswordHash(hash: Array(1...16), salt: [1], iterations: 1) }
        #expect(await credentials("alice@example.com")?.salt.count == 16)

        #expect(await f.authenticator.proven("Alice@example.com") == .accepted(try f.store.load(alice)))
        #expect(await f.authenticator.proven("bob@example.com") == .refused)
        try f.store.setEnabled(alice, false)
        #expect(await f.authenticator.proven("alice@example.com") == .disabled)
        await f.shutdown()
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
        f.time.withLockedValue { $0 = 59_999_999_999 }
        #expect(await f.login("alice@example.com", "secret") == .accepted(try f.store.load(alice)))
        let closed = AuthenticationOutcome.unavailable("password checks: the server is shutting down")
        #expect(await f.login("alice@example.com", "wrong") == closed)
        f.time.withLockedValue { $0 = 60_000_000_000 }
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
