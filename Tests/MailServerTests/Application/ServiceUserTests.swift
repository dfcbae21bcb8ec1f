import Testing

@testable import MailServer
@testable import ServerConfiguration
@testable import ServerRuntime

@Suite struct ServiceUserTests {
    private static let machine = SystemAccounts(
        user: { ["root": (0, 0), "rmail": (100, 200)][$0] },
        group: { ["mail": 8][$0] },
        groupName: { ["200": "rmail"]["\($0)"] ?? "\($0)" })

    private func resolve(
        _ uid: UInt32, _ change: (inout Configuration) -> Void
    ) throws(StartError) -> ServiceUser? {
        var configuration = Configuration()
        change(&configuration)
        return try ServiceUser.resolve(configuration, currentUID: uid, Self.machine)
    }

    @Test func whoeverIsNotRootStaysWhoItIs() throws {
        #expect(try resolve(100) { _ in } == nil)
        #expect(try resolve(100) { $0.service.user = "rmail" } == nil)
        #expect(throws: StartError.self) { try resolve(101) { $0.service.user = "rmail" } }
    }

    @Test func rootBecomesTheUser() throws {
        let user = try resolve(0) { $0.service.user = "rmail" }
        #expect(user == ServiceUser(name: "rmail", group: "rmail", uid: 100, gid: 200))
        let other = try resolve(0) {
            $0.service.user = "rmail"
            $0.service.group = "mail"
        }
        #expect(other == ServiceUser(name: "rmail", group: "mail", uid: 100, gid: 8))
        #expect(throws: StartError.self) { try resolve(0) { $0.service.user = "nobody" } }
        #expect(throws: StartError.self) {
            try resolve(0) {
                $0.service.user = "rmail"
                $0.service.group = "none"
            }
        }
    }

    /// Every listener that is on has to be on loopback, or root has to be named.
    @Test(arguments: [
        ("0.0.0.0", "127.0.0.1", true), ("127.0.0.1", "::", true), ("192.0.2.1", "192.0.2.1", true),
        ("mail.example.com", "::1", true), ("127.0.0.1", "::1", false), ("127.1.2.3", "localhost", false),
    ]) func rootServesOthersOnlyWhenTold(smtp: String, imap: String, isRefused: Bool) throws {
        let hosts: (inout Configuration) -> Void = {
            $0.smtp.host = smtp
            $0.imap.host = imap
        }
        if isRefused {
            let error = #expect(throws: StartError.self) { try resolve(0, hosts) }
            #expect(error?.isConfiguration == true)
        } else {
            #expect(try resolve(0, hosts) == nil)
        }
        #expect(
            try resolve(0) {
                hosts(&$0)
                $0.service.user = "root"
            } == nil)
    }

    @Test func aListenerThatIsOffExposesNothing() throws {
        #expect(
            try resolve(0) {
                $0.smtp.host = "127.0.0.1"
                $0.imap.port = nil
                $0.imap.imapsPort = nil
            } == nil)
    }
}
