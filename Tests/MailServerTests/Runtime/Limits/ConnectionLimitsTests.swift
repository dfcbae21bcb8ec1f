import Testing

@testable import MailServer

@Suite struct ConnectionLimitsTests {
    private func ticket(_ admission: ConnectionLimits.Admission) -> ConnectionLimits.Ticket? {
        if case .admitted(let ticket) = admission { ticket } else { nil }
    }

    @Test func aServiceHasItsMaximum() throws {
        var configuration = Configuration()
        configuration.smtp.maxConnections = 2
        let limits = ConnectionLimits(configuration, now: { 0 })
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
        var configuration = Configuration()
        configuration.rateLimit.maxConcurrentPerIP = 1
        let limits = ConnectionLimits(configuration, now: { 0 })
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
        var configuration = Configuration()
        let limits = ConnectionLimits(configuration, now: { 0 })
        let client = IPAddress("192.0.2.1")!
        configuration.rateLimit.authFailureLimit = 1
        limits.reload(configuration)
        #expect(limits.authenticationFailed(client))
        #expect(limits.mayAuthenticate(client) != .allowed)
        configuration.rateLimit.whitelist = ["192.0.2.0/24"]
        limits.reload(configuration)
        #expect(limits.mayAuthenticate(client) == .allowed)
    }
}
