import Primitives

/// An observation of a mailbox or an account. It ends with this object, or earlier with ``cancel()``, and keeps the
/// observed object open until then. A callback already running at its end continues.
public final class Observation: Sendable {
    private let end: Locked<(@Sendable () -> Void)?>

    init(end: @escaping @Sendable () -> Void) { self.end = Locked(end) }

    deinit { cancel() }

    /// Ends the observation; a second call does nothing.
    public func cancel() {
        let end = end.withLock { end in
            defer { end = nil }
            return end
        }
        // Without the lock: it may make a system call, and release the observed object.
        end?()
    }
}
