package import Glibc

/// Threads of a `Monitor` that wait to be woken (a pthread condition variable on the monotonic clock).
package final class Condition: @unchecked Sendable {
    // Proof for @unchecked: the condition variable is made for use by many threads, and lives at a fixed address for as
    // long as this object does.
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

    /// Releases `mutex`, waits, and takes it again; false once the deadline has passed. Can return true unwoken.
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
