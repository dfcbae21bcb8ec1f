import Testing

@testable import MailServer

@Suite struct ConnectionLimitsTests {
    private func ticket(_ admission: ConnectionLimits.Admission) -> ConnectionLimits.Ticket? {
        if case .admitted(let ticket) = admission { ticket } else { nil }
    }

    @Test func aServiceHasItsMaximum() throws {
        let limits = ConnectionLimits(ConnectionLimits.Settings(maximumConnections: [.smtp: 2]), now: { 0 })
        let client = IPAddress("192.0.2.1")
        let first = ticket(limits.admit(client, to: .smtp, perAddress: true))
        var second = ticket(limits.admit(client, to: .smtp, perAddress: true))
        #expect(first != nil && second != nil)
        guard case .serviceFull = limits.admit(client, to: .smtp, perAddress: true) else {
            Issue.record("admitted a third")
            return
        }
        #expect(ticket(limits.admit(client, to: .imap, perAddress: false)) != nil)
        first?.close()
        first?.close()
        #expect(limits.open(.smtp) == 1)
        second = nil
        #expect(second == nil)
        #expect(limits.open(.smtp) == 0)
        #expect(limits.open(.imap) == 0)
    }

    @Test func perAddressLimitsAreThoseOfTheCaller() throws {
        var settings = ConnectionLimits.Settings()
        settings.rates.maxConcurrentPerIP = 1
        let limits = ConnectionLimits(settings, now: { 0 })
        let client = IPAddress("192.0.2.1")
        let kept = ticket(limits.admit(client, to: .smtp, perAddress: true))
        guard case .refused(.concurrentConnections, _) = limits.admit(client, to: .smtp, perAddress: true) else {
            Issue.record("admitted a second")
            return
        }
        #expect(limits.open(.smtp) == 1)
        #expect(ticket(limits.admit(client, to: .imap, perAddress: false)) != nil)
        kept?.close()
        #expect(ticket(limits.admit(client, to: .smtp, perAddress: true)) != nil)
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
}
