import Glibc
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

    // MARK: turns

    /// Work that uses up turn after turn until it is told to end, or has done `turns`.
    private static func work(_ turns: Int = .max, _ each: @Sendable () -> Void = {}) throws(TurnEnded) {
        var done = 0
        while done < turns {
            each()
            try Turn.spend(2 * Turn.budget)
            done += 1
        }
    }

    private static func owner(_ account: String) -> WorkOwner {
        let owner = WorkOwner()
        owner.account = account
        return owner
    }

    @Test func longWorkLetsOthersHaveTurns() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 10)
        let isDone = Locked(false)
        let (started, signal) = AsyncStream<Void>.makeStream()
        let long = Task {
            try? await pool.run(for: Self.owner("a")) { () throws(TurnEnded) in
                signal.finish()
                while !isDone.withLock({ $0 }) { try Turn.spend(Turn.budget) }
            }
        }
        for await _ in started {}
        // The one thread is taken by work that ends only when this has run.
        try await pool.run(for: Self.owner("b")) { () throws(Oops) in isDone.withLock { $0 = true } }
        _ = await long.value
        await pool.shutdown()
    }

    @Test func accountsShareTheTurnsWhateverTheirConnections() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 100)
        let gate = Gate()
        let holder = await occupy(pool, until: gate)
        let order = Locked<[String]>([])
        var tasks: [Task<Void, Never>] = []
        for account in ["a", "a", "a", "a", "b"] {
            tasks.append(
                Task {
                    try? await pool.run(for: Self.owner(account)) { () throws(TurnEnded) in
                        try Self.work(5) { order.withLock { $0.append(account) } }
                    }
                })
            await waiters(tasks.count, of: pool)
        }
        gate.open()
        for task in tasks { await task.value }
        await holder.value
        let turns = order.withLock { $0 }
        #expect(turns.count == 25)
        // Each began with a short turn; from then on b has one for each of a's, although a has four connections.
        #expect(turns.dropFirst(5).prefix(8).count { $0 == "b" } == 4, "\(turns)")
        await pool.shutdown()
    }

    @Test func anAccountNeverHasMoreThanHalfWhileOthersWait() async throws {
        let pool = BlockingPool(threads: 4, maximumWaiting: 100)
        let running = Locked((now: 0, most: 0, others: 0))
        let gate = Gate()
        // Others hold all threads, so that all that follows waits.
        var holders: [Task<Void, Never>] = []
        for _ in 0..<4 { holders.append(await occupy(pool, until: gate)) }
        var tasks: [Task<Void, Never>] = []
        for place in 0..<40 {
            let account = place < 20 ? "a" : "b\(place)"
            tasks.append(
                Task {
                    try? await pool.run(for: Self.owner(account)) { () throws(TurnEnded) in
                        try Self.work(3) {
                            guard account == "a" else { return running.withLock { $0.others += 1 } }
                            running.withLock {
                                $0.now += 1
                                if $0.others < 20 { $0.most = max($0.most, $0.now) }
                            }
                            sched_yield()
                            running.withLock { $0.now -= 1 }
                        }
                    }
                })
            await waiters(tasks.count, of: pool)
        }
        gate.open()
        for task in tasks + holders { await task.value }
        #expect(running.withLock { $0.most } <= 2)
        await pool.shutdown()
    }

    @Test func longWorkLeavesAThreadToTheShort() async throws {
        let pool = BlockingPool(threads: 3, maximumWaiting: 100)
        let owners = (0..<8).map { Self.owner("a\($0)") }
        for owner in owners { try await pool.run(for: owner) { () throws(TurnEnded) in try Self.work(1) } }
        let gate = Gate()
        var holders: [Task<Void, Never>] = []
        for _ in 0..<3 { holders.append(await occupy(pool, until: gate)) }
        let running = Locked((now: 0, most: 0))
        var tasks: [Task<Void, Never>] = []
        for owner in owners {
            tasks.append(
                Task {
                    try? await pool.run(for: owner) { () throws(TurnEnded) in
                        try Self.work(5) {
                            running.withLock {
                                $0.now += 1
                                $0.most = max($0.most, $0.now)
                            }
                            sched_yield()
                            running.withLock { $0.now -= 1 }
                        }
                    }
                })
            await waiters(tasks.count, of: pool)
        }
        gate.open()
        for task in tasks + holders { await task.value }
        #expect(running.withLock { $0.most } <= 2)
        await pool.shutdown()
    }

    @Test(arguments: [true, false]) func workThatNobodyWantsEnds(isStopping: Bool) async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 10)
        let isConnected = Locked(true)
        let owner = WorkOwner { isConnected.withLock { $0 } }
        if isStopping { owner.stop() } else { isConnected.withLock { $0 = false } }
        // Short work is finished whatever happens.
        #expect(try await pool.run(for: owner) { () throws(Oops) in 7 } == 7)
        do throws(PoolError<TurnEnded>) {
            try await pool.run(for: owner) { () throws(TurnEnded) in try Self.work() }
            Issue.record("endless work ended by itself")
        } catch {
            switch error {
            case .closed: #expect(isStopping)
            case .cancelled: #expect(!isStopping)
            default: Issue.record("\(error)")
            }
        }
        await pool.shutdown()
        #expect(pool.work.total <= 2 * Turn.budget)
    }

    @Test func moreLongWorkThanMayRestEnds() async throws {
        let pool = BlockingPool(threads: 1, maximumWaiting: 100, maximumResting: 4)
        let gate = Gate()
        let holder = await occupy(pool, until: gate)
        var tasks: [Task<String, Never>] = []
        for place in 0..<12 {
            tasks.append(
                Task {
                    do throws(PoolError<TurnEnded>) {
                        try await pool.run(for: Self.owner("a\(place)")) { () throws(TurnEnded) in try Self.work(5) }
                        return "done"
                    } catch {
                        if case .overloaded = error { return "overloaded" }
                        return "\(error)"
                    }
                })
            await waiters(tasks.count, of: pool)
        }
        gate.open()
        var outcomes: [String: Int] = [:]
        for task in tasks { outcomes[await task.value, default: 0] += 1 }
        await holder.value
        #expect(outcomes["done", default: 0] >= 4 && outcomes["overloaded", default: 0] > 0, "\(outcomes)")
        #expect(outcomes.count == 2, "\(outcomes)")
        await pool.shutdown()
    }
}
