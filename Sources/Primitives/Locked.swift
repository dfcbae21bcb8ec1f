package import Glibc

/// A value that only one thread at a time reaches: the one lock box of this package.
///
/// A pthread mutex, because ThreadSanitizer knows it and reports false races on `Synchronization.Mutex`. Never held
/// across a wait for another process or a peer, and never taken while another `Locked` is held.
package final class Locked<Value>: @unchecked Sendable {
    // Proof for @unchecked: `value` is reached only between lock and unlock of `mutex`, which lives at a fixed
    // address for as long as this object does.
    @usableFromInline var value: Value
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>

    package init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    @inlinable @inline(__always)
    package func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
