import DurableFiles
import FoundationEssentials
import Primitives
import SMTPCodec
import ShardFS
import TestSupport
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailDelivery
@testable import MailServer
@testable import ServerRuntime

@Suite struct LocalRouterTests {
    /// A store with the domains example.com, without accounts, and a clock that the test moves.
    private struct Fixture {
        let directory = TemporaryDirectory(inMemory: true)
        let accounts: AccountStore
        let router: LocalRouter
        let time = Locked<Int64>(0)

        init(_ domains: [String] = ["example.com"]) throws {
            let store = try Store.open(directory.path)
            let seconds = Locked<Int64>(0)
            accounts = AccountStore(
                mailRoot: directory.path, files: PathFiles(), mailboxes: EngineMailboxes(store: store),
                now: {
                    // Each account is a second younger than the one before it.
                    seconds.withLock { now in
                        now += 1
                        return now
                    }
                })
            try accounts.createMissingDomains(domains)
            router = LocalRouter(accounts: accounts, now: { [time] in time.withLock { $0 } })
        }

        func add(_ addresses: String..., admin: Bool = false) throws {
            for address in addresses {
                try accounts.create(
                    AccountAddress(login: address), password: Array("password".utf8), admin: admin, iterations: 1)
            }
        }

        func change(_ address: String, _ change: (inout UserAccount) -> Void) throws {
            try accounts.update(AccountAddress(login: address)) { change(&$0) }
        }

        /// The accounts that get the mail of `address`, or the refusal.
        func answer(_ address: String) throws -> Result<[String], Refusal> {
            let address = try #require(SMTPAddress(address))
            do throws(DeliveryError) {
                return .success(try router.destinations(of: address).map(\.description))
            } catch {
                guard case .refused(let refusal) = error else { throw error }
                return .failure(refusal)
            }
        }
    }

    @Test func everyAccountIsItsINBOX() throws {
        let f = try Fixture()
        try f.add("alice@example.com", "carol@example.com")
        try f.accounts.setEnabled(DeliveryFixture.address("carol"), false)
        #expect(try f.answer("Alice+detail@EXAMPLE.com") == .success(["alice@example.com"]))
        #expect(try f.answer("bob@example.com") == .failure(.unknownUser))
        #expect(try f.answer("\"a b\"@example.com") == .failure(.unknownUser))
        #expect(try f.answer("\(String(repeating: "l", count: 200))@example.com") == .failure(.unknownUser))
        #expect(
            try f.answer("alice+\(String(repeating: "l", count: 200))@example.com") == .success(["alice@example.com"]))
        // A disabled account's mail still arrives.
        #expect(try f.answer("carol@example.com") == .success(["carol@example.com"]))
        #expect(try f.answer("alice@example.org") == .failure(.relayNotPermitted))
    }

    // MARK: - Addresses that must exist

    private static let roles = [
        "postmaster@example.com", "PostMaster@EXAMPLE.com", "abuse@example.com", "ABUSE+detail@example.com",
    ]

    @Test(arguments: roles) func theRolesGoToTheAdministrators(role: String) throws {
        let f = try Fixture(["example.com", "example.org"])
        #expect(try f.answer(role) == .failure(.unknownUser))
        try f.add("zoe@example.org")
        // A domain without accounts: to those of another one.
        #expect(try f.answer(role) == .success(["zoe@example.org"]))
        try f.accounts.remove(AccountAddress(login: "zoe@example.org"))
        try f.add("carol@example.com", "alice@example.com", "bob@example.com")
        // The first is the oldest.
        #expect(try f.answer(role) == .success(["carol@example.com"]))
        for name in ["alice", "bob"] { try f.change("\(name)@example.com") { $0.admin = true } }
        f.time.withLock { $0 += 60_000_000_000 }
        #expect(try f.answer(role) == .success(["alice@example.com", "bob@example.com"]))
        try f.change("alice@example.com") { $0.enabled = false }
        f.time.withLock { $0 += 60_000_000_000 }
        #expect(try f.answer(role) == .success(["bob@example.com"]))
    }

    @Test func anAccountOfThatNameComesFirst() throws {
        let f = try Fixture()
        try f.add("root@example.com", admin: true)
        #expect(try f.answer("postmaster@example.com") == .success(["root@example.com"]))
        try f.add("postmaster@example.com")
        #expect(try f.answer("Postmaster@example.com") == .success(["postmaster@example.com"]))
        #expect(try f.answer("abuse@example.com") == .success(["root@example.com"]))
    }

    @Test func anAdministratorWhoIsGoneIsNoticedAtOnce() throws {
        let f = try Fixture()
        try f.add("alice@example.com", "bob@example.com", admin: true)
        #expect(try f.answer("abuse@example.com") == .success(["alice@example.com", "bob@example.com"]))
        try f.accounts.remove(AccountAddress(login: "alice@example.com"))
        #expect(try f.answer("abuse@example.com") == .success(["bob@example.com"]))
    }

    /// The accounts are not read for each mail to a role.
    @Test func anAnswerIsKeptForAMinute() throws {
        let f = try Fixture()
        try f.add("alice@example.com", "bob@example.com")
        #expect(try f.answer("abuse@example.com") == .success(["alice@example.com"]))
        try f.change("bob@example.com") { $0.admin = true }
        #expect(try f.answer("abuse@example.com") == .success(["alice@example.com"]))
        f.time.withLock { $0 += 60_000_000_000 }
        #expect(try f.answer("abuse@example.com") == .success(["bob@example.com"]))
    }

    @Test func aDamagedAccountIsPassedOver() throws {
        let f = try Fixture()
        try f.add("alice@example.com", "bob@example.com", admin: true)
        let path = "\(f.directory.path)/domains/example.com/users/alice/user.json"
        try Data("{".utf8).write(to: URL(filePath: path))
        #expect(try f.answer("abuse@example.com") == .success(["bob@example.com"]))
    }

    @Test func anyDomainIsTheFirstOfThem() throws {
        for (domains, first) in [(["b.example", "a.example"], "a.example"), ([], nil)] as [([String], String?)] {
            let f = try Fixture(domains)
            #expect(try f.router.anyDomain() == first)
        }
    }
}
