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

    @Test func aReloadHoldsAtOnce() {
        var settings = ConnectionLimits.Settings()
        let limits = ConnectionLimits(settings, now: { 0 })
        let client = IPAddress("192.0.2.1")!
        settings.rates.authFailureLimit = 1
        limits.update(settings)
        #expect(limits.authenticationFailed(client))
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
}
