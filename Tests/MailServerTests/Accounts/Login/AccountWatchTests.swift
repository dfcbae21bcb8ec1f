import DurableFiles
import Primitives
import ShardFS
import TestSupport
import Testing

@testable import MailAccounts
@testable import ServerConfiguration
@testable import ServerRuntime

@Suite struct AccountWatchTests {
    /// A store with two accounts, each with an open connection.
    private final class Fixture {
        let directory = TemporaryDirectory()
        let pool = BlockingPool(threads: 1, maximumWaiting: 100)
        let limits = ConnectionLimits(ConnectionLimits.Settings(), now: { 0 })
        let watch: AccountWatch
        let store: AccountStore
        let ended = Locked<[String]>([])
        private var tickets: [ConnectionLimits.Ticket] = []

        init() throws {
            func accounts(_ root: String) -> AccountStore {
                AccountStore(mailRoot: root, files: PathFiles(), mailboxes: RecordingProvisioning(), now: { 0 })
            }
            store = accounts(directory.path)
            watch = AccountWatch(
                accounts: accounts(directory.path), limits: limits, pool: pool,
                logger: LogOutput(LogOutput.Settings()) { _ in }.logger("test"))
            try store.createDomain("example.com")
            for name in ["alice@example.com", "bob@example.com"] {
                try store.create(AccountAddress(login: name), password: [65], iterations: 1)
                guard case .admitted(let ticket) = limits.admit(IPAddress("127.0.0.1"), to: .imap) else { continue }
                _ = ticket.logIn(name) { [ended] in ended.withLock { $0.append(name) } }
                tickets.append(ticket)
            }
        }

        func check() async -> [String] {
            await watch.check()
            return ended.withLock { ended in
                defer { ended = [] }
                return ended
            }
        }
    }

    private let alice = try! AccountAddress(login: "alice@example.com")

    @Test func anAccountThatAnotherProcessDisables() async throws {
        let f = try Fixture()
        #expect(await f.check() == [])
        try f.store.update(alice) { $0.admin = true }
        #expect(await f.check() == [])
        try f.store.setEnabled(alice, false)
        #expect(await f.check() == ["alice@example.com"])
        #expect(f.limits.accounts == ["bob@example.com"])
        #expect(await f.check() == [])
        await f.pool.shutdown()
    }

    /// Between the login and the first look.
    @Test func anAccountThatIsDisabledAtOnce() async throws {
        let f = try Fixture()
        try f.store.setEnabled(alice, false)
        #expect(await f.check() == ["alice@example.com"])
        await f.pool.shutdown()
    }

    @Test func anAccountThatIsRemoved() async throws {
        let f = try Fixture()
        #expect(await f.check() == [])
        try f.store.remove(alice)
        #expect(await f.check() == ["alice@example.com"])
        await f.pool.shutdown()
    }

    /// An account that cannot be read now is none that is disabled.
    @Test func aDamagedFileEndsNothing() async throws {
        let f = try Fixture()
        try f.store.files.publish([], at: f.store.directory(alice) + "/user.json", replacing: true)
        #expect(await f.check() == [])
        await f.pool.shutdown()
        #expect(await f.check() == [])
    }
}
