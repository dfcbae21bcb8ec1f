import Primitives

/// The connection that work is done for: turns are shared by account, then by connection, and work that nobody wants
/// any more ends.
public final class WorkOwner: Sendable {
    private struct State {
        var account: String?
        /// Work of the command under way, in the units of ``Turn``.
        var spent = 0
        var isStopping = false
    }

    private static let last = Locked<UInt64>(0)

    /// Of no other owner in this process.
    let connection: UInt64
    private let state = Locked(State())
    private let isConnected: @Sendable () -> Bool

    /// - Parameter isConnected: false when the client is gone. Called on any thread.
    package init(isConnected: @escaping @Sendable () -> Bool = { true }) {
        self.isConnected = isConnected
        connection = Self.last.withLock { last in
            last += 1
            return last
        }
    }

    /// The account that the connection has logged in to; nil before. One without an account has turns of its own.
    package var account: String? {
        get { state.withLock { $0.account } }
        set { state.withLock { $0.account = newValue } }
    }

    /// Begins a command, which is short until it turns out to be long.
    package func beginCommand() { state.withLock { $0.spent = 0 } }

    /// Ends long work at its next look: the server stops.
    package func stop() { state.withLock { $0.isStopping = true } }

    /// Whether the command under way has taken a whole turn already: short ones go first.
    var isLong: Bool { state.withLock { $0.spent >= Turn.budget } }

    func add(_ units: Int) { state.withLock { $0.spent = $0.spent.addingSaturated(units) } }

    /// Why the work is not wanted any more; nil while it is.
    var ending: TurnEnded? {
        if state.withLock({ $0.isStopping }) { return .stopping }
        return isConnected() ? nil : .abandoned
    }
}

/// Why work on the pool is to end before it is done.
@usableFromInline
package enum TurnEnded: Error, Sendable {
    /// The client is gone.
    case abandoned
    /// The server stops.
    case stopping
    /// More long work is under way than may be.
    case crowded
}

extension Int {
    /// The sum, or the largest number.
    func addingSaturated(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
