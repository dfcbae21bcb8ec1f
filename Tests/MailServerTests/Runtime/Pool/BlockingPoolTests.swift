import NIOConcurrencyHelpers
import Primitives
import Testing

@testable import ServerConfiguration
@testable import ServerRuntime

private struct Oops: Error, Equatable {}

/// Blocks a thread of a pool until it is opened.
private final class Gate: Sendable {
    private let lock = ConditionLock(value: false)
    func wait() {
        lock.lock(whenValue: true)
        lock.unlock()
    }
    func open() {
        lock.lock()
        lock.unlock(withValue: true)
    }
}

/// Occupies the pool's single thread; returns once the thread is held.
private func occupy(_ pool: BlockingPool, until gate: Gate) async -> Task<Void, Never> {
    let (started, signal) = AsyncStream<Void>.makeStream()
    let task = Task {
        try? await pool.run { () throws(Oops) in
            signal.finish()
            gate.wait()
        }
        return
    }
    for await _ in started {}
    return task
}

/// The reason why the pool refused the work; nil if it ran.
private func refusal(
    by pool: BlockingPool, _ body: @escaping @Sendable () throws(Oops) -> Void = {}
) async -> String? {
    do throws(PoolError<Oops>) {
        try await pool.run(body)
        return nil
    } catch {
        switch error {
        case .overloaded: return "overloaded"
        case .cancelled: return "cancelled"
        case .closed: return "closed"
        case .work: return "work"
        }
    }
}

/// Yields until `count` callers are waiting.
private func waiters(_ count: Int, of pool: BlockingPool) async {
    while pool.waiting != count { await Task.yield() }
}

@Suite struct BlockingPoolTests {
    @Test func valuesAndErrorsComeThrough() async throws {
        let pool = BlockingPool(threads: 2, maximumWaiting: 4)
        #expect(try await pool.run { () throws(Oops) in 42 } == 42)
        #expect(await refusal(by: pool) { () throws(Oops) in throw Oops() } == "work")
        await pool.shutdown()
    }

    @Test func workRunsInTheOrderItWasAskedFor() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 100)
        let gate = Gate()
        let holder = await occupy(pool, until: gate)
        let order = Locked<[Int]>([])
        var tasks: [Task<Void, Never>] = []
        for i in 0..<20 {
            tasks.append(
                Task { try? await pool.run { () throws(Oops) in order.withLock { $0.append(i) } } })
            await waiters(i + 1, of: pool)
        }
        gate.open()
        for task in tasks { await task.value }
        await holder.value
        #expect(order.withLock { $0 } == Array(0..<20))
        await pool.shutdown()
    }

    @Test func oneTooManyIsRefused() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 1)
        let gate = Gate()
        let holder = await occupy(pool, until: gate)
        let second = Task { try? await pool.run { () throws(Oops) in 2 } }
        await waiters(1, of: pool)
        #expect(await refusal(by: pool) == "overloaded")
        gate.open()
        #expect(await second.value == 2)
        await holder.value
        await pool.shutdown()
    }

    @Test func aCancelledCallerLeavesTheQueueAndItsWorkNeverRuns() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 10)
        let gate = Gate()
        let holder = await occupy(pool, until: gate)
        let ran = Locked(false)
        let waiting = Task { await refusal(by: pool) { ran.withLock { $0 = true } } }
        await waiters(1, of: pool)
        waiting.cancel()
        #expect(await waiting.value == "cancelled")
        #expect(pool.waiting == 0)
        gate.open()
        await holder.value
        await pool.shutdown()
        #expect(!ran.withLock { $0 })
    }

    @Test func aTaskCancelledBeforeItAsksIsRefused() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 10)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return await refusal(by: pool)
        }
        task.cancel()
        #expect(await task.value == "cancelled")
        await pool.shutdown()
    }

    @Test func shutdownFinishesWhatWasAccepted() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 10)
        let gate = Gate()
        let holder = await occupy(pool, until: gate)
        let accepted = Task { try? await pool.run { () throws(Oops) in 7 } }
        await waiters(1, of: pool)
        let ending = Task { await pool.shutdown() }
        while !pool.isClosed { await Task.yield() }
        #expect(await refusal(by: pool) == "closed")
        gate.open()
        await ending.value
        #expect(await accepted.value == 7)
        await holder.value
    }

    @Test func manyCallersShareFewThreads() async throws {
        let pool = BlockingPool(threads: 3, maximumWaiting: 10_000)
        let peak = Locked((now: 0, most: 0))
        let total = await withTaskGroup(of: Int.self) { group in
            for i in 0..<1000 {
                group.addTask {
                    let value = try? await pool.run { () throws(Oops) -> Int in
                        peak.withLock {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                        defer { peak.withLock { $0.now -= 1 } }
                        return i
                    }
                    return value ?? 0
                }
            }
            return await group.reduce(0, +)
        }
        #expect(total == 499_500)
        #expect(peak.withLock { $0.most } <= 3)
        await pool.shutdown()
    }
}
