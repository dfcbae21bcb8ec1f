import FoundationEssentials
import Primitives
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerConfiguration
@testable import ServerRuntime

/// What the operator learns of the store's failures.
@Suite struct StoreIMAPBackendTests {
    @Test func failuresOfTheStoreAreLoggedAndClientsMistakesAreNot() async throws {
        let mail = try IMAPTestMail()
        let lines = Locked<[String]>([])
        let log = LogOutput(LogOutput.Settings()) { line in lines.withLock { $0.append(line) } }
        let backend = StoreIMAPBackend(
            logins: mail.backend.logins, store: mail.store, index: nil, pool: IMAPTestMail.pool,
            logger: log.logger("imap"))
        let alice = try AccountAddress(local: "alice", domain: "example.com")
        for code in [StoreError.Code.notFound, .overQuota, .invalidName, .limit, .readOnly, .gone] {
            backend.storeFailed(StoreError(code, "x"), for: alice, client: "192.0.2.1")
        }
        #expect(lines.withLock { $0 } == [])
        for code in [StoreError.Code.damaged, .noSpace, .system, .needsReopen, .busy] {
            backend.storeFailed(StoreError(code, "INBOX \"a client=x\""), for: alice, client: "192.0.2.1")
        }
        let written = lines.withLock { $0 }
        #expect(written.count == 5)
        #expect(
            written.first?.hasSuffix(
                #"account=alice@example.com client=192.0.2.1 code=damaged error="INBOX \"a client=x\"""# + "\n")
                == true,
            "\(written)")
        // An account without a directory.
        let account = UserAccount(
            address: try AccountAddress(local: "nobody", domain: "example.com"),
            password: PasswordHash(hash: [], salt: [], iterations: 1), createdAt: "")
        let opened = await backend.open(account)
        #expect(opened?.address == nil)
        #expect(lines.withLock { $0.last }?.contains("account=nobody@example.com error=") == true)
    }

    @Test func aCommandReportsWhatItMet() async throws {
        let mail = try IMAPTestMail(usesIndex: false)
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        let path = "\(mail.store.root)/domains/example.com/users/alice/mailboxes/Trash"
        try FileManager.default.removeItem(atPath: "\(path)/changes.log")
        try FileManager.default.createDirectory(atPath: "\(path)/changes.log", withIntermediateDirectories: false)
        #expect(await dialogue.fails("SELECT Trash").hasPrefix("NO "))
        #expect(mail.backend.failures.withLock { $0 }.count == 1)
        #expect(await dialogue.fails("SELECT nowhere").hasPrefix("NO [NONEXISTENT]"))
        // The backend is told of everything; it knows which of it is the store's fault.
        #expect(mail.backend.failures.withLock { $0 }.last == "alice@example.com 192.0.2.1 not found")
    }
}
