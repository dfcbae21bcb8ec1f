public import DurableFiles
import Primitives

/// Short work done on the thread that asks for it, an event loop, in place of a turn on the ``BlockingPool``: the way
/// there and back takes longer than most commands.
///
/// **Only this type decides what is done inline.** The same body runs here or there, so that the outcome is the same.
/// Work qualifies by its ``Kind``, whose bounds its caller keeps; whether it has to wait for a disk or a lock is found out
/// by attempting it (``Waiting``). A change, which waits for the file system once it has begun, is attempted only while
/// the last ones were short.
public final class InlineWork: Sendable {
    public enum Kind: Sendable {
        /// Reads some messages, or looks at no more than 20,000 entries of a list.
        case reading
        /// Changes a few messages' flags.
        case change
    }

    private struct State {
        var done = 0
        var refused = 0
        /// No change is attempted before, monotonic nanoseconds.
        var slowUntil: Int64 = 0
    }

    /// The nanoseconds that a change may take; a longer one sends those of the next second to the pool.
    private static let longestChange: Int64 = 1_000_000
    private static let slowTime: Int64 = 1_000_000_000

    private let state = Locked(State())
    private let clock: @Sendable () -> Int64

    /// - Parameter clock: monotonic nanoseconds.
    package init(clock: @escaping @Sendable () -> Int64 = Clocks.monotonic) { self.clock = clock }

    /// Pieces of work done inline so far, and attempts that had to go to the pool.
    package var counts: (done: Int, refused: Int) { state.withLock { ($0.done, $0.refused) } }

    /// Runs `body` on this thread; nil if it has to go to the pool.
    @inlinable
    func attempt<Value, WorkError: Error>(
        _ kind: Kind, _ body: () throws(WorkError) -> Value
    ) -> Result<Value, WorkError>? {
        guard let start = begin(kind) else { return nil }
        let result = Waiting.attempt(body)
        end(kind, since: start, isDone: result != nil)
        return result
    }

    /// The time; nil if no work of this kind is attempted now.
    @usableFromInline func begin(_ kind: Kind) -> Int64? {
        guard kind == .change else { return 0 }
        let now = clock()
        return state.withLock { $0.slowUntil <= now } ? now : nil
    }

    @usableFromInline func end(_ kind: Kind, since start: Int64, isDone: Bool) {
        let now = kind == .change ? clock() : 0
        state.withLock { state in
            if isDone { state.done += 1 } else { state.refused += 1 }
            if now - start > Self.longestChange { state.slowUntil = now + Self.slowTime }
        }
    }
}
