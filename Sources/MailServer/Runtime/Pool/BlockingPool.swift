package import NIOCore
import Primitives

/// The reason why a pool returned no result.
public enum PoolError<WorkError: Error>: Error, CustomStringConvertible {
    /// The queue is full and nothing was done, or too much long work is under way.
    case overloaded
    /// The task was cancelled before its work began, or its client went away meanwhile.
    case cancelled
    /// The pool is shutting down and nothing was done, or the server stops.
    case closed
    /// The work's own error.
    case work(WorkError)

    public var description: String {
        switch self {
        case .overloaded: "the server is overloaded; try again later"
        case .cancelled: "cancelled"
        case .closed: "the server is shutting down"
        case .work(let error): "\(error)"
        }
    }
}

/// A fixed number of pieces of work that run at a time, for work that blocks or takes long, with a bounded queue in
/// front.
///
/// A caller suspends until its work is done, so what waits is bounded by the callers there are and by
/// `maximumWaiting`. Turns are taken by account, then by connection, short work in front of long (``TurnQueue``). One
/// account never gets more than half of the turns while others wait, and never all; long work leaves one to the short.
/// Work runs to its end, whatever happens to the task that asked for it, unless it counts itself with
/// ``Turn/spend(_:)``: then it lets others have turns in between, and ends when its owner does not want it any more.
/// While it waits for its next turn it keeps its thread, of which there are as many more as may wait so.
///
/// Public rather than `package`, so that ``run(for:isolation:_:)`` is specialized by the modules that call it.
public final class BlockingPool: Sendable {
    private struct Job: Sendable {
        let id: UInt64
        let owner: WorkOwner?
        let run: @Sendable (Turn) -> Void
        let abandon: @Sendable (Abandonment) -> Void
    }

    @usableFromInline enum Abandonment: Sendable { case overloaded, cancelled, closed }

    /// What waits for a turn.
    private enum Waiter: Sendable {
        case job(Job)
        /// Work that has begun.
        case resting(Resting)
    }

    /// Work that has begun and waits on its thread.
    private final class Resting: Sendable {
        let id: UInt64
        let called = Condition()
        init(id: UInt64) { self.id = id }
    }

    private typealias Account = TurnQueue<Waiter>.Account

    private struct State {
        var queue = TurnQueue<Waiter>()
        /// Jobs that have their turn and wait for a thread to run them.
        var ready = CircularBuffer<(job: Job, account: Account)>()
        /// Ids cancelled before they were queued.
        var cancelledEarly: Set<UInt64> = []
        var lastID: UInt64 = 0
        /// Turns that are taken, and which of them by long work.
        var running = 0
        var runningOf: [Account: Int] = [:]
        var long: Set<UInt64> = []
        /// Work that has begun and waits, and which of it has its turn.
        var resting = 0
        var restingOf: [Account: Int] = [:]
        var called: Set<UInt64> = []
        /// What was done so far, counted as ``Turn`` does.
        var work = (total: 0, largest: 0)
        var threads = 0
        var idleThreads = 0
        var isClosed = false
        var isEnded = false
        var drained: [CheckedContinuation<Void, Never>] = []
        var ended: [CheckedContinuation<Void, Never>] = []

        var isIdle: Bool { running == 0 && resting == 0 && queue.count == 0 }

        mutating func takeID() -> UInt64 {
            lastID &+= 1
            return lastID
        }
    }

    /// What is attempted on the caller's thread first; nil when everything has its turn here.
    @usableFromInline package let inline: InlineWork?
    private let size: Int
    private let maximumWaiting: Int
    private let maximumResting: Int
    private let state = Monitor(State())
    private let jobIsReady = Condition()

    /// Starts no thread before there is work; `shutdown` must be called before the last reference goes.
    /// - Parameters:
    ///   - threads: how many pieces of work run at a time; 1 at least.
    ///   - maximumWaiting: callers that may wait beside them; one more is refused.
    ///   - maximumResting: pieces of work that may wait for their next turn, each on a thread; an account has half of
    ///     them at the most, and work beyond ends.
    ///   - inline: attempts work on the caller's thread first.
    package init(threads: Int, maximumWaiting: Int, maximumResting: Int = 256, inline: InlineWork? = nil) {
        self.inline = inline
        size = max(1, threads)
        self.maximumWaiting = max(0, maximumWaiting)
        self.maximumResting = max(0, maximumResting)
    }

    /// Runs `body` on a pool thread when its turn comes, or at once on the caller's thread if it need not wait there.
    /// - Parameters:
    ///   - owner: the connection that it is for; work without one is of an owner of its own.
    ///   - kind: short work that may be attempted on the caller's thread; see ``InlineWork``.
    /// - Throws: `overloaded`, `closed`, `cancelled`, or `work` with the body's error.
    @inlinable
    public func run<Value: Sendable, WorkError: Error>(
        for owner: WorkOwner? = nil, inline kind: InlineWork.Kind? = nil,
        isolation: isolated (any Actor)? = #isolation,
        _ body: @escaping @Sendable () throws(WorkError) -> Value
    ) async throws(PoolError<WorkError>) -> Value {
        if let kind, let result = inline?.attempt(kind, body) {
            do { return try result.get() } catch { throw .work(error) }
        }
        let id = takeID()
        let result: Result<Value, PoolError<WorkError>> = await withTaskCancellationHandler {
            // Stays on the caller's executor, saving two thread switches.
            _ = isolation
            return await withCheckedContinuation { continuation in
                enqueue(id, for: owner) { turn in
                    let result = Result(catching: body)
                    switch (result, turn.ending) {
                    case (.success(let value), _): continuation.resume(returning: .success(value))
                    case (.failure(let error), nil): continuation.resume(returning: .failure(.work(error)))
                    case (.failure, .abandoned): continuation.resume(returning: .failure(.cancelled))
                    case (.failure, .stopping): continuation.resume(returning: .failure(.closed))
                    case (.failure, .crowded): continuation.resume(returning: .failure(.overloaded))
                    }
                } abandon: { reason in
                    switch reason {
                    case .overloaded: continuation.resume(returning: .failure(.overloaded))
                    case .cancelled: continuation.resume(returning: .failure(.cancelled))
                    case .closed: continuation.resume(returning: .failure(.closed))
                    }
                }
            }
        } onCancel: {
            cancel(id)
        }
        forget(id)
        return try result.get()
    }

    @usableFromInline func takeID() -> UInt64 { state.withLock { $0.takeID() } }

    /// Forgets a cancellation that came when the job had ended.
    @usableFromInline func forget(_ id: UInt64) { state.withLock { _ = $0.cancelledEarly.remove(id) } }

    @usableFromInline func enqueue(
        _ id: UInt64, for owner: WorkOwner?, run: @escaping @Sendable (Turn) -> Void,
        abandon: @escaping @Sendable (Abandonment) -> Void
    ) {
        enqueue(Job(id: id, owner: owner, run: run, abandon: abandon))
    }

    /// The number of callers waiting for a turn, and of jobs waiting for their next one.
    package var waiting: Int { state.withLock { $0.queue.count } }

    /// Work done so far, in the units of ``Turn``, and the most of one turn.
    package var work: (total: Int, largest: Int) { state.withLock { $0.work } }

    /// True once new work is refused.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Refuses new work, waits for accepted work to finish, and ends the threads.
    package func shutdown() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                state.isClosed = true
                if state.isIdle { return true }
                state.drained.append(continuation)
                return false
            }
            if isIdle { continuation.resume() }
        }
        await withCheckedContinuation { continuation in
            let isEnded = state.withLock { state in
                state.isEnded = true
                jobIsReady.wakeAll()
                if state.threads == 0 { return true }
                state.ended.append(continuation)
                return false
            }
            if isEnded { continuation.resume() }
        }
    }

    // MARK: Turns

    private func account(of job: Job) -> (account: Account, connection: UInt64) {
        // Ids of jobs and of connections are not the same numbers: the highest bit tells them apart.
        guard let owner = job.owner else { return (.connection(job.id | 1 << 63), job.id) }
        return (owner.account.map { .named($0) } ?? .connection(owner.connection), owner.connection)
    }

    private func enqueue(_ job: Job) {
        let (account, connection) = account(of: job)
        let place = TurnQueue<Waiter>.Place(
            account: account, connection: connection, isLong: job.owner?.isLong ?? false)
        let (refusal, starts): (Abandonment?, Int) = state.withLock { state in
            if state.cancelledEarly.remove(job.id) != nil { return (.cancelled, 0) }
            if state.isClosed { return (.closed, 0) }
            if !place.isLong, state.queue.count == 0, state.running < size,
                state.runningOf[account, default: 0] < max(1, size - 1)
            {
                // Nobody waits.
                begin(job, of: account, &state)
                return (nil, startsNeeded(&state))
            }
            state.queue.append(.job(job), id: job.id, at: place)
            let starts = giveTurns(&state)
            guard state.queue.count > maximumWaiting, state.queue.remove(job.id) != nil else { return (nil, starts) }
            return (.overloaded, starts)
        }
        startThreads(starts)
        if let refusal { job.abandon(refusal) }
    }

    /// Gives away the turns that are free.
    /// - Parameter spare: threads that come for the next job by themselves.
    /// - Returns: How many threads are to be started, which are counted already.
    private func giveTurns(_ state: inout State, spare: Int = 0) -> Int {
        let mostLong = max(1, size - 1)
        while state.running < size {
            let running = state.runningOf
            let next = state.queue.popFirst(long: state.long.count < mostLong) { account, hasOthers in
                running[account, default: 0] < max(1, hasOthers ? size / 2 : size - 1)
            }
            guard let next else { break }
            if next.isLong { state.long.insert(next.id) }
            switch next.element {
            case .job(let job): begin(job, of: next.account, &state)
            case .resting(let resting):
                takeTurn(of: next.account, &state)
                state.called.insert(resting.id)
                resting.called.wakeOne()
            }
        }
        return startsNeeded(&state, spare: spare)
    }

    private func takeTurn(of account: Account, _ state: inout State) {
        state.running += 1
        state.runningOf[account, default: 0] += 1
    }

    private func begin(_ job: Job, of account: Account, _ state: inout State) {
        takeTurn(of: account, &state)
        state.ready.append((job, account))
        jobIsReady.wakeOne()
    }

    /// The threads to be started for what is ready, which are counted as there from now on.
    private func startsNeeded(_ state: inout State, spare: Int = 0) -> Int {
        let starts = max(0, state.ready.count - state.idleThreads - spare)
        state.threads += starts
        return starts
    }

    private func endTurn(_ state: inout State, _ id: UInt64, _ account: Account) {
        state.running -= 1
        state.long.remove(id)
        let left = state.runningOf[account, default: 1] - 1
        state.runningOf[account] = left > 0 ? left : nil
    }

    @usableFromInline func cancel(_ id: UInt64) {
        let waiter: Waiter? = state.withLock { state in
            if let waiter = state.queue.remove(id) { return waiter }
            state.cancelledEarly.insert(id)
            return nil
        }
        if case .job(let job) = waiter { job.abandon(.cancelled) }
    }

    /// Lets others have their turns in the middle of a job, if somebody waits.
    /// - Parameter id: under which the job has its turn; that of its next turn afterwards.
    private func rest(_ id: inout UInt64, _ job: Job, of account: Account) throws(TurnEnded) {
        let connection = job.owner?.connection ?? job.id
        let (resting, starts): (Resting?, Int) = try state.withLock { state throws(TurnEnded) in
            guard state.queue.count > 0 else { return (nil, 0) }
            guard state.resting < maximumResting,
                state.restingOf[account, default: 0] < max(1, maximumResting / 2)
            else { throw .crowded }
            let resting = Resting(id: state.takeID())
            endTurn(&state, id, account)
            state.resting += 1
            state.restingOf[account, default: 0] += 1
            state.queue.append(
                .resting(resting), id: resting.id, at: .init(account: account, connection: connection, isLong: true))
            return (resting, giveTurns(&state))
        }
        guard let resting else { return }
        id = resting.id
        // Without another thread this one has to do the work that others should.
        if !startThreads(starts) {
            while let next = state.withLock({ $0.ready.popFirst() }) { run(next.job, of: next.account) }
        }
        state.wait(on: resting.called) { state in
            guard state.called.remove(resting.id) != nil else { return nil as Void? }
            state.resting -= 1
            let left = state.restingOf[account, default: 1] - 1
            state.restingOf[account] = left > 0 ? left : nil
            return ()
        }
    }

    // MARK: Threads

    /// Starts threads that are counted already; false when the system has none left.
    @discardableResult
    private func startThreads(_ count: Int) -> Bool {
        for place in 0..<count where !WorkerThread.start({ [self] in serve() }) {
            let orphans: [Job] = state.withLock { state in
                state.threads -= count - place
                // Those that there are take over.
                guard state.threads == 0 else { return [] }
                defer { state.ready = CircularBuffer() }
                for (job, account) in state.ready { endTurn(&state, job.id, account) }
                return state.ready.map(\.job)
            }
            for job in orphans { job.abandon(.overloaded) }
            return false
        }
        return true
    }

    /// Runs jobs on a thread of the pool for as long as it is needed.
    private func serve() {
        while let next = nextJob() { run(next.job, of: next.account) }
        let ended: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.threads -= 1
            guard state.isEnded, state.threads == 0 else { return [] }
            defer { state.ended = [] }
            return state.ended
        }
        for continuation in ended { continuation.resume() }
    }

    private func nextJob() -> (job: Job, account: Account)? {
        enum Decision { case run(Job, Account), end, wait }
        let first: Decision = state.withLock { state in
            if let next = state.ready.popFirst() { return .run(next.job, next.account) }
            // There were more threads than turns while work waited for its next one.
            if state.isEnded || state.idleThreads >= size { return .end }
            state.idleThreads += 1
            return .wait
        }
        switch first {
        case .run(let job, let account): return (job, account)
        case .end: return nil
        case .wait: break
        }
        let next: Decision = state.wait(on: jobIsReady) { state in
            let next = state.ready.popFirst()
            guard next != nil || state.isEnded else { return nil }
            state.idleThreads -= 1
            return next.map { .run($0.job, $0.account) } ?? .end
        }
        if case .run(let job, let account) = next { return (job, account) }
        return nil
    }

    private func run(_ job: Job, of account: Account) {
        // The turn is this thread's alone.
        var last = job.id
        let turn = Turn(owner: job.owner) { [self] () throws(TurnEnded) in try rest(&last, job, of: account) }
        turn.run(job.run)
        let work = turn.work
        let (starts, drained): (Int, [CheckedContinuation<Void, Never>]) = state.withLock { state in
            endTurn(&state, last, account)
            state.work = (state.work.total.addingSaturated(work.total), max(state.work.largest, work.largest))
            let starts = giveTurns(&state, spare: 1)
            guard state.isClosed, state.isIdle else { return (starts, []) }
            defer { state.drained = [] }
            return (starts, state.drained)
        }
        startThreads(starts)
        for continuation in drained { continuation.resume() }
    }
}

extension BlockingPool: ServerComponent {
    package func shutdown(grace: TimeAmount) async { await shutdown() }
}
