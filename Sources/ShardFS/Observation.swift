import Primitives

/// An observation of a mailbox or an account. It ends with this object, or before with ``cancel()``, and keeps what it
/// observes open until then. A call of the observer that is under way when it ends goes on.
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
        // Under no lock: it may be a system call, and let go of what is observed.
        end?()
    }
}
