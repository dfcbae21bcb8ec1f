package import Primitives
package import ServerConfiguration

/// The reason why a client has to wait.
package enum RateLimitReason: Sendable, Equatable {
    case connections, concurrentConnections, messages, recipients, lockedOut
}

package enum RateLimitDecision: Sendable, Equatable {
    case allowed
    /// `retryAfter` is in nanoseconds; 0 if it depends on another connection closing.
    case refused(RateLimitReason, retryAfter: Int64)
}

/// The answer to a client that wants its credentials judged.
package enum LoginPermission: Sendable, Equatable {
    /// Judge it; `loginEnded` must follow once.
    case begun
    /// As many attempts as may still fail are under way: their outcome decides.
    case wait
    case lockedOut
}

/// Limits per client address (`rate_limit.*`): sliding windows, open connections and logins. A value without a clock:
/// every method takes the time, in monotonic nanoseconds, and must not be given an earlier one than before.
///
/// IPv4 clients are counted by address, IPv6 clients by /64 network. Whitelisted clients are never counted.
package struct RateLimiter: Sendable {
    private struct Record: Sendable {
        var connections = SlidingWindow()
        var messages = SlidingWindow()
        var recipients = SlidingWindow()
        var failures = SlidingWindow()
        var lockedUntil = Int64.min

        func isIdle(_ now: Int64) -> Bool {
            lockedUntil <= now && connections.isEmpty && messages.isEmpty && recipients.isEmpty && failures.isEmpty
        }
    }

    /// The limits. A change applies from the next call on and keeps the counts.
    package var settings: RateLimitSettings {
        didSet { whitelist = settings.whitelist.compactMap(IPNetwork.init) }
    }
    private var whitelist: [IPNetwork]
    private var records = RecentTable<Record>()
    /// Addresses that have logged in, by the time of the last login. Nobody gets in here without a password, so that
    /// strangers push nobody out.
    private var known = RecentTable<Void>()
    /// Open connections and attempts under way: as many as the server has connections, and never forgotten.
    private var open: [LimitedService: [IPAddress: Int]] = [:]
    private var attempts: [IPAddress: Int] = [:]
    private var nextCleanUp = Int64.min

    package init(_ settings: RateLimitSettings) {
        self.settings = settings
        whitelist = settings.whitelist.compactMap(IPNetwork.init)
    }

    /// The number of addresses in the table.
    package var tracked: Int { records.count }

    /// True if no limit applies to the client.
    package func isExempt(_ address: IPAddress) -> Bool {
        !settings.enabled || whitelist.contains { $0.contains(address) }
    }

    // MARK: Connections and mail

    /// Counts a new connection. If it is allowed, `connectionClosed` must follow exactly once.
    package mutating func connectionOpened(
        _ address: IPAddress, to service: LimitedService, now: Int64
    ) -> RateLimitDecision {
        if isExempt(address) { return .allowed }
        let key = address.limitKey
        let count = open[service]?[key] ?? 0
        if count >= settings.maximumConcurrent(service) { return .refused(.concurrentConnections, retryAfter: 0) }
        // No rate for IMAP: mail clients reconnect freely, and password guessers are locked out after a few logins.
        if service == .smtp {
            let wait = counted(address, now) { record, settings in
                record.connections.add(
                    1, limit: settings.connectionRate, period: nanoseconds(settings.connectionPeriod), now: now)
            }
            if let wait { return .refused(.connections, retryAfter: wait) }
        }
        open[service, default: [:]][key] = count + 1
        return .allowed
    }

    package mutating func connectionClosed(_ address: IPAddress, to service: LimitedService) {
        let key = address.limitKey
        guard let count = open[service]?[key] else { return }
        open[service]?[key] = count > 1 ? count - 1 : nil
    }

    /// Counts a message (at MAIL FROM).
    package mutating func messageStarted(_ address: IPAddress, now: Int64) -> RateLimitDecision {
        let wait = counted(address, now) { record, settings in
            record.messages.add(
                1, limit: settings.messageRate, period: nanoseconds(settings.messagePeriod), now: now)
        }
        return wait.map { .refused(.messages, retryAfter: $0) } ?? .allowed
    }

    /// Counts a recipient (at RCPT TO).
    package mutating func recipientAdded(_ address: IPAddress, now: Int64) -> RateLimitDecision {
        let wait = counted(address, now) { record, settings in
            record.recipients.add(
                1, limit: settings.recipientRate, period: nanoseconds(settings.recipientPeriod), now: now)
        }
        return wait.map { .refused(.recipients, retryAfter: $0) } ?? .allowed
    }

    // MARK: Logins

    /// Decides whether the client may try to log in.
    package func mayAuthenticate(_ address: IPAddress, now: Int64) -> RateLimitDecision {
        guard !isExempt(address), let until = records[address.limitKey]?.lockedUntil, until > now else {
            return .allowed
        }
        return .refused(.lockedOut, retryAfter: until &- now)
    }

    /// Counts an attempt to log in before its password is looked at, as if it had failed: however many come at a time,
    /// no more are judged than may fail.
    package mutating func loginBegan(_ address: IPAddress, now: Int64) -> LoginPermission {
        if isExempt(address) { return .begun }
        guard mayAuthenticate(address, now: now) == .allowed else { return .lockedOut }
        let key = address.limitKey
        let underWay = attempts[key] ?? 0
        let failed = counted(address, now) { record, settings in
            record.failures.expire(before: now &- nanoseconds(settings.authFailureLockout))
            return record.failures.count()
        }
        if underWay > 0, (failed ?? 0) + underWay >= settings.authFailureLimit { return .wait }
        attempts[key] = underWay + 1
        return .begun
    }

    /// Counts the failure of an attempt, or gives it back. A success does not reset the count of
    /// failures, or an attacker with one valid account could go on guessing.
    /// - Returns: True when this one began a lockout.
    package mutating func loginEnded(_ address: IPAddress, failed: Bool, now: Int64) -> Bool {
        let key = address.limitKey
        if let count = attempts[key] { attempts[key] = count > 1 ? count - 1 : nil }
        guard failed else { return false }
        return counted(address, now) { record, settings in
            let period = nanoseconds(settings.authFailureLockout)
            guard record.lockedUntil <= now else { return nil }
            record.failures.expire(before: now &- period)
            record.failures.record(1, now: now)
            guard record.failures.count() >= settings.authFailureLimit else { return nil }
            record.failures.removeAll()
            record.lockedUntil = now &+ period
            return true
        } ?? false
    }

    /// Whether an attempt from the address is under way.
    package func hasAttempts(_ address: IPAddress) -> Bool { attempts[address.limitKey] != nil }

    /// Notes that somebody has logged in from the address.
    package mutating func loggedIn(_ address: IPAddress, now: Int64) {
        known.update(address.limitKey, (), capacity: settings.maxTrackedIPs, now: now) { _ in }
    }

    /// Whether somebody has logged in from the address within `rate_limit.reserved_period`.
    package func isKnown(_ address: IPAddress, now: Int64) -> Bool {
        guard let time = known.lastSeen(address.limitKey) else { return false }
        return time > now &- nanoseconds(settings.reservedPeriod)
    }

    // MARK: Memory

    /// Drops expired records. Runs automatically every `cleanup_interval`; extra calls are harmless.
    package mutating func cleanUp(now: Int64) {
        nextCleanUp = now &+ nanoseconds(settings.cleanupInterval)
        let settings = settings
        records.prune { record in
            record.connections.expire(before: now &- nanoseconds(settings.connectionPeriod))
            record.messages.expire(before: now &- nanoseconds(settings.messagePeriod))
            record.recipients.expire(before: now &- nanoseconds(settings.recipientPeriod))
            record.failures.expire(before: now &- nanoseconds(settings.authFailureLockout))
            return !record.isIdle(now)
        }
        known.remove(seenBefore: now &- nanoseconds(settings.reservedPeriod))
    }

    /// Runs `body` on the address's record; nil for one that is exempt. A full table forgets the address that was seen
    /// longest ago, one that is locked out only when nothing else can go.
    private mutating func counted<Result>(
        _ address: IPAddress, _ now: Int64, _ body: (inout Record, RateLimitSettings) -> Result?
    ) -> Result? {
        if isExempt(address) { return nil }
        if now >= nextCleanUp { cleanUp(now: now) }
        let settings = settings
        return records.update(
            address.limitKey, Record(), capacity: settings.maxTrackedIPs, now: now,
            isPrecious: { $0.lockedUntil > now }, { body(&$0, settings) })
    }
}

extension RateLimitSettings {
    /// Connections of one address at a time.
    fileprivate func maximumConcurrent(_ service: LimitedService) -> Int {
        switch service {
        case .smtp: maxConcurrentPerIP
        case .imap: maxConcurrentIMAPPerIP
        }
    }

    /// Connections of one account at a time.
    package func maximumPerAccount(_ service: LimitedService) -> Int {
        switch service {
        case .smtp: maxConcurrentPerAccount
        case .imap: maxConcurrentIMAPPerAccount
        }
    }

    /// The last ones of so many places, which are kept for addresses that have logged in.
    package func reserved(of maximum: Int) -> Int { maximum * reservedPercent / 100 }
}

private func nanoseconds(_ seconds: Int) -> Int64 { Int64(seconds) * 1_000_000_000 }
