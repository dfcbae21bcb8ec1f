import Glibc

/// A value that only one thread at a time reaches: the engine's one lock type.
///
/// Never held across a wait for another process, and never taken while another `Locked` is held.
final class Locked<Value>: @unchecked Sendable {
    // Proof for @unchecked: `value` is reached only between lock and unlock of `mutex`, which lives at a fixed
    // address for as long as this object does.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    @inline(__always)
    func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Waits on `condition` (of this mutex) until it is signalled or the deadline passes; false on the deadline.
    fileprivate func wait(_ condition: UnsafeMutablePointer<pthread_cond_t>, until deadline: UInt64) -> Bool {
        var t = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        return pthread_cond_timedwait(condition, mutex, &t) == 0
    }
}

/// Readers and one writer among the threads of this process, first come first served.
///
/// Stands in front of the file locks of a mailbox, so that one thread at most of a process waits in the kernel.
final class LockQueue: Sendable {
    private final class Waiter {
        let exclusive: Bool
        var granted = false
        let condition: UnsafeMutablePointer<pthread_cond_t>
        init(exclusive: Bool) {
            self.exclusive = exclusive
            condition = .allocate(capacity: 1)
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            condition.initialize(to: pthread_cond_t())
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        }
        deinit {
            pthread_cond_destroy(condition)
            condition.deallocate()
        }
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
                pthread_cond_signal(first.condition)
            }
        }
    }

    enum Outcome { case granted, timedOut, tooMany }

    private let state = Locked(State())
    private let maximumWaiters: Int

    init(maximumWaiters: Int) { self.maximumWaiters = maximumWaiters }

    /// Waits at most until `deadline` (monotonic nanoseconds).
    func acquire(exclusive: Bool, until deadline: UInt64) -> Outcome {
        state.withLock { s in
            if s.waiters.isEmpty, s.admits(exclusive) {
                s.grant(exclusive)
                return .granted
            }
            if s.waiters.count >= maximumWaiters { return .tooMany }
            let waiter = Waiter(exclusive: exclusive)
            s.waiters.append(waiter)
            while !waiter.granted {
                if !state.wait(waiter.condition, until: deadline), !waiter.granted {
                    s.waiters.removeAll { $0 === waiter }
                    s.wake()
                    return .timedOut
                }
            }
            return .granted
        }
    }

    func release(exclusive: Bool) {
        state.withLock { s in
            if exclusive { s.exclusive = false } else { s.shared -= 1 }
            s.wake()
        }
    }
}
