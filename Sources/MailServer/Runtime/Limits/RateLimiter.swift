package import Primitives
package import ServerConfiguration

/// The reason why a client has to wait.
package enum RateLimitReason: Sendable, Equatable {
    case connections, concurrentConnections, messages, recipients, lockedOut
    /// Every tracked address is connected or locked out, so no other can be tracked.
    case tableFull
}

package enum RateLimitDecision: Sendable, Equatable {
    case allowed
    /// `retryAfter` is in nanoseconds; 0 if it depends on another connection closing.
    case refused(RateLimitReason, retryAfter: Int64)
}

/// Sliding-window limits per client address (`rate_limit.*`). A value without a clock: every method takes the time in
/// monotonic nanoseconds, which must never decrease.
///
/// IPv4 clients are counted by address, IPv6 clients by /64 network. Whitelisted clients are never counted.
package struct RateLimiter: Sendable {
    private struct Record: Sendable {
        var connections = SlidingWindow()
        var messages = SlidingWindow()
        var recipients = SlidingWindow()
        var failures = SlidingWindow()
        /// Open connections; a service with none has no entry.
        var open: [LimitedService: Int] = [:]
        var lockedUntil = Int64.min
        var lastSeen: Int64

        func isIdle(_ now: Int64) -> Bool {
            open.isEmpty && lockedUntil <= now && connections.isEmpty && messages.isEmpty && recipients.isEmpty
                && failures.isEmpty
        }
    }

    /// The limits. A change applies from the next call on and keeps the counts.
    package var settings: RateLimitSettings {
        didSet { whitelist = settings.whitelist.compactMap(IPNetwork.init) }
    }
    private var whitelist: [IPNetwork]
    private var records: [IPAddress: Record] = [:]
    private var nextCleanUp = Int64.min

    package init(_ settings: RateLimitSettings) {
        self.settings = settings
        whitelist = settings.whitelist.compactMap(IPNetwork.init)
    }

    /// The number of tracked addresses.
    package var tracked: Int { records.count }

    /// True if no limit applies to the client.
    package func isExempt(_ address: IPAddress) -> Bool {
        !settings.enabled || whitelist.contains { $0.contains(address) }
    }

    /// Counts a new connection. If it is allowed, `connectionClosed` must follow exactly once.
    package mutating func connectionOpened(
        _ address: IPAddress, to service: LimitedService, now: Int64
    ) -> RateLimitDecision {
        counted(address, now) { record, settings in
            let open = record.open[service, default: 0]
            if open >= settings.maximumConcurrent(service) { return .refused(.concurrentConnections, retryAfter: 0) }
            // No rate for IMAP: mail clients reconnect freely, and password guessers are locked out after a few logins.
            if service == .smtp {
                let wait = record.connections.add(
                    1, limit: settings.connectionRate, period: nanoseconds(settings.connectionPeriod), now: now)
                if let wait { return .refused(.connections, retryAfter: wait) }
            }
            record.open[service] = open + 1
            return .allowed
        }
    }

    package mutating func connectionClosed(_ address: IPAddress, to service: LimitedService, now: Int64) {
        let key = address.limitKey
        guard var record = records[key], let open = record.open[service] else { return }
        record.open[service] = open > 1 ? open - 1 : nil
        record.lastSeen = now
        records[key] = record
    }

    /// Counts a message (at MAIL FROM).
    package mutating func messageStarted(_ address: IPAddress, now: Int64) -> RateLimitDecision {
        counted(address, now) { record, settings in
            let wait = record.messages.add(
                1, limit: settings.messageRate, period: nanoseconds(settings.messagePeriod), now: now)
            return wait.map { .refused(.messages, retryAfter: $0) } ?? .allowed
        }
    }

    /// Counts a recipient (at RCPT TO).
    package mutating func recipientAdded(_ address: IPAddress, now: Int64) -> RateLimitDecision {
        counted(address, now) { record, settings in
            let wait = record.recipients.add(
                1, limit: settings.recipientRate, period: nanoseconds(settings.recipientPeriod), now: now)
            return wait.map { .refused(.recipients, retryAfter: $0) } ?? .allowed
        }
    }

    /// Decides whether the client may try to log in.
    package func mayAuthenticate(_ address: IPAddress, now: Int64) -> RateLimitDecision {
        guard !isExempt(address), let until = records[address.limitKey]?.lockedUntil, until > now else {
            return .allowed
        }
        return .refused(.lockedOut, retryAfter: until &- now)
    }

    /// Counts a failed login. A success does not reset the count, or an attacker with one valid account could go on
    /// guessing.
    /// - Returns: True if this failure began a lockout.
    package mutating func authenticationFailed(_ address: IPAddress, now: Int64) -> Bool {
        var began = false
        _ = counted(address, now) { record, settings in
            let period = nanoseconds(settings.authFailureLockout)
            guard record.lockedUntil <= now else { return .allowed }
            record.failures.expire(before: now &- period)
            record.failures.record(1, now: now)
            if record.failures.count() >= settings.authFailureLimit {
                record.failures.removeAll()
                record.lockedUntil = now &+ period
                began = true
            }
            return .allowed
        }
        return began
    }

    /// Drops expired records. Runs automatically every `cleanup_interval`; extra calls are harmless.
    package mutating func cleanUp(now: Int64) {
        nextCleanUp = now &+ nanoseconds(settings.cleanupInterval)
        for (key, record) in records {
            var record = record
            record.connections.expire(before: now &- nanoseconds(settings.connectionPeriod))
            record.messages.expire(before: now &- nanoseconds(settings.messagePeriod))
            record.recipients.expire(before: now &- nanoseconds(settings.recipientPeriod))
            record.failures.expire(before: now &- nanoseconds(settings.authFailureLockout))
            records[key] = record.isIdle(now) ? nil : record
        }
    }

    private mutating func counted(
        _ address: IPAddress, _ now: Int64, _ body: (inout Record, RateLimitSettings) -> RateLimitDecision
    ) -> RateLimitDecision {
        if isExempt(address) { return .allowed }
        if now >= nextCleanUp { cleanUp(now: now) }
        let key = address.limitKey
        if records[key] == nil, records.count >= settings.maxTrackedIPs {
            makeRoom(now)
            if records.count >= settings.maxTrackedIPs { return .refused(.tableFull, retryAfter: 0) }
        }
        var record = records.removeValue(forKey: key) ?? Record(lastSeen: now)
        record.lastSeen = now
        let decision = body(&record, settings)
        records[key] = record
        return decision
    }

    /// Drops the least recently seen sixteenth of the table at once, to amortize the cost under a flood of addresses.
    /// Connected and locked-out clients are kept.
    private mutating func makeRoom(_ now: Int64) {
        let evictable = records.filter { $0.value.open.isEmpty && $0.value.lockedUntil <= now }
        let excess = records.count - settings.maxTrackedIPs + 1
        let wanted = max(excess, settings.maxTrackedIPs / 16)
        for entry in evictable.sorted(by: { $0.value.lastSeen < $1.value.lastSeen }).prefix(wanted) {
            records[entry.key] = nil
        }
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
}

private func nanoseconds(_ seconds: Int) -> Int64 { Int64(seconds) * 1_000_000_000 }
