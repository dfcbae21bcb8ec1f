import CPosix

/// Whether the calling thread may wait for a disk or a lock.
///
/// An event loop must not. Work that probably needs neither is attempted there: ``SystemCalls`` asks the kernel for what
/// is in memory alone (`RESOLVE_CACHED`, `RWF_NOWAIT`), and refuses whatever may wait. An attempt with a single refusal
/// counts for nothing, even if the work went on after it; it is done again where it may wait.
public enum Waiting {
    /// Bytes read by one call on a thread that must not wait: more would keep others from their turns.
    package static let longestRead = 1 << 16

    /// States of a thread, kept by CPosix.
    @usableFromInline static let allowed: Int32 = 0
    @usableFromInline static let forbidden: Int32 = 1
    @usableFromInline static let refused: Int32 = 2

    package static var isForbidden: Bool { cposix_waiting() != allowed }

    /// Runs `body` on a thread that must not wait.
    ///
    /// Until it calls ``commit()``, `body` must change nothing that a second run could not change again.
    /// - Returns: nil if it would have had to wait.
    @inlinable
    public static func attempt<R, E: Error>(_ body: () throws(E) -> R) -> Result<R, E>? {
        set(forbidden)
        let result = Result(catching: body)
        let state = get()
        set(allowed)
        return state == refused ? nil : result
    }

    /// Notes that the work under way has to wait. Does nothing on a thread that may.
    package static func refuse() { if isForbidden { cposix_set_waiting(refused) } }

    /// Refuses to go on where the thread must not wait.
    package static func check() throws(Errno) {
        guard isForbidden else { return }
        refuse()
        throw .wouldBlock
    }

    /// Lets a short change that has all its locks happen on this thread: what follows may wait, and its outcome counts.
    /// - Throws: `wouldBlock` if something was refused before; nothing may be changed then.
    package static func commit() throws(Errno) {
        if cposix_waiting() == refused { throw .wouldBlock }
        cposix_set_waiting(allowed)
    }

    @usableFromInline static func get() -> Int32 { cposix_waiting() }
    @usableFromInline static func set(_ state: Int32) { cposix_set_waiting(state) }
}
