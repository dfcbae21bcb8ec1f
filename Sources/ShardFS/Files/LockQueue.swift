import Primitives

/// A first-come-first-served readers-writer lock among the threads of this process.
///
/// It precedes the file locks of a mailbox, so that waiting threads of one process do not compete for those.
final class LockQueue: Sendable {
    private final class Waiter {
        let exclusive: Bool
        var granted = false
        let condition = Condition()
        init(exclusive: Bool) { self.exclusive = exclusive }
    }

    private struct State {
        var shared = 0
        var exclusive = false
        var waiters: [Waiter] = []

        func admits(_ wantsExclusive: Bool) -> Bool { wantsExclusive ? shared == 0 && !exclusive : !exclusive }

        mutating func grant(_ wantsExclusive: Bool) {
            if wantsExclusive { exclusive = true } else { shared += 1 }
        }

        mutating func wake() {
            while let first = waiters.first, admits(first.exclusive) {
                grant(first.exclusive)
                first.granted = true
                waiters.removeFirst()
                first.condition.wakeOne()
            }
        }
    }

    enum Outcome { case granted, timedOut, tooMany }

    private enum Arrival {
        case decided(Outcome)
        case waits(Waiter)
    }

    private let state = Monitor(State())
    private let maximumWaiters: Int

    init(maximumWaiters: Int) { self.maximumWaiters = maximumWaiters }

    /// Takes the lock, waiting at most until `deadline` (monotonic nanoseconds).
    func acquire(exclusive: Bool, until deadline: Int64) -> Outcome {
        let arrival: Arrival = state.withLock { s in
            if s.waiters.isEmpty, s.admits(exclusive) {
                s.grant(exclusive)
                return .decided(.granted)
            }
            if s.waiters.count >= maximumWaiters { return .decided(.tooMany) }
            let waiter = Waiter(exclusive: exclusive)
            s.waiters.append(waiter)
            return .waits(waiter)
        }
        switch arrival {
        case .decided(let outcome): return outcome
        case .waits(let waiter): return wait(waiter, until: deadline)
        }
    }

    private func wait(_ waiter: Waiter, until deadline: Int64) -> Outcome {
        let granted: Void? = state.wait(on: waiter.condition, until: deadline) { _ in waiter.granted ? () : nil }
        if granted != nil { return .granted }
        return state.withLock { s in
            // Granted between the deadline and now.
            if waiter.granted { return .granted }
            s.waiters.removeAll { $0 === waiter }
            s.wake()
            return .timedOut
        }
    }

    func release(exclusive: Bool) {
        state.withLock { s in
            if exclusive { s.exclusive = false } else { s.shared -= 1 }
            s.wake()
        }
    }
}
