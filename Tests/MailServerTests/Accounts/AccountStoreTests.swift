import DurableFiles
import Primitives
import ShardFS
import TestSupport
import Testing

@testable import MailAccounts
@testable import ServerRuntime

/// Records the accounts for which mailboxes were made, or refuses.
final class RecordingProvisioning: MailboxProvisioning {
    let made = Locked<[String]>([])
    let refusal: AccountError?

    init(refusal: AccountError? = nil) { self.refusal = refusal }

    func makeDefaultMailboxes(for address: AccountAddress) throws(AccountError) {
        if let refusal { throw refusal }
        made.withLock { $0.append(address.description) }
    }

    func accountRemoved(_ address: AccountAddress) {
        made.withLock { $0.removeAll { $0 == address.description } }
    }
}

private struct Fixture {
    let directory: TemporaryDirectory
    let mailboxes: RecordingProvisioning
    let store: AccountStore

    init(refusal: AccountError? = nil) throws {
        directory = TemporaryDirectory()
        mailboxes = RecordingProvisioning(refusal: refusal)
        store = AccountStore(
            mailRoot: directory.path + "/mail", files: PathFiles(lockTimeout: 50_000_000),
            mailboxes: mailboxes, now: { 0 })
    }
}

private let alice = try! AccountAddress(login: "alice@example.com")
private let secret = Array("secret".utf8)

private func code(_ body: () throws -> Void) -> AccountError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? AccountError)?.code
    }
}

@Suite struct AccountStoreTests {
    @Test func domainsComeAndGo() throws {
        let f = try Fixture()
        #expect(try f.store.domains() == [])
        try f.store.createDomain("Example.com")
        #expect(try f.store.createMissingDomains(["example.com", "b.example"]) == ["b.example"])
        #expect(try f.store.domains() == ["b.example", "example.com"])
        let bytes = try f.store.files.read(f.store.mailRoot + "/domains/example.com/domain.json") ?? []
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "{\n  \"created_at\" : \"1970-01-01T00:00:00Z\",\n  \"domain\" : \"example.com\"\n}\n")
        #expect(code { try f.store.createDomain("example.com") } == .exists)
        #expect(code { try f.store.createDomain("../x") } == .invalidAddress)
        try f.store.create(alice, password: secret, iterations: 1)
        #expect(code { try f.store.removeDomain("example.com") } == .notEmpty)
        #expect(code { try f.store.removeDomain("c.example") } == .notFound)
        try f.store.removeDomain("b.example")
        #expect(try f.store.domains() == ["example.com"])
        try f.store.remove(alice)
        try f.store.removeDomain("example.com")
        #expect(try f.store.domains() == [])
    }

    @Test func anAccountLivesItsLife() throws {
        let f = try Fixture()
        #expect(code { try f.store.create(alice, password: secret, iterations: 1) } == .notFound)
        try f.store.createDomain("example.com")
        let made = try f.store.create(alice, password: secret, quotaMB: 7, admin: true, iterations: 1)
        #expect(f.mailboxes.made.withLock { $0 } == ["alice@example.com"])
        #expect(try f.store.load(alice).password == made.password)
        #expect(try f.store.list() == [alice])
        #expect(try f.store.list(domain: "EXAMPLE.com") == [alice])
        #expect(code { try f.store.create(alice, password: secret, iterations: 1) } == .exists)
        try f.store.setPassword(alice, Array("other".utf8), iterations: 1)
        try f.store.setEnabled(alice, false)
        let loaded = try f.store.load(alice)
        #expect(loaded.password.verifies(Array("other".utf8)))
        #expect(!loaded.enabled)
        #expect(loaded.admin)
        #expect(loaded.quota.bytes == 7 << 20)
        try f.store.remove(alice)
        #expect(f.mailboxes.made.withLock { $0.isEmpty })
        #expect(code { _ = try f.store.load(alice) } == .notFound)
        #expect(code { try f.store.remove(alice) } == .notFound)
        #expect(code { try f.store.setEnabled(alice, true) } == .notFound)
        #expect(try f.store.list() == [])
    }

    @Test func filesArePrivate() throws {
        let f = try Fixture()
        try f.store.createDomain("example.com")
        try f.store.create(alice, password: secret, iterations: 1)
        #expect(try permissions(f.store.directory(alice) + "/user.json") == 0o600)
        #expect(try permissions(f.store.directory(alice)) == 0o700)
        #expect(try permissions(f.store.mailRoot) == 0o700)
        #expect(try names(in: f.store.directory(alice)) == ["user.json"])
    }

    @Test func anAccountWithoutMailboxesDoesNotExist() throws {
        let f = try Fixture(refusal: AccountError(.files, "no space"))
        try f.store.createDomain("example.com")
        #expect(code { try f.store.create(alice, password: secret, iterations: 1) } == .files)
        #expect(!f.store.exists(alice))
        #expect(try f.store.list() == [])
    }

    @Test func aHeldLockIsReported() throws {
        let f = try Fixture()
        try f.store.createDomain("example.com")
        try f.store.create(alice, password: secret, iterations: 1)
        try PathFiles().withLock(in: f.store.directory(alice), failure: { $0 }) { () throws(FileError) in
            #expect(code { try f.store.setEnabled(alice, false) } == .files)
        }
        #expect(try f.store.load(alice).enabled)
    }

    /// Fails each fsync.
    private struct NoSync: SystemHook {
        func before(_ call: SystemCall) -> Errno? { if case .sync = call { .io } else { nil } }
    }

    @Test func aChangeThatIsNotDurableIsNotMade() throws {
        let f = try Fixture()
        try f.store.createDomain("example.com")
        try f.store.create(alice, password: secret, iterations: 1)
        let failing = AccountStore(
            mailRoot: f.store.mailRoot, files: PathFiles(system: SystemCalls(hook: NoSync())), mailboxes: f.mailboxes,
            now: { 0 })
        #expect(code { try failing.setEnabled(alice, false) } == .files)
        #expect(try f.store.load(alice).enabled)
        #expect(try names(in: f.store.directory(alice)) == ["user.json"])
    }

    @Test func strangersInTheDirectoryAreLeftOut() throws {
        let f = try Fixture()
        try f.store.createDomain("example.com")
        let users = f.store.mailRoot + "/domains/example.com/users"
        try f.store.files.makeDirectory(users + "/no-user-file")
        try f.store.files.makeDirectory(users + "/.hidden")
        try f.store.files.publish([], at: users + "/file", replacing: false)
        try f.store.files.makeDirectory(f.store.mailRoot + "/domains/no-domain-file")
        #expect(try f.store.list() == [])
        #expect(try f.store.domains() == ["example.com"])
    }

    @Test func concurrentChangesAreAllKept() async throws {
        let f = try Fixture()
        let store = AccountStore(
            mailRoot: f.store.mailRoot, files: PathFiles(), mailboxes: f.mailboxes, now: { 0 })
        try store.createDomain("example.com")
        try store.create(alice, password: secret, quotaMB: 0, iterations: 1)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask { _ = try? store.update(alice) { $0.setQuota(megabytes: Int($0.quota.bytes >> 20) + 1) } }
            }
        }
        #expect(try store.load(alice).quota.bytes == 20 << 20)
    }
}
