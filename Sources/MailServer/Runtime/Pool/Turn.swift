import Primitives

/// A thread of a ``BlockingPool``, lent to one piece of work until that has done as much as ``budget``.
///
/// Work is counted, not timed: about one unit for each byte that is read and looked at, or for each comparison. Work
/// that comes in steps ends its step when the turn ``isOver``, and asks the pool for another. Whatever cannot end in the
/// middle calls ``spend(_:)`` often: at twice the budget it waits there while others have their turns. So it must hold
/// nothing that others wait for: no lock but its own session's, and no transaction.
@usableFromInline
package final class Turn: Sendable {
    private struct State {
        /// Since the work began or was let on last.
        var spent = 0
        var largest = 0
        var total = 0
        var isOver = false
        var ending: TurnEnded?
    }

    /// The turn that the calling thread works in; nil outside of a pool, where nothing is counted.
    @TaskLocal package static var current: Turn?

    /// What one turn may cost: some 5 ms.
    package static let budget = 1 << 20

    private let owner: WorkOwner?
    private let state = Locked(State())
    /// Lets others have their turns, and returns when it is this one's again.
    private let rest: @Sendable () throws(TurnEnded) -> Void

    init(owner: WorkOwner?, rest: @escaping @Sendable () throws(TurnEnded) -> Void) {
        self.owner = owner
        self.rest = rest
    }

    /// Counts work of the calling thread's turn.
    /// - Throws: why the work is to end.
    package static func spend(_ units: Int) throws(TurnEnded) { try current?.spend(units) }

    /// Whether work that comes in steps should end its step.
    package static var isOver: Bool { current?.state.withLock { $0.isOver } ?? false }

    /// The work of all turns of this piece of work, and of the largest one.
    var work: (total: Int, largest: Int) { state.withLock { ($0.total, $0.largest) } }

    /// Why it was told to end.
    @usableFromInline var ending: TurnEnded? { state.withLock { $0.ending } }

    func spend(_ units: Int) throws(TurnEnded) {
        owner?.add(units)
        enum Decision { case goOn, look, rest }
        let decision: Decision = state.withLock { state in
            let before = state.spent
            state.spent = before.addingSaturated(units)
            state.largest = max(state.largest, state.spent)
            state.total = state.total.addingSaturated(units)
            guard state.spent >= Self.budget else { return .goOn }
            state.isOver = true
            guard state.spent >= 2 * Self.budget else { return before < Self.budget ? .look : .goOn }
            state.spent = 0
            return .rest
        }
        guard decision != .goOn else { return }
        do throws(TurnEnded) {
            if let ending = owner?.ending { throw ending }
            if decision == .rest {
                try rest()
                if let ending = owner?.ending { throw ending }
            }
        } catch {
            state.withLock { $0.ending = error }
            throw error
        }
    }
}
