package import Primitives
package import ServerConfiguration

/// The limits shared by all clients of the process: connections per service and per address, and rates per address.
///
/// Every connection is admitted here: its server requests a ticket and keeps it for the life of the connection.
package final class ConnectionLimits: UpdatableComponent {
    /// The reloadable limits.
    package struct Settings: Sendable, Equatable {
        /// Limits per client address.
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
        /// The service's `max_connections` is reached.
        case serviceFull
        case refused(RateLimitReason, retryAfter: Int64)
    }

    /// An admitted connection's share of the limits, released on deinit at the latest.
    package final class Ticket: Sendable {
        private let release: @Sendable () -> Void
        private let isOpen = Locked(true)

        fileprivate init(release: @escaping @Sendable () -> Void) { self.release = release }

        /// Releases the share; a second call does nothing.
        package func close() {
            let wasOpen = isOpen.withLock { isOpen in
                defer { isOpen = false }
                return isOpen
            }
            if wasOpen { release() }
        }

        deinit { close() }
    }

    private struct State {
        var limiter: RateLimiter
        var maximum: [LimitedService: Int]
        var open: [LimitedService: Int] = [:]
    }

    private let state: Locked<State>
    /// Monotonic nanoseconds.
    private let now: @Sendable () -> Int64

    package init(_ settings: Settings, now: @escaping @Sendable () -> Int64) {
        self.now = now
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

    /// Requests a ticket for a new connection.
    /// - Parameter address: nil for a client without one, which counts only towards the service's maximum.
    package func admit(_ address: IPAddress?, to service: LimitedService) -> Admission {
        let time = now()
        return state.withLock { state in
            let open = state.open[service, default: 0]
            if let maximum = state.maximum[service], open >= maximum { return .serviceFull }
            // An address that is exempt now may no longer be when the connection closes.
            let counted = address.flatMap { state.limiter.isExempt($0) ? nil : $0 }
            if let counted,
                case .refused(let reason, let wait) = state.limiter.connectionOpened(counted, to: service, now: time)
            {
                return .refused(reason, retryAfter: wait)
            }
            state.open[service] = open + 1
            return .admitted(Ticket { [self] in leave(counted, service) })
        }
    }

    package func messageStarted(_ address: IPAddress) -> RateLimitDecision {
        state.withLock { $0.limiter.messageStarted(address, now: now()) }
    }

    package func recipientAdded(_ address: IPAddress) -> RateLimitDecision {
        state.withLock { $0.limiter.recipientAdded(address, now: now()) }
    }

    package func mayAuthenticate(_ address: IPAddress) -> RateLimitDecision {
        state.withLock { $0.limiter.mayAuthenticate(address, now: now()) }
    }

    /// Counts a failed login.
    /// - Returns: True if this failure began a lockout.
    package func authenticationFailed(_ address: IPAddress) -> Bool {
        state.withLock { $0.limiter.authenticationFailed(address, now: now()) }
    }

    /// The number of open connections of a service.
    package func open(_ service: LimitedService) -> Int { state.withLock { $0.open[service, default: 0] } }

    private func leave(_ address: IPAddress?, _ service: LimitedService) {
        let time = now()
        state.withLock { state in
            state.open[service, default: 1] -= 1
            if let address { state.limiter.connectionClosed(address, to: service, now: time) }
        }
    }
}
