import Primitives
import Testing

@testable import ServerConfiguration
@testable import ServerRuntime

private let second: Int64 = 1_000_000_000

private func address(_ text: String) -> IPAddress { IPAddress(text)! }

private func limiter(_ change: (inout RateLimitSettings) -> Void = { _ in }) -> RateLimiter {
    var settings = RateLimitSettings()
    change(&settings)
    return RateLimiter(settings)
}

extension RateLimiter {
    /// One attempt that fails.
    fileprivate mutating func authenticationFailed(_ address: IPAddress, now: Int64) -> Bool {
        _ = loginBegan(address, now: now)
        return loginEnded(address, failed: true, now: now)
    }
}

@Suite struct RateLimiterTests {
    @Test func connectionsSlideThroughTheWindow() {
        var limiter = limiter { $0.connectionRate = 3 }
        let client = address("192.0.2.1")
        for time in [0, 10, 20] as [Int64] {
            #expect(limiter.connectionOpened(client, to: .smtp, now: time * second) == .allowed)
            limiter.connectionClosed(client, to: .smtp)
        }
        #expect(
            limiter.connectionOpened(client, to: .smtp, now: 30 * second)
                == .refused(.connections, retryAfter: 30 * second))
        #expect(limiter.connectionOpened(client, to: .smtp, now: 60 * second) == .allowed)
        #expect(
            limiter.connectionOpened(client, to: .smtp, now: 61 * second)
                == .refused(.connections, retryAfter: 9 * second))
        #expect(limiter.connectionOpened(address("192.0.2.2"), to: .smtp, now: 61 * second) == .allowed)
    }

    @Test func concurrentConnectionsAreCounted() {
        var limiter = limiter { $0.maxConcurrentPerIP = 2 }
        let client = address("192.0.2.1")
        #expect(limiter.connectionOpened(client, to: .smtp, now: 0) == .allowed)
        #expect(limiter.connectionOpened(client, to: .smtp, now: 0) == .allowed)
        #expect(limiter.connectionOpened(client, to: .smtp, now: 0) == .refused(.concurrentConnections, retryAfter: 0))
        limiter.connectionClosed(client, to: .smtp)
        #expect(limiter.connectionOpened(client, to: .smtp, now: 1) == .allowed)
        for _ in 0..<5 { limiter.connectionClosed(client, to: .smtp) }
        #expect(limiter.connectionOpened(client, to: .smtp, now: 2) == .allowed)
    }

    @Test func messagesAndRecipientsHaveWindowsOfTheirOwn() {
        var limiter = limiter {
            $0.messageRate = 1
            $0.recipientRate = 2
        }
        let client = address("192.0.2.1")
        #expect(limiter.messageStarted(client, now: 0) == .allowed)
        #expect(limiter.messageStarted(client, now: 1) == .refused(.messages, retryAfter: 60 * second - 1))
        #expect(limiter.recipientAdded(client, now: 1) == .allowed)
        #expect(limiter.recipientAdded(client, now: 1) == .allowed)
        #expect(limiter.recipientAdded(client, now: 2) == .refused(.recipients, retryAfter: 60 * second - 1))
        #expect(limiter.recipientAdded(client, now: 60 * second + 1) == .allowed)
    }

    @Test func failuresLockOutAndTheLockoutEnds() {
        var limiter = limiter { $0.authFailureLimit = 3 }
        let client = address("192.0.2.1")
        #expect(limiter.authenticationFailed(client, now: 0) == false)
        #expect(limiter.authenticationFailed(client, now: 1) == false)
        #expect(limiter.mayAuthenticate(client, now: 2) == .allowed)
        #expect(limiter.authenticationFailed(client, now: 2) == true)
        #expect(limiter.mayAuthenticate(client, now: 2) == .refused(.lockedOut, retryAfter: 600 * second))
        #expect(limiter.mayAuthenticate(client, now: 600 * second + 1) == .refused(.lockedOut, retryAfter: 1))
        #expect(limiter.mayAuthenticate(client, now: 600 * second + 2) == .allowed)
        #expect(limiter.authenticationFailed(client, now: 600 * second + 2) == false)
        #expect(limiter.mayAuthenticate(address("192.0.2.2"), now: 3) == .allowed)
    }

    @Test func oldFailuresDoNotAddUp() {
        var limiter = limiter { $0.authFailureLimit = 2 }
        let client = address("192.0.2.1")
        #expect(limiter.authenticationFailed(client, now: 0) == false)
        #expect(limiter.authenticationFailed(client, now: 600 * second) == false)
        #expect(limiter.authenticationFailed(client, now: 601 * second) == true)
    }

    @Test func neighboursInAnIPv6NetworkShareALimit() {
        var limiter = limiter { $0.messageRate = 1 }
        #expect(limiter.messageStarted(address("2001:db8:0:1::1"), now: 0) == .allowed)
        #expect(limiter.messageStarted(address("2001:db8:0:1:ffff::2"), now: 0) != .allowed)
        #expect(limiter.messageStarted(address("2001:db8:0:2::1"), now: 0) == .allowed)
        #expect(limiter.tracked == 2)
    }

    @Test func exemptClientsAreNeverCounted() {
        var limiter = limiter {
            $0.messageRate = 1
            $0.authFailureLimit = 1
            $0.whitelist = ["127.0.0.1", "::1", "10.0.0.0/8"]
        }
        for name in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.200.3.4"] {
            for _ in 0..<10 { #expect(limiter.messageStarted(address(name), now: 0) == .allowed) }
            #expect(limiter.authenticationFailed(address(name), now: 0) == false)
        }
        #expect(limiter.tracked == 0)
        limiter.settings.enabled = false
        for _ in 0..<10 { #expect(limiter.messageStarted(address("192.0.2.1"), now: 0) == .allowed) }
    }

    @Test func theTableIsBoundedAndKeepsWhoMatters() {
        var limiter = limiter {
            $0.maxTrackedIPs = 32
            $0.authFailureLimit = 1
        }
        let locked = address("198.51.100.1")
        let connected = address("198.51.100.2")
        #expect(limiter.authenticationFailed(locked, now: 0) == true)
        #expect(limiter.connectionOpened(connected, to: .smtp, now: 0) == .allowed)
        for i in 0..<1000 {
            let client = address("10.0.\(i / 256).\(i % 256)")
            #expect(limiter.messageStarted(client, now: Int64(i)) == .allowed)
            #expect(limiter.tracked <= 32)
        }
        #expect(limiter.mayAuthenticate(locked, now: 1000) != .allowed)
        limiter.connectionClosed(connected, to: .smtp)
        limiter.cleanUp(now: 1000 * second)
        #expect(limiter.tracked == 0)
    }

    /// However many addresses are connected, locked out or both, a newcomer finds room and is counted like any other.
    @Test func newcomersAreNeverRefusedForWantOfRoom() {
        var limiter = limiter {
            $0.maxTrackedIPs = 16
            $0.authFailureLimit = 1
            $0.connectionRate = 1
        }
        for i in 0..<100 {
            let client = address("10.0.0.\(i)")
            #expect(limiter.connectionOpened(client, to: .smtp, now: Int64(i)) == .allowed)
            #expect(limiter.authenticationFailed(client, now: Int64(i)) == true)
            #expect(limiter.tracked <= 16)
        }
        let newcomer = address("10.0.1.1")
        #expect(limiter.connectionOpened(newcomer, to: .smtp, now: 100) == .allowed)
        #expect(limiter.connectionOpened(newcomer, to: .smtp, now: 100) != .allowed)
        // The oldest went, the latest stayed; open connections count whether their address is remembered or not.
        #expect(limiter.mayAuthenticate(address("10.0.0.0"), now: 100) == .allowed)
        #expect(limiter.mayAuthenticate(address("10.0.0.99"), now: 100) != .allowed)
        limiter.settings.maxConcurrentPerIP = 1
        #expect(
            limiter.connectionOpened(address("10.0.0.0"), to: .smtp, now: 100)
                == .refused(.concurrentConnections, retryAfter: 0))
    }

    /// No more attempts are judged at a time than may fail; the others wait for their outcome.
    @Test func attemptsCountFromTheirBeginning() {
        var limiter = limiter { $0.authFailureLimit = 3 }
        let client = address("2001:db8:0:1::1")
        let neighbour = address("2001:db8:0:1::2")
        for _ in 0..<3 { #expect(limiter.loginBegan(client, now: 0) == .begun) }
        #expect(limiter.loginBegan(neighbour, now: 0) == .wait)
        #expect(limiter.loginBegan(address("2001:db8:0:2::1"), now: 0) == .begun)
        // A success gives its place back, a failure does not.
        #expect(limiter.loginEnded(client, failed: false, now: 1) == false)
        #expect(limiter.loginBegan(neighbour, now: 1) == .begun)
        #expect(limiter.loginEnded(client, failed: true, now: 2) == false)
        #expect(limiter.loginBegan(neighbour, now: 2) == .wait)
        #expect(limiter.loginEnded(client, failed: true, now: 3) == false)
        #expect(limiter.loginEnded(neighbour, failed: true, now: 4) == true)
        #expect(limiter.loginBegan(client, now: 5) == .lockedOut)
        #expect(!limiter.hasAttempts(client))
        // The lockout ends, and with it what led to it.
        #expect(limiter.loginBegan(client, now: 601 * second) == .begun)
    }

    @Test func idleRecordsGoByThemselves() {
        var limiter = limiter()
        for i in 0..<100 { _ = limiter.messageStarted(address("10.0.0.\(i)"), now: 0) }
        #expect(limiter.tracked == 100)
        _ = limiter.messageStarted(address("192.0.2.1"), now: 300 * second)
        #expect(limiter.tracked == 1)
    }
}
