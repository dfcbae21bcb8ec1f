import DurableFiles
import FoundationEssentials
import Primitives
import ShardFS
import TestSupport
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailIMAP
@testable import MailSMTP
@testable import MailServer
@testable import ServerConfiguration
@testable import ServerRuntime

/// A whole server in this process, on free ports of loopback.
@Suite(.timeLimit(.minutes(10))) struct RunningServerTests {
    private struct Fixture {
        let directory = TemporaryDirectory(inMemory: true)
        let server: RunningServer
        private let lines = Locked<[String]>([])
        /// The original contents of the file, and the configuration read from it.
        private let configuration: Configuration
        private let resolved: Configuration

        init(_ change: (inout Configuration) -> Void = { _ in }) async throws {
            try Data(TestCertificate.certificatePEM.utf8).write(to: URL(filePath: "\(directory.path)/cert.pem"))
            try Data(TestCertificate.privateKeyPEM.utf8).write(to: URL(filePath: "\(directory.path)/key.pem"))
            var configuration = Configuration()
            configuration.smtp.host = "127.0.0.1"
            configuration.imap.host = "127.0.0.1"
            for port in [\Configuration.smtp.port, \.smtp.submissionPort, \.imap.port] {
                configuration[keyPath: port] = 0
            }
            configuration.smtp.smtpsPort = nil
            configuration.imap.imapsPort = nil
            configuration.tls.certFile = "cert.pem"
            configuration.tls.keyFile = "key.pem"
            configuration.storage.statePath = "state"
            configuration.storage.durability = .none
            configuration.mailRoot = "mail"
            configuration.index.enabled = false
            change(&configuration)
            let source = ConfigurationSource(
                path: "\(directory.path)/config.json",
                surroundings: .init(environment: [:], workingDirectory: directory.path, isRoot: false),
                files: PathFiles())
            try Self.write(configuration, directory)
            resolved = try source.load(PathFiles()).configuration
            server = try await RunningServer.start(version: "1.2.3", source, resolved) { [lines] line in
                lines.withLock { $0.append(line) }
            }
            self.configuration = configuration
        }

        private static func write(_ configuration: Configuration, _ directory: TemporaryDirectory) throws {
            try Data(ConfigurationText.document(configuration).utf8)
                .write(to: URL(filePath: "\(directory.path)/config.json"))
        }

        /// Changes the file and has the server read it again.
        func reload(_ change: (inout Configuration) -> Void) async throws {
            var changed = configuration
            change(&changed)
            try Self.write(changed, directory)
            await server.reload()
        }

        func makeAccount(_ address: String, password: String) throws {
            let access = try StoreAccess.open(resolved, now: { 0 }).access
            let address = try AccountAddress(login: address)
            try access.accounts.createMissingDomains([address.domain])
            try access.accounts.create(address, password: Array(password.utf8), iterations: 4096)
            try access.store.close()
        }

        func contains(_ text: String) -> Bool { lines.withLock { $0.contains { $0.contains(text) } } }

        /// The port of a listener, taken from the log.
        func port(_ name: String) throws -> Int {
            let line = lines.withLock { $0.first { $0.contains("listening \(name) ") } }
            return try #require(line?.split(separator: ":").last.flatMap { Int($0.filter(\.isNumber)) })
        }

        func python(_ script: String) async throws {
            try await PythonClients(
                ports: ["IMAP": port("imap"), "SMTP": port("smtp")],
                """
                import imaplib, smtplib
                def deliver(to, text):
                    with smtplib.SMTP(HOST, SMTP) as s: s.sendmail("x@y.org", [to], text)
                def login(user, password):
                    imap = imaplib.IMAP4(HOST, IMAP)
                    imap.starttls(CONTEXT)
                    imap.login(user, password)
                    return imap
                def inbox(imap):
                    return int(imap.select("INBOX")[1][0])
                """
            ).run(script)
        }
    }

    /// After a reload nothing uses the initial settings: neither delivery, nor login, nor message summaries.
    @Test func aReloadReachesDeliveryAndLogin() async throws {
        let f = try await Fixture()
        try f.makeAccount("postmaster@example.com", password: "first")
        try f.makeAccount("postmaster@second.example", password: "second")
        try await f.python(
            """
            deliver("postmaster", "Subject: one\\r\\n\\r\\n")
            assert inbox(login("postmaster", "first")) == 1
            """)
        try await f.reload { $0.domains = ["second.example", "example.com"] }
        try await f.python(
            """
            deliver("postmaster", "Subject: two\\r\\n\\r\\n")
            deliver("postmaster", "Subject: three\\r\\n\\r\\n")
            assert inbox(login("postmaster@example.com", "first")) == 1
            assert inbox(login("postmaster", "second")) == 2
            """)
        await f.server.stop()
    }

    @Test func aReloadReachesNewConnections() async throws {
        let f = try await Fixture()
        try await f.reload {
            $0.hostname = "other.example"
            $0.smtp.maxMessageSize = 4096
            $0.imap.maxConnections = 1
        }
        try await f.python(
            """
            s, g = connect(SMTP)
            assert g.readline().startswith(b"220 other.example ")
            s.sendall(b"EHLO x\\r\\n")
            assert any(g.readline().startswith(b"250-SIZE 4096") for n in range(20))
            one, two = connect(IMAP), connect(IMAP)
            greetings = sorted([one[1].readline()[:5], two[1].readline()[:5]])
            assert greetings == [b"* BYE", b"* OK "], greetings
            """)
        await f.server.stop()
    }

    /// Sessions of an account end when another process disables it; its mail still arrives.
    @Test func aDisabledAccount() async throws {
        let f = try await Fixture()
        try f.makeAccount("alice@example.com", password: "secret")
        try await f.python(
            """
            import json, os
            path = "\(f.directory.path)/mail/domains/example.com/users/alice/user.json"
            def enable(on):
                with open(path) as file: account = json.load(file)
                account["enabled"] = on
                with open(path + ".new", "w") as file: json.dump(account, file)
                os.rename(path + ".new", path)
            imap, idle = login("alice@example.com", "secret"), login("alice@example.com", "secret")
            smtp = smtplib.SMTP(HOST, SMTP)
            smtp.starttls(context=CONTEXT)
            smtp.login("alice@example.com", "secret")
            smtp.docmd("MAIL FROM:<alice@example.com>")
            stranger = smtplib.SMTP(HOST, SMTP)
            stranger.ehlo()
            inbox(idle)
            idle.send(b"x IDLE\\r\\n")
            assert idle.readline().startswith(b"+ ")
            enable(False)
            for session in imap, idle:
                line = session.readline()
                assert line.startswith(b"* BYE The account is disabled"), line
                assert session.readline() == b""
            code, text = smtp.getreply()
            assert code == 421 and b"disabled" in text, (code, text)
            # Nobody else's session ends.
            assert stranger.noop()[0] == 250
            deliver("alice@example.com", "Subject: one\\r\\n\\r\\n")
            try:
                login("alice@example.com", "secret"); assert False
            except imaplib.IMAP4.error as e: assert "CONTACTADMIN" in str(e), e
            enable(True)
            assert inbox(login("alice@example.com", "secret")) == 1
            """)
        await f.server.stop()
    }

    /// A refusal by one component keeps the settings of all.
    @Test func aReloadIsRefusedWhole() async throws {
        let f = try await Fixture()
        try await f.reload {
            $0.hostname = "other.example"
            $0.tls.keyFile = "missing.pem"
        }
        #expect(f.contains("the configuration was not reloaded; the old one stays in effect: TLS: there is no key at "))
        try await f.python(
            """
            s, g = connect(SMTP)
            assert g.readline().startswith(b"220 mail.example.com ")
            """)
        try await f.reload { $0.hostname = "other.example" }
        try await f.python(
            """
            s, g = connect(SMTP)
            assert g.readline().startswith(b"220 other.example ")
            """)
        await f.server.stop()
    }

    @Test func aStartThatFailsLeavesNothing() async throws {
        let f = try await Fixture()
        let taken = try f.port("smtp")
        let error = await #expect(throws: StartError.self) {
            _ = try await Fixture { $0.imap.port = Port(taken) }
        }
        #expect(error?.description.contains("imap cannot listen on 127.0.0.1:\(taken)") == true)
        await f.server.stop()
    }

    /// Each key that a reload can change belongs to the settings of a component.
    @Test func everyReloadableKeyReachesAComponent() async throws {
        let f = try await Fixture()
        let reference = try ConfigurationReference()
        let old = Configuration()
        for key in ConfigurationKey.all where !key.needsRestart && reference.rows[key.path]?.isFuture == false {
            let new = try #require(other(than: key.get(old), for: key), "\(key.path) has no other value")
            #expect(!f.server.components.concerned(from: old, to: new).isEmpty, "\(key.path) reaches nobody")
        }
        await f.server.stop()
    }

    /// The default configuration with one key set to another value.
    private func other(than value: JSONValue, for key: ConfigurationKey) -> Configuration? {
        var candidates: [JSONValue] = ["DEBUG", "json", "other.example", "/other.pem"].map { .string($0) }
        candidates += [.bool(true), .bool(false)]
        candidates += ["other.example", "IDLE", "10.0.0.0/8", "192.0.2.1"].map { .array([.string($0)]) }
        if case .integer(let number) = value { candidates += [.integer(number + 1), .integer(number - 1)] }
        for candidate in candidates where candidate != value {
            var configuration = Configuration()
            if key.set(&configuration, candidate), key.get(configuration) != value { return configuration }
        }
        return nil
    }
}
