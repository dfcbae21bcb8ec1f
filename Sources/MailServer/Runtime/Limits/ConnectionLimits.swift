package import Primitives
package import ServerConfiguration

/// The limits that all clients of the process share: connections per service, address and account, rates and logins per
/// address.
///
/// Every connection is admitted here: its server requests a ticket and keeps it for the life of the connection.
/// The ticket also says whose connection it is, once its client has logged in.
package final class ConnectionLimits: UpdatableComponent {
    /// The reloadable limits.
    package struct Settings: Sendable, Equatable {
        /// Limits per client address and account.
        package var rates: RateLimitSettings
        /// The maximum of concurrent connections; a service without an entry has none.
        package var maximumConnections: [LimitedService: Int]

        package init(
            rates: RateLimitSettings = RateLimitSettings(), maximumConnections: [LimitedService: Int] = [:]
        ) {
            self.rates = rates
            self.maximumConnections = maximumConnections
        }
    }

    /// The answer to a new connection.
    package enum Admission: Sendable {
        /// Admitted; keep the ticket for the life of the connection.
        case admitted(Ticket)
        /// `max_connections` of the service is reached, or what is left of it is kept for others.
        case serviceFull
        case refused(RateLimitReason, retryAfter: Int64)
    }

    /// An admitted connection's share of the limits, released on deinit at the latest.
    package final class Ticket: Sendable {
        private enum State {
            case open
            case loggedIn(account: String)
            case closed
        }

        private let limits: ConnectionLimits
        private let service: LimitedService
        private let address: IPAddress?
        /// False for an address that was exempt when the connection began.
        private let isCounted: Bool
        private let state = Locked(State.open)

        fileprivate init(
            _ limits: ConnectionLimits, _ service: LimitedService, _ address: IPAddress?, isCounted: Bool
        ) {
            self.limits = limits
            self.service = service
            self.address = address
            self.isCounted = isCounted
        }

        /// Makes the connection the account's.
        /// - Parameter onRevoke: called once, on any thread, when the account may no longer be used.
        /// - Returns: False when the account has as many connections as it may have; nothing has changed then.
        package func logIn(_ account: String, onRevoke: @escaping @Sendable () -> Void) -> Bool {
            guard case .open = state.withLock({ $0 }) else { return true }
            let session = AccountSessions.Session(
                id: ObjectIdentifier(self), service: service, isCounted: isCounted, revoke: onRevoke)
            guard limits.enter(account, session, from: address) else { return false }
            let isClosed = state.withLock { state in
                if case .closed = state { return true }
                state = .loggedIn(account: account)
                return false
            }
            if isClosed { limits.leave(account, ObjectIdentifier(self)) }
            return true
        }

        /// Releases the share; a second call does nothing.
        package func close() {
            let old = state.withLock { state in
                defer { state = .closed }
                return state
            }
            switch old {
            case .closed: return
            case .loggedIn(let account): limits.leave(account, ObjectIdentifier(self))
            case .open: break
            }
            limits.release(service, isCounted ? address : nil)
        }

        deinit { close() }
    }

    private struct State {
        var limiter: RateLimiter
        var maximum: [LimitedService: Int]
        var open: [LimitedService: Int] = [:]
        var sessions = AccountSessions()
        /// Attempts to log in that wait for the outcome of others from their address.
        var waiting: [IPAddress: [CheckedContinuation<Void, Never>]] = [:]

        /// The places of a service that a new connection from the address may take: the last ones are kept for addresses
        /// that have logged in lately.
        func places(_ maximum: Int, for address: IPAddress?, now: Int64) -> Int {
            guard limiter.settings.enabled else { return maximum }
            if let address, limiter.isKnown(address, now: now) { return maximum }
            return maximum - limiter.settings.reserved(of: maximum)
        }
    }

    private let state: Locked<State>
    /// Monotonic nanoseconds.
    private let now: @Sendable () -> Int64
    /// Decides whether any connection is accepted at all.
    package let descriptors: DescriptorReserve

    package init(
        _ settings: Settings, descriptors: DescriptorReserve = DescriptorReserve(limit: 0),
        now: @escaping @Sendable () -> Int64
    ) {
        self.now = now
        self.descriptors = descriptors
        state = Locked(
            State(limiter: RateLimiter(settings.rates), maximum: settings.maximumConnections))
    }

    /// Replaces the settings; open connections stay and count towards the new limits.
    package func update(_ settings: Settings) {
        state.withLock { state in
            state.limiter.settings = settings.rates
            state.maximum = settings.maximumConnections
        }
    }

    // MARK: Connections

    /// Requests a ticket for a new connection.
    /// - Parameter address: nil for a client without one, which counts only towards the service's maximum.
    package func admit(_ address: IPAddress?, to service: LimitedService) -> Admission {
        let time = now()
        return state.withLock { state in
            let open = state.open[service, default: 0]
            if let maximum = state.maximum[service], open >= state.places(maximum, for: address, now: time) {
                return .serviceFull
            }
            // An address that is exempt now may no longer be when the connection closes.
            let counted = address.flatMap { state.limiter.isExempt($0) ? nil : $0 }
            if let counted,
                case .refused(let reason, let wait) = state.limiter.connectionOpened(counted, to: service, now: time)
            {
                return .refused(reason, retryAfter: wait)
            }
            state.open[service] = open + 1
            return .admitted(Ticket(self, service, address, isCounted: counted != nil))
        }
    }

    package func messageStarted(_ address: IPAddress) -> RateLimitDecision {
        state.withLock { $0.limiter.messageStarted(address, now: now()) }
    }

    package func recipientAdded(_ address: IPAddress) -> RateLimitDecision {
        state.withLock { $0.limiter.recipientAdded(address, now: now()) }
    }

    /// The number of open connections of a service.
    package func open(_ service: LimitedService) -> Int { state.withLock { $0.open[service, default: 0] } }

    private func release(_ service: LimitedService, _ address: IPAddress?) {
        state.withLock { state in
            state.open[service, default: 1] -= 1
            if let address { state.limiter.connectionClosed(address, to: service) }
        }
    }

    // MARK: Logins

    package func mayAuthenticate(_ address: IPAddress) -> RateLimitDecision {
        state.withLock { $0.limiter.mayAuthenticate(address, now: now()) }
    }

    /// Begins an attempt to log in, behind those from the same address whose outcome decides about it.
    /// - Returns: False when the address is locked out; else `endLogin` must follow once.
    package func beginLogin(_ address: IPAddress) async -> Bool {
        while true {
            let permission = state.withLock { $0.limiter.loginBegan(address, now: now()) }
            switch permission {
            case .begun: return true
            case .lockedOut: return false
            case .wait: await outcome(of: address)
            }
        }
    }

    /// Ends an attempt that `beginLogin` began.
    /// - Parameter failed: the credentials were wrong.
    /// Counts a failed login.
    /// - Returns: True if this failure began a lockout.
    package func endLogin(_ address: IPAddress, failed: Bool) -> Bool {
        let (began, waiting) = state.withLock { state in
            let began = state.limiter.loginEnded(address, failed: failed, now: now())
            return (began, state.waiting.removeValue(forKey: address.limitKey) ?? [])
        }
        for continuation in waiting { continuation.resume() }
        return began
    }

    /// Waits until an attempt from the address ends.
    private func outcome(of address: IPAddress) async {
        await withCheckedContinuation { continuation in
            let mustWait = state.withLock { state in
                // The last one may have ended by now; then nobody would come to wake this one.
                guard state.limiter.hasAttempts(address) else { return false }
                state.waiting[address.limitKey, default: []].append(continuation)
                return true
            }
            if !mustWait { continuation.resume() }
        }
    }

    /// Attempts that wait for others, of all addresses.
    package var waitingLogins: Int { state.withLock { $0.waiting.values.reduce(0) { $0 + $1.count } } }

    // MARK: Accounts

    /// The accounts that have open connections.
    package var accounts: [String] { state.withLock { $0.sessions.accounts } }

    /// Tells all connections of an account that it may no longer be used.
    package func revoke(_ account: String) {
        let sessions = state.withLock { $0.sessions.revoke(account) }
        for session in sessions { session.revoke() }
    }

    private func enter(_ account: String, _ session: AccountSessions.Session, from address: IPAddress?) -> Bool {
        let time = now()
        return state.withLock { state in
            let maximum = state.limiter.settings.maximumPerAccount(session.service)
            guard state.sessions.enter(account, session, maximum: maximum) else { return false }
            if let address { state.limiter.loggedIn(address, now: time) }
            return true
        }
    }

    private func leave(_ account: String, _ id: ObjectIdentifier) {
        state.withLock { $0.sessions.leave(account, id) }
    }
}
