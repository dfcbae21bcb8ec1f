import CPosix
import Primitives

/// A thread of a ``BlockingPool``, lent to one piece of work until that has done as much as ``budget``.
///
/// Work is counted, not timed: about one unit for each byte that is read and looked at, or for each comparison. Work
/// that comes in steps ends its step when the turn ``isOver``, and asks the pool for another. Whatever cannot end in the
/// middle calls ``spend(_:)`` often: at twice the budget it waits there while others have their turns. So it must hold
/// nothing that others wait for: no lock but its own session's, and no transaction.
///
/// It belongs to its thread, and so needs no lock.
@usableFromInline
package final class Turn {
    /// The turn that the calling thread works in; nil outside of a pool, where nothing is counted.
    package static var current: Turn? {
        cposix_work().map { Unmanaged<Turn>.fromOpaque($0).takeUnretainedValue() }
    }

    /// What one turn may cost: some 5 ms.
    package static let budget = 1 << 20
    /// Work that its owner hears of at once.
    private static let reported = 1 << 16

    private let owner: WorkOwner?
    /// Lets others have their turns, and returns when it is this one's again.
    private let rest: () throws(TurnEnded) -> Void
    /// Since the work began or was let on last.
    private var spent = 0
    /// Of which the owner has not heard.
    private var unreported = 0
    private var isUsedUp = false
    /// The work of all turns of this piece of work, and of the largest one.
    private(set) var work = (total: 0, largest: 0)
    /// Why it was told to end.
    @usableFromInline private(set) var ending: TurnEnded?

    init(owner: WorkOwner?, rest: @escaping () throws(TurnEnded) -> Void) {
        self.owner = owner
        self.rest = rest
    }

    /// Runs `body` in this turn.
    func run(_ body: (Turn) -> Void) {
        // A thread at rest may do the work of another turn.
        let before = cposix_work()
        cposix_set_work(Unmanaged.passUnretained(self).toOpaque())
        body(self)
        cposix_set_work(before)
        owner?.add(unreported)
    }

    /// Counts work of the calling thread's turn.
    /// - Throws: why the work is to end.
    package static func spend(_ units: Int) throws(TurnEnded) { try current?.spend(units) }

    /// Whether work that comes in steps should end its step.
    package static var isOver: Bool { current?.isUsedUp ?? false }

    func spend(_ units: Int) throws(TurnEnded) {
        let before = spent
        spent = before.addingSaturated(units)
        work = (work.total.addingSaturated(units), max(work.largest, spent))
        unreported = unreported.addingSaturated(units)
        if unreported >= Self.reported {
            owner?.add(unreported)
            unreported = 0
        }
        guard spent >= Self.budget else { return }
        isUsedUp = true
        let rests = spent >= 2 * Self.budget
        guard rests || before < Self.budget else { return }
        do throws(TurnEnded) {
            if let ending = owner?.ending { throw ending }
            guard rests else { return }
            spent = 0
            try rest()
            if let ending = owner?.ending { throw ending }
        } catch {
            ending = error
            throw error
        }
    }
}
