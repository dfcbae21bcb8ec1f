import DurableFiles
import Glibc
import Primitives
import Testing

@testable import ServerRuntime

/// Short work on the caller's thread.
@Suite struct InlineWorkTests {
    private enum Oops: Error { case failed }

    /// Whether the work was done on this thread.
    private func isDoneHere(
        _ pool: BlockingPool, _ kind: InlineWork.Kind?, _ body: @escaping @Sendable () -> Void = {}
    ) async throws -> Bool {
        let before = pool.inline?.counts.done
        try await pool.run(inline: kind) { () throws(Oops) in body() }
        return pool.inline?.counts.done != before
    }

    @Test func workThatNeedNotWait() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 10, inline: InlineWork())
        #expect(try await isDoneHere(pool, .reading))
        #expect(try await isDoneHere(pool, .change))
        #expect(try await !isDoneHere(pool, nil))
        let without = BlockingPool(threads: 1, maximumWaiting: 10)
        #expect(try await !isDoneHere(without, .reading))
        await pool.shutdown()
        await without.shutdown()
    }

    /// It runs a second time, where it may wait.
    @Test func workThatWouldWait() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 10, inline: InlineWork())
        let runs = Locked<[Bool]>([])
        let value = try await pool.run(inline: .reading) { () throws(Oops) in
            runs.withLock { $0.append(Waiting.isForbidden) }
            Waiting.refuse()
            return 7
        }
        #expect(value == 7 && runs.withLock { $0 } == [true, false])
        #expect(pool.inline?.counts.refused == 1)
        await pool.shutdown()
    }

    @Test func errorsAreTheWorks() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 10, inline: InlineWork())
        do throws(PoolError<Oops>) {
            try await pool.run(inline: .reading) { () throws(Oops) in throw .failed }
            Issue.record("no error")
        } catch {
            guard case .work(.failed) = error else {
                Issue.record("\(error)")
                return
            }
        }
        await pool.shutdown()
    }

    /// After a change of more than a millisecond, those of the next second have their turns on the pool.
    @Test func slowChangesGoToThePool() async throws {
        let time = Locked<Int64>(0)
        let pool = BlockingPool(
            threads: 1, maximumWaiting: 10, inline: InlineWork(clock: { time.withLock { $0 } }))
        #expect(try await isDoneHere(pool, .change) { time.withLock { $0 += 900_000 } })
        #expect(try await isDoneHere(pool, .change) { time.withLock { $0 += 2_000_000 } })
        #expect(try await !isDoneHere(pool, .change))
        #expect(try await isDoneHere(pool, .reading))
        time.withLock { $0 += 999_000_000 }
        #expect(try await !isDoneHere(pool, .change))
        time.withLock { $0 += 2_000_000 }
        #expect(try await isDoneHere(pool, .change))
        await pool.shutdown()
    }
}
