package import Glibc

/// A condition that threads of a `Monitor` wait on: a pthread condition variable on the monotonic clock.
package final class Condition: @unchecked Sendable {
    // Proof for @unchecked: condition variables are meant for many threads, and this one keeps its address for the
    // lifetime of this object.
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
    }

    /// Wakes one waiter; call it while holding the monitor.
    package func wakeOne() { pthread_cond_signal(condition) }

    /// Wakes all waiters; call it while holding the monitor.
    package func wakeAll() { pthread_cond_broadcast(condition) }

    /// Releases `mutex`, waits, and reacquires it; returns false once the deadline has passed. Spurious wakeups return
    /// true.
    @usableFromInline
    func wait(_ mutex: UnsafeMutablePointer<pthread_mutex_t>, until deadline: Int64) -> Bool {
        if deadline == .max {
            pthread_cond_wait(condition, mutex)
            return true
        }
        var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
    }
}
