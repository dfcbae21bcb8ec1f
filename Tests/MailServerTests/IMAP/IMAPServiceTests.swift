import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import Primitives
import ShardFS
import TestSupport
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import MailServer
@testable import ServerConfiguration
@testable import ServerRuntime

/// IMAP the way the application runs it: accounts in files, lock-outs, settings of accounts.
@Suite struct IMAPServiceTests {
    /// Listens on loopback, without TLS, over a store with alice.
    private final class Fixture: Sendable {
        let directory: TemporaryDirectory
        let access: StoreAccess
        let service: IMAPService
        let port: Int
        private let passwordPool = BlockingPool(threads: 1, maximumWaiting: 100)

        init(_ change: (inout Configuration) -> Void = { _ in }) async throws {
            directory = TemporaryDirectory()
            var configuration = Configuration()
            configuration.mailRoot = "\(directory.path)/store"
            configuration.storage.statePath = "\(directory.path)/state"
            configuration.imap.host = "127.0.0.1"
            configuration.imap.port = 0
            configuration.rateLimit.whitelist = []
            change(&configuration)
            let (access, _) = try StoreAccess.open(configuration, now: { 0 })
            try access.accounts.create(
                AccountAddress(login: "alice@example.com"), password: Array("se,cr=et".utf8), iterations: 4096)
            self.access = access
            let limits = ConnectionLimits(ConnectionLimits.Settings(configuration), now: Clocks.monotonic)
            let logger = LogOutput(LogOutput.Settings()) { _ in }.logger("test")
            let logins = LoginService(
                accounts: access.accounts, filePool: IMAPTestMail.pool, passwordPool: passwordPool, limits: limits,
                logger: logger, settings: LoginSettings(configuration), decoyIterations: 4096,
                decoySecret: try StoreAccess.loginSecret(configuration),
                decoyAccount: try StoreAccess.loginDecoy(configuration), now: { 0 })
            service = IMAPService(
                IMAPService.Settings(configuration), version: "1.2.3",
                backend: StoreIMAPBackend(
                    logins: logins, store: access.store, index: nil, pool: IMAPTestMail.pool, logger: logger),
                limits: limits, tls: nil, pool: IMAPTestMail.pool, group: MultiThreadedEventLoopGroup.singleton)
            port = try await service.listen(#require(service.endpoints.first)).port ?? 0
        }

        func python(_ script: String) async throws {
            let prelude = """
                import base64, hashlib, hmac, imaplib
                def greeted():
                    s, f = connect()
                    assert f.readline().startswith(b"* OK")
                    return s, f
                class Scram:
                    "A client of its own."
                    def __init__(self, user, password): self.user, self.password, self.step = user, password, 0
                    def __call__(self, challenge):
                        self.step += 1
                        if self.step == 1:
                            self.first = "n=" + self.user.replace("=", "=3D").replace(",", "=2C") + ",r=abcdef"
                            return ("n,," + self.first).encode()
                        if self.step == 3:
                            key = hmac.digest(self.salted, b"Server Key", "sha256")
                            assert challenge == b"v=" + base64.b64encode(hmac.digest(key, self.message, "sha256"))
                            return b""
                        fields = dict(f.split("=", 1) for f in challenge.decode().split(","))
                        assert fields["r"].startswith("abcdef") and len(fields["r"]) > 20, fields
                        self.salt = base64.b64decode(fields["s"])
                        self.salted = hashlib.pbkdf2_hmac("sha256", self.password, self.salt, int(fields["i"]))
                        key = hmac.digest(self.salted, b"Client Key", "sha256")
                        last = "c=biws,r=" + fields["r"]
                        self.message = (self.first + "," + challenge.decode() + "," + last).encode()
                        signature = hmac.digest(hashlib.sha256(key).digest(), self.message, "sha256")
                        proof = bytes(a ^ b for a, b in zip(key, signature))
                        return last.encode() + b",p=" + base64.b64encode(proof)

                """
            try await PythonClients(ports: ["PORT": port], prelude).run(script)
        }

        func finish() async throws {
            await service.shutdown(grace: .seconds(60))
            try access.store.close()
            await passwordPool.shutdown()
        }
    }

    @Test func logins() async throws {
        let f = try await Fixture()
        try await f.python(
            """
            imap = imaplib.IMAP4("127.0.0.1", \(f.port))
            assert imap.authenticate("SCRAM-SHA-256", Scram("Alice@example.com", b"se,cr=et"))[0] == "OK"
            assert imap.select("INBOX")[0] == "OK"
            assert imap.xatom("ID", "NIL")[0] == "OK"
            assert imap.response("ID")[1] == [b'("name" "rmail" "version" "1.2.3")']
            imap.logout()
            # The domain may be left out.
            imap = imaplib.IMAP4("127.0.0.1", \(f.port))
            assert imap.authenticate("SCRAM-SHA-256", Scram("alice", b"se,cr=et"))[0] == "OK"
            imap.logout()
            imap = imaplib.IMAP4("127.0.0.1", \(f.port))
            assert imap.authenticate("PLAIN", lambda _: b"\\0alice@example.com\\0se,cr=et")[0] == "OK"
            imap.logout()
            salts = []
            for user in ["nobody@example.com", "nobody", "a,b=c"]:
                imap = imaplib.IMAP4("127.0.0.1", \(f.port))
                scram = Scram(user, b"secret")
                try:
                    imap.authenticate("SCRAM-SHA-256", scram); assert False
                except imaplib.IMAP4.error as e: assert "AUTHENTICATIONFAILED" in str(e), e
                salts.append(scram.salt)
                imap.logout()
            assert salts[0] == salts[1] != salts[2], salts
            """)
        try await f.finish()
    }

    /// Five failures from an address, over any number of connections and with any mechanism.
    @Test func failuresLockAnAddressOut() async throws {
        let f = try await Fixture()
        try await f.python(
            """
            s, f = greeted()
            for n in range(3):
                s.sendall(b"a LOGIN alice@example.com wrong\\r\\n")
                assert f.readline().startswith(b"a NO [AUTHENTICATIONFAILED]")
            imap = imaplib.IMAP4("127.0.0.1", \(f.port))
            for n in range(2):
                try:
                    imap.authenticate("SCRAM-SHA-256", Scram("alice@example.com", b"wrong")); assert False
                except imaplib.IMAP4.error as e: assert "AUTHENTICATIONFAILED" in str(e), e
            # From here on the right password is of no use either, by any way.
            for command in [b"LOGIN alice@example.com se,cr=et", b"AUTHENTICATE PLAIN AGFsaWNlAHNlLGNyPWV0",
                            b"AUTHENTICATE SCRAM-SHA-256 " + base64.b64encode(b"n,,n=alice,r=abc")]:
                s.sendall(b"b " + command + b"\\r\\n")
                line = f.readline()
                assert line.startswith(b"b NO [UNAVAILABLE] Too many failed logins"), line
            s.sendall(b"c NOOP\\r\\nd LOGOUT\\r\\n")
            assert f.readline().startswith(b"c OK")
            """)
        try await f.finish()
    }

    @Test func tenFailuresEndAConnection() async throws {
        let f = try await Fixture { $0.rateLimit.whitelist = ["127.0.0.1"] }
        try await f.python(
            """
            s, f = greeted()
            for n in range(9):
                s.sendall(b"a LOGIN alice@example.com wrong\\r\\n")
                assert f.readline().startswith(b"a NO [AUTHENTICATIONFAILED]")
            s.sendall(b"a LOGIN alice@example.com wrong\\r\\nb LOGIN alice@example.com se,cr=et\\r\\n")
            assert f.read().startswith(b"* BYE "), "BYE, and nothing behind it"
            # A whitelisted address is not locked out.
            imap = imaplib.IMAP4("127.0.0.1", \(f.port))
            assert imap.login("alice@example.com", "se,cr=et")[0] == "OK"
            imap.logout()
            """)
        try await f.finish()
    }

    @Test func capabilitiesThatAreKeptBack() async throws {
        let f = try await Fixture { $0.imap.suppressCapabilities = ["COMPRESS=DEFLATE"] }
        let path = "\(f.directory.path)/store/domains/example.com/users/alice/user.json"
        let text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
        try Data(text.replacing("{\n", with: "{\n\"suppress_capabilities\": [\"Idle\"],\n", maxReplacements: 1).utf8)
            .write(to: URL(filePath: path))
        try await f.python(
            """
            imap = imaplib.IMAP4("127.0.0.1", \(f.port))
            imap.login("alice@example.com", "se,cr=et")
            names = imap.capability()[1][0].split()
            assert b"MOVE" in names and b"IDLE" not in names and b"COMPRESS=DEFLATE" not in names, names
            imap.logout()
            """)
        // Settings edited by hand are kept.
        try f.access.accounts.setEnabled(AccountAddress(login: "alice@example.com"), true)
        #expect(
            try f.access.accounts.load(AccountAddress(login: "alice@example.com")).suppressCapabilities == ["Idle"]
        )
        try await f.finish()
    }
}
