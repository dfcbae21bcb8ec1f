import Primitives

/// fsync of one descriptor on behalf of all who ask: one at a time, and each covers everybody who asked before it began.
///
/// The kernel tells a failed write-back once per descriptor. Apart, one caller would learn of it and the next would be
/// told that all is well; here a failure is everybody's, and for good.
package final class SharedSync: Sendable {
    private struct State {
        /// The round that runs or ran last; who asks meanwhile is served by the next.
        var round: UInt64 = 0
        var covered: UInt64 = 0
        var isRunning = false
        var failure: Errno?
    }

    private enum Turn {
        case run, covered
        case failed(Errno)
    }

    private let state = Monitor(State())
    /// For rounds of even and of odd number: those whose round has ended are woken together, of the others one.
    private let even = Condition()
    private let odd = Condition()

    private func condition(_ round: UInt64) -> Condition { round.isMultiple(of: 2) ? even : odd }

    package init() {}

    /// Returns when an fsync that began after this call has succeeded.
    package func sync(_ system: SystemCalls, _ descriptor: Int32) throws(Errno) {
        let mine = state.withLock { $0.round + 1 }
        let turn: Turn = state.wait(on: condition(mine)) { s in
            if s.covered >= mine { return .covered }
            if let failure = s.failure { return .failed(failure) }
            if s.isRunning { return nil }
            s.isRunning = true
            s.round = mine
            return .run
        }
        switch turn {
        case .covered: return
        case .failed(let failure): throw failure
        case .run: break
        }
        do throws(Errno) {
            try system.sync(descriptor)
        } catch {
            state.withLock { s in
                s.isRunning = false
                s.failure = error
                even.wakeAll()
                odd.wakeAll()
            }
            throw error
        }
        state.withLock { s in
            s.isRunning = false
            s.covered = mine
            condition(mine).wakeAll()
            condition(mine + 1).wakeOne()
        }
    }
}
