public import Glibc

/// A mutex-protected value: the package's one lock type.
///
/// It is a pthread mutex because ThreadSanitizer understands those and reports false races on `Synchronization.Mutex`.
/// Never held while waiting for another process or a peer, and never acquired while another `Locked` is held.
///
/// Public rather than `package`: the compiler keeps no body of a `package` declaration for other modules, even of an
/// inlinable one, and each use would call an unspecialized function.
public final class Locked<Value>: @unchecked Sendable {
    // Proof for @unchecked: `value` is accessed only between lock and unlock of `mutex`, which keeps its address for
    // the lifetime of this object.
    @usableFromInline var value: Value
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>

    public init(_ value: Value) {
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
    public func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Whether no other thread holds the lock just now.
    @inlinable
    public var isFree: Bool {
        guard pthread_mutex_trylock(mutex) == 0 else { return false }
        pthread_mutex_unlock(mutex)
        return true
    }
}
