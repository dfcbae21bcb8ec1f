import Glibc

/// A mutex-protected value whose changes threads can wait for.
///
/// `change` wakes all threads waiting for the value. Where each waiter waits for something different, `wait(on:)` takes
/// a condition, and the change wakes the conditions that it affects.
package final class Monitor<Value>: Sendable {
    @usableFromInline let state: Locked<Value>
    @usableFromInline let changed = Condition()

    package init(_ value: Value) { state = Locked(value) }

    @inlinable @inline(__always)
    package func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        try state.withLock(body)
    }

    /// Runs `body` under the lock and wakes the waiters.
    @inlinable
    package func change<R>(_ body: (inout Value) -> R) -> R {
        state.withLock { value in
            defer { changed.wakeAll() }
            return body(&value)
        }
    }

    /// Waits until `body` returns a result, calling it again after each change.
    /// - Parameter condition: a condition used with this monitor alone; `body` is called again when it is woken,
    ///   instead of after each `change`.
    @inlinable @discardableResult
    package func wait<R>(on condition: Condition? = nil, _ body: (inout Value) -> R?) -> R {
        while true {
            if let result = wait(on: condition, until: .max, body) { return result }
        }
    }

    /// Like the other, but only until a deadline (monotonic nanoseconds): then calls `body` one last time.
    @inlinable @discardableResult
    package func wait<R>(
        on condition: Condition? = nil, until deadline: Int64, _ body: (inout Value) -> R?
    ) -> R? {
        pthread_mutex_lock(state.mutex)
        defer { pthread_mutex_unlock(state.mutex) }
        while true {
            if let result = body(&state.value) { return result }
            guard (condition ?? changed).wait(state.mutex, until: deadline) else { return body(&state.value) }
        }
    }
}
