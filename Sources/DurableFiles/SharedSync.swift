import Primitives

/// Shares fsyncs of one descriptor among all callers: one runs at a time, and each covers every call made before it
/// began.
///
/// The kernel reports a failed write-back once per descriptor. With separate fsyncs, one caller would see the failure
/// and the next a success; here a failure is reported to every caller, from then on.
package final class SharedSync: Sendable {
    private struct State {
        /// The current or last round; calls made during it are served by the next.
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
    /// For even and odd rounds: the end of a round wakes all waiters of that round, and one waiter of the next to run
    /// it.
    private let even = Condition()
    private let odd = Condition()

    private func condition(_ round: UInt64) -> Condition { round.isMultiple(of: 2) ? even : odd }

    package init() {}

    /// Returns once an fsync that began after this call has succeeded.
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
