import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import ShardFS
import ShardIndex

@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

// The body of the fuzz target, run on each input. The server's tests run it too, on the seed corpus.

/// Runs two clients of one account in turn, switching at each octet 1, on a server with a little mail; the first octet
/// chooses whether there is a read cache. The responses must be consistent, whatever the clients send.
func fuzzSession(_ bytes: [UInt8]) {
    guard let choice = bytes.first else { return }
    let turns = bytes.dropFirst().split(separator: 1, omittingEmptySubsequences: false).map { Array($0) }
    let store: FuzzStore
    do { store = try FuzzStore(withIndex: choice & 1 == 1) } catch { preconditionFailure("no store: \(error)") }
    let loop = FuzzStore.group.next()
    let done = loop.makeFutureWithTask {
        let clients = [await FuzzClient(store, loop), await FuzzClient(store, loop)]
        for (turn, text) in turns.enumerated() {
            let client = clients[turn % 2]
            await client.send(text)
            await client.wake()
        }
        for client in clients { await client.leave() }
    }
    do { try done.wait() } catch { preconditionFailure("\(error)") }
    store.close()
}

/// A store made for one input.
final class FuzzStore: Sendable {
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    static let pool = BlockingPool(threads: 1, maximumWaiting: 100)

    let store: Store
    let index: ShardIndex?
    let backend: FuzzBackend
    private let path: String

    private static let mails = [
        "Subject: first\r\nFrom: a@b.c\r\nDate: 1 Jan 2022 10:00:00 +0100\r\nMessage-ID: <1@x>\r\n\r\nhello\r\n",
        "Subject: Re: first\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j@x.y>\r\nReferences: <1@x>\r\nMessage-ID: <2@x>\r\n\r\nwelt\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
            + "Subject: in\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+aA==\r\n"
            + "--b--\r\n",
        "no header",
    ]

    init(withIndex: Bool) throws {
        let base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : FileManager.default.temporaryDirectory.path
        path = "\(base)/rmail-fuzz-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        var options = StoreOptions()
        options.durability = .none
        if withIndex {
            var indexOptions = IndexOptions()
            indexOptions.writeDelay = 0
            let made = ShardIndex(path: "\(path)/cache", options: indexOptions) { _ in }
            options.viewCache = made
            index = made
        } else {
            index = nil
        }
        store = try Store.open("\(path)/store", options: options)
        let address = try AccountAddress(parsing: "a@b.c")
        let account = try store.createAccount(address)
        try account.create(.inbox)
        try account.create(MailboxName("Other"))
        let inbox = try account.mailbox(.inbox)
        for mail in Self.mails {
            _ = try inbox.append(bytes: Array(mail.utf8), internalDate: 1_600_000_000)
        }
        var known = IMAPAccount(address: address, mail: account)
        known.index = index?.account(storeID: store.id, address)
        backend = FuzzBackend(account: known)
    }

    /// Removes the store; the mailboxes must still be intact.
    func close() {
        do {
            try store.close()
            index?.close()
            let findings = try StoreCheck(root: "\(path)/store").run()
            precondition(findings.errors.isEmpty, "\(findings.errors)")
            try FileManager.default.removeItem(atPath: path)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

/// Accepts every login as the one user.
struct FuzzBackend: IMAPBackend, LoginChecker {
    let account: IMAPAccount

    var logins: any LoginChecker { self }

    func open(_ user: UserAccount) async -> IMAPAccount? { account }

    func decide(_ attempt: LoginAttempt, from remoteAddress: String) async -> LoginOutcome {
        switch attempt {
        case .password("nobody", _), .proof(_, isRight: false): return .refused
        case .password, .proof:
            let hash = PasswordHash(hash: [], salt: [], iterations: 1)
            return .accepted(UserAccount(address: account.address, password: hash, createdAt: ""))
        }
    }

    func scramCredentials(of user: String, from remoteAddress: String) async -> SCRAMLookup {
        .credentials(SCRAMCredentials(unknown: user, secret: [1], iterations: 4_096))
    }
}
