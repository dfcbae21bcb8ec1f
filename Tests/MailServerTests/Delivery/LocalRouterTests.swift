import DurableFiles
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
    @Test func everyAccountIsItsINBOX() throws {
        let directory = TemporaryDirectory(inMemory: true)
        let store = try Store.open(directory.path)
        let accounts = AccountStore(
            mailRoot: directory.path, files: PathFiles(), mailboxes: EngineMailboxes(store: store), now: { 0 })
        try accounts.createMissingDomains(["example.com"])
        for name in ["alice", "carol"] {
            try accounts.create(DeliveryFixture.address(name), password: Array("password".utf8), iterations: 1000)
        }
        try accounts.setEnabled(DeliveryFixture.address("carol"), false)
        let router = LocalRouter(accounts: accounts)
        func answer(_ address: String) throws -> Result<[Destination], Refusal> {
            let address = try #require(SMTPAddress(address))
            do throws(DeliveryError) { return .success(try router.destinations(of: address)) } catch {
                guard case .refused(let refusal) = error else { throw error }
                return .failure(refusal)
            }
        }
        let inbox = Destination.local(DeliveryFixture.address("alice"), .inbox, [])
        #expect(try answer("Alice+detail@EXAMPLE.com") == .success([inbox]))
        #expect(try answer("bob@example.com") == .failure(.unknownUser))
        #expect(try answer("\"a b\"@example.com") == .failure(.unknownUser))
        #expect(try answer("carol@example.com") == .failure(.disabled))
        #expect(try answer("alice@example.org") == .failure(.relayNotPermitted))
    }
}
