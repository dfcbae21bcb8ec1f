import DurableFiles
import Glibc
import Logging
import NIOCore
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

private func endpoint(_ host: String, _ port: Port) throws -> ListenerEndpoint {
    try #require(ListenerEndpoint("smtp", host: host, hostKey: "smtp.host", port: port, portKey: "smtp.port"))
}

@Suite struct BindFailureTests {
    @Test(arguments: [
        (
            EADDRINUSE,
            "smtp cannot listen on 0.0.0.0:25: the port is in use by another program; stop it or "
                + "change smtp.port"
        ),
        (
            EACCES,
            "smtp cannot listen on 0.0.0.0:25: ports below 1024 require privileges; run as root, grant "
                + "CAP_NET_BIND_SERVICE, or set smtp.port to a port above 1023"
        ),
        (
            EADDRNOTAVAIL,
            "smtp cannot listen on 0.0.0.0:25: this machine has no such address; set smtp.host to one that it has"
        ),
    ])
    func reasonsAreNamed(errno: Int32, sentence: String) throws {
        let error = BindFailure.describe(IOError(errnoCode: errno, reason: "bind"), try endpoint("0.0.0.0", 25))
        #expect(error.description == sentence)
        #expect(!error.isConfiguration)
    }

    @Test func otherFailuresNameTheKeysToo() throws {
        struct Odd: Error {}
        let text = BindFailure.describe(Odd(), try endpoint("::", 25)).description
        #expect(text.hasPrefix("smtp cannot listen on [::]:25: "))
        #expect(text.hasSuffix("check smtp.host and smtp.port"))
    }

    @Test func aPortThatIsOffIsNoEndpoint() {
        #expect(ListenerEndpoint("smtp", host: "::", hostKey: "h", port: nil, portKey: "p") == nil)
    }
}

@Suite struct LogOutputTests {
    private struct Fixture {
        let lines = Locked<[String]>([])
        let output: LogOutput

        init(_ settings: LogOutput.Settings = LogOutput.Settings()) {
            output = LogOutput(settings) { [lines] line in lines.withLock { $0.append(line) } }
        }
        /// The lines without the time, which is 20 characters.
        var text: [String] { lines.withLock { $0.map { String($0.dropFirst(21)) } } }
    }

    @Test func levelsAndMetadata() {
        let f = Fixture()
        let logger = f.output.logger("smtp")
        logger.debug("hidden")
        logger.info("shown", metadata: ["b": "2", "a": "1"])
        logger.notice("note")
        logger.critical("worst")
        #expect(f.text == ["INFO smtp: shown a=1 b=2\n", "INFO smtp: note\n", "CRITICAL smtp: worst\n"])
    }

    @Test func aReloadReachesLoggersHandedOutBefore() {
        let f = Fixture()
        let logger = f.output.logger("x")
        f.output.update(LogOutput.Settings(level: .debug))
        logger.debug("now")
        #expect(f.text == ["DEBUG x: now\n"])
    }

    @Test func aClientCannotForgeALine() {
        let f = Fixture()
        f.output.logger("x").info("a\nb\u{1B}[2J\u{7F}")
        #expect(f.text == ["INFO x: \"a\\x0ab\\x1b[2J\\x7f\"\n"])
    }

    @Test func jsonLinesAreJSON() throws {
        let f = Fixture(LogOutput.Settings(format: .json))
        f.output.logger("x").error("say \"hi\"\n", metadata: ["ip": "::1", "level": "spoofed"])
        let line = try #require(f.lines.withLock { $0.first })
        #expect(line.hasSuffix("}\n"))
        #expect(line.filter { $0 == "\n" }.count == 1)
        let json = try JSONValue.parse(Array(line.utf8), name: "line")
        #expect(json["message"] == .string("say \"hi\"\n"))
        #expect(json["level"] == .string("ERROR"))
        #expect(json["ip"] == .string("::1"))
        #expect(json["logger"] == .string("x"))
    }
}

@Suite struct StoreAccessTests {
    @Test func openingMakesStoreDomainsAndNode() throws {
        let directory = TemporaryDirectory()
        var configuration = Configuration()
        configuration.mailRoot = directory.path + "/a/mail"
        configuration.storage.statePath = directory.path + "/state"
        let (access, made) = try StoreAccess.open(configuration, now: { 0 })
        #expect(made == ["example.com"])
        let node = try PathFiles().read(directory.path + "/state/node")
        #expect(node?.count == 33)
        let alice = try AccountAddress(login: "alice@example.com")
        try access.accounts.create(alice, password: [65], iterations: 1)
        #expect(
            try names(in: access.accounts.directory(alice) + "/mailboxes")
                == ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"])
        try access.accounts.remove(alice)
        try access.accounts.create(alice, password: [65], iterations: 1)
        try access.store.close()
        let again = try StoreAccess.open(configuration, now: { 0 })
        #expect(again.madeDomains == [])
        #expect(try PathFiles().read(directory.path + "/state/node") == node)
        try again.access.store.close()
    }

    @Test func anUnusablePlaceIsNamed() throws {
        let directory = TemporaryDirectory()
        try PathFiles().publish([], at: directory.path + "/file", replacing: false)
        var configuration = Configuration()
        configuration.mailRoot = directory.path + "/file/mail"
        configuration.storage.statePath = directory.path + "/state"
        let error = #expect(throws: StartError.self) { try StoreAccess.open(configuration, now: { 0 }) }
        #expect(error?.description.contains(configuration.mailRoot) == true)
        #expect(error?.description.contains("mail_root") == true)
    }
}

@Suite struct DNSRecordsTests {
    @Test func portsThatAreOffHaveNoRecord() {
        var configuration = Configuration()
        configuration.imap.port = nil
        configuration.smtp.submissionPort = 0
        let lines = DNSRecords.lines(configuration)
        #expect(lines.contains("example.com. IN MX 10 mail.example.com."))
        #expect(lines.contains("_imaps._tcp.example.com. IN SRV 0 1 993 mail.example.com."))
        #expect(!lines.contains { $0.hasPrefix("_imap.") || $0.hasPrefix("_submission.") })
    }
}
