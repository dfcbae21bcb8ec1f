import Primitives
import Testing

@testable import ServerConfiguration
@testable import ServerRuntime

@Suite struct ConnectionLimitsTests {
    private func ticket(_ admission: ConnectionLimits.Admission) -> ConnectionLimits.Ticket? {
        if case .admitted(let ticket) = admission { ticket } else { nil }
    }

    @Test func aServiceHasItsMaximum() throws {
        let limits = ConnectionLimits(ConnectionLimits.Settings(maximumConnections: [.smtp: 2]), now: { 0 })
        let client = IPAddress("192.0.2.1")
        let first = ticket(limits.admit(client, to: .smtp))
        var second = ticket(limits.admit(client, to: .smtp))
        #expect(first != nil && second != nil)
        guard case .serviceFull = limits.admit(client, to: .smtp) else {
            Issue.record("admitted a third")
            return
        }
        #expect(ticket(limits.admit(client, to: .imap)) != nil)
        first?.close()
        first?.close()
        #expect(limits.open(.smtp) == 1)
        second = nil
        #expect(second == nil)
        #expect(limits.open(.smtp) == 0)
        #expect(limits.open(.imap) == 0)
    }

    @Test func eachServiceCountsAnAddressApart() throws {
        var settings = ConnectionLimits.Settings()
        settings.rates.maxConcurrentPerIP = 1
        let limits = ConnectionLimits(settings, now: { 0 })
        let client = IPAddress("192.0.2.1")
        let kept = ticket(limits.admit(client, to: .smtp))
        guard case .refused(.concurrentConnections, _) = limits.admit(client, to: .smtp) else {
            Issue.record("admitted a second")
            return
        }
        #expect(limits.open(.smtp) == 1)
        let mail = (0..<50).map { _ in ticket(limits.admit(client, to: .imap)) }
        #expect(mail.allSatisfy { $0 != nil })
        guard case .refused(.concurrentConnections, _) = limits.admit(client, to: .imap) else {
            Issue.record("admitted a fifty-first")
            return
        }
        #expect(ticket(limits.admit(IPAddress("192.0.2.2"), to: .imap)) != nil)
        kept?.close()
        #expect(ticket(limits.admit(client, to: .smtp)) != nil)
    }

    @Test func aReloadHoldsAtOnce() async {
        var settings = ConnectionLimits.Settings()
        let limits = ConnectionLimits(settings, now: { 0 })
        let client = IPAddress("192.0.2.1")!
        settings.rates.authFailureLimit = 1
        limits.update(settings)
        #expect(await limits.beginLogin(client))
        #expect(limits.endLogin(client, failed: true))
        #expect(limits.mayAuthenticate(client) != .allowed)
        settings.rates.whitelist = ["192.0.2.0/24"]
        limits.update(settings)
        #expect(limits.mayAuthenticate(client) == .allowed)
    }

    /// A ticket releases what it counted, whatever the whitelist contains by then.
    @Test func exemptConnectionsTakeNothingOfOthers() {
        var settings = ConnectionLimits.Settings()
        settings.rates.maxConcurrentPerIP = 1
        settings.rates.whitelist = ["192.0.2.1"]
        let limits = ConnectionLimits(settings, now: { 0 })
        let client = IPAddress("192.0.2.1")
        let exempt = ticket(limits.admit(client, to: .smtp))
        settings.rates.whitelist = []
        limits.update(settings)
        let counted = ticket(limits.admit(client, to: .smtp))
        #expect(counted != nil)
        exempt?.close()
        #expect(ticket(limits.admit(client, to: .smtp)) == nil)
        counted?.close()
        #expect(limits.open(.smtp) == 0)
    }

    /// The last places are for addresses that have logged in lately, whoever holds the others.
    @Test(arguments: ["192.0.2.1", "127.0.0.1"]) func theLastPlacesAreForThoseWhoLoggedIn(stranger: String) {
        let time = Locked<Int64>(0)
        var settings = ConnectionLimits.Settings(maximumConnections: [.imap: 10, .smtp: 10])
        settings.rates.maxConcurrentPerIP = 100
        let limits = ConnectionLimits(settings, now: { time.withLock { $0 } })
        let user = IPAddress("2001:db8:0:1::1")
        let first = ticket(limits.admit(user, to: .imap))
        #expect(first?.logIn("alice") {} == true)
        first?.close()
        for service in LimitedService.allCases {
            var held: [ConnectionLimits.Ticket] = []
            while let new = ticket(limits.admit(IPAddress(stranger), to: service)) { held.append(new) }
            #expect(held.count == 8)
            #expect(ticket(limits.admit(IPAddress("203.0.113.1"), to: service)) == nil)
            // The whole network of a user counts as the user's.
            let mine = ["::1", "::2"].map { ticket(limits.admit(IPAddress("2001:db8:0:1\($0)"), to: service)) }
            #expect(mine.allSatisfy { $0 != nil } && limits.open(service) == 10)
            #expect(ticket(limits.admit(user, to: service)) == nil)
            mine.forEach { $0?.close() }
            time.withLock { $0 = 86_400 * 1_000_000_000 }
            #expect(ticket(limits.admit(user, to: service)) == nil)
            time.withLock { $0 = 0 }
        }
    }

    @Test func anAccountHasItsMaximum() {
        var settings = ConnectionLimits.Settings()
        settings.rates.maxConcurrentPerAccount = 1
        settings.rates.maxConcurrentIMAPPerAccount = 2
        let limits = ConnectionLimits(settings, now: { 0 })
        func login(_ client: Int, _ service: LimitedService, _ account: String = "alice") -> ConnectionLimits.Ticket? {
            let ticket = ticket(limits.admit(IPAddress("192.0.2.\(client)"), to: service))
            return ticket?.logIn(account) {} == true ? ticket : nil
        }
        let (one, two) = (login(1, .imap), login(2, .imap))
        #expect(one != nil && two != nil)
        #expect(login(3, .imap) == nil)
        #expect(limits.open(.imap) == 2)
        let other = [login(3, .smtp), login(3, .imap, "bob")]
        #expect(other.allSatisfy { $0 != nil })
        #expect(login(4, .smtp) == nil)
        #expect(Set(limits.accounts) == ["alice", "bob"])
        one?.close()
        #expect(login(3, .imap) != nil)
        // Clients without limits count for nobody.
        let local = (0..<5).map { _ in ticket(limits.admit(IPAddress("127.0.0.1"), to: .imap)) }
        #expect(local.allSatisfy { $0?.logIn("alice") {} == true })
        #expect(login(4, .imap) != nil)
    }

    @Test func theConnectionsOfAnAccountAreToldOnce() {
        let limits = ConnectionLimits(ConnectionLimits.Settings(), now: { 0 })
        let told = Locked<[String]>([])
        let tickets = ["alice", "alice", "bob"].map { account in
            let ticket = ticket(limits.admit(IPAddress("127.0.0.1"), to: .imap))
            #expect(ticket?.logIn(account) { told.withLock { $0.append(account) } } == true)
            return ticket
        }
        limits.revoke("alice")
        limits.revoke("alice")
        #expect(told.withLock { $0 } == ["alice", "alice"])
        #expect(limits.accounts == ["bob"])
        tickets.forEach { $0?.close() }
        #expect(limits.accounts.isEmpty && limits.open(.imap) == 0)
    }

    /// An attempt that waits goes on as soon as one under way ends, and is refused when that was one too many.
    @Test func attemptsWaitForTheOutcomeOfOthers() async {
        var settings = ConnectionLimits.Settings()
        settings.rates.authFailureLimit = 2
        let limits = ConnectionLimits(settings, now: { 0 })
        let client = IPAddress("192.0.2.1")!
        #expect(await limits.beginLogin(client))
        #expect(await limits.beginLogin(client))
        async let third = limits.beginLogin(client)
        while limits.waitingLogins == 0 { await Task.yield() }
        #expect(!limits.endLogin(client, failed: false))
        #expect(await third)
        async let fourth = limits.beginLogin(client)
        async let fifth = limits.beginLogin(client)
        while limits.waitingLogins < 2 { await Task.yield() }
        #expect(!limits.endLogin(client, failed: true))
        #expect(limits.endLogin(client, failed: true))
        #expect(await [fourth, fifth] == [false, false])
        #expect(limits.waitingLogins == 0)
    }
}
