package import Primitives
package import ServerConfiguration

/// The limits that all clients of the process share: connections per service and per address, and rates per address.
///
/// A connection is admitted here alone: its server asks for a ticket and keeps it for as long as the connection lives.
package final class ConnectionLimits: UpdatableComponent {
    /// The limits in force; a reload replaces them.
    package struct Settings: Sendable, Equatable {
        /// Limits per client address.
        package var rates: RateLimitSettings
        /// Connections at a time; a service without an entry has no maximum.
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
        /// Keep the ticket for as long as the connection lives.
        case admitted(Ticket)
        /// `max_connections` of the service is reached.
        case serviceFull
        case refused(RateLimitReason, retryAfter: Int64)
    }

    /// An admitted connection's share of the limits, released with the ticket at the latest.
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

    /// Replaces the settings; connections that are open stay and count.
    package func update(_ settings: Settings) {
        state.withLock { state in
            state.limiter.settings = settings.rates
            state.maximum = settings.maximumConnections
        }
    }

    /// Asks for a ticket for a new connection.
    /// - Parameter address: nil, for a client without one, takes part in the service's maximum alone.
    package func admit(_ address: IPAddress?, to service: LimitedService) -> Admission {
        let time = now()
        return state.withLock { state in
            let open = state.open[service, default: 0]
            if let maximum = state.maximum[service], open >= maximum { return .serviceFull }
            // An address that is exempt now may not be when the connection ends.
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

    /// - Returns: True when this failure began a lockout.
    package func authenticationFailed(_ address: IPAddress) -> Bool {
        state.withLock { $0.limiter.authenticationFailed(address, now: now()) }
    }

    /// Connections open now.
    package func open(_ service: LimitedService) -> Int { state.withLock { $0.open[service, default: 0] } }

    private func leave(_ address: IPAddress?, _ service: LimitedService) {
        let time = now()
        state.withLock { state in
            state.open[service, default: 1] -= 1
            if let address { state.limiter.connectionClosed(address, to: service, now: time) }
        }
    }
}
