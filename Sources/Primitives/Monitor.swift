import Glibc

/// A value that only one thread at a time reaches, and on whose change threads can wait.
///
/// `change` wakes everybody who waits for the value. Where each waiter waits for something of its own, `wait(on:)`
/// takes a condition, and the change names those that it wakes.
package final class Monitor<Value>: Sendable {
    @usableFromInline let state: Locked<Value>
    @usableFromInline let changed = Condition()

    package init(_ value: Value) { state = Locked(value) }

    @inlinable @inline(__always)
    package func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        try state.withLock(body)
    }

    /// Runs `body` as `withLock` does, and wakes the waiters.
    @inlinable
    package func change<R>(_ body: (inout Value) -> R) -> R {
        state.withLock { value in
            defer { changed.wakeAll() }
            return body(&value)
        }
    }

    /// Waits until `body` answers, asking again after each change.
    /// - Parameter condition: asks again when this one is woken instead; of this monitor alone.
    @inlinable @discardableResult
    package func wait<R>(on condition: Condition? = nil, _ body: (inout Value) -> R?) -> R {
        while true {
            if let result = wait(on: condition, until: .max, body) { return result }
        }
    }

    /// As the other, until a deadline (monotonic nanoseconds), after which it asks for a last time.
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
