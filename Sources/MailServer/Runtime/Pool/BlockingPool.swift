package import NIOCore
import NIOPosix
import Primitives

/// Why a pool gave no result.
package enum PoolError<WorkError: Error>: Error, CustomStringConvertible {
    /// As many callers as allowed wait already; nothing was done.
    case overloaded
    /// The task was cancelled before its work began; nothing was done.
    case cancelled
    /// The pool is shutting down; nothing was done.
    case closed
    /// The work's own error.
    case work(WorkError)

    package var description: String {
        switch self {
        case .overloaded: "too much work is waiting; try again later"
        case .cancelled: "cancelled"
        case .closed: "the server is shutting down"
        case .work(let error): "\(error)"
        }
    }
}

/// A fixed number of threads for work that blocks, with a bounded first-come-first-served queue in front.
///
/// A caller suspends until its work is done, so what waits is bounded by the callers there are and by
/// `maximumWaiting`. Work that has begun runs to its end, whatever happens to the task that asked for it.
package final class BlockingPool: Sendable {
    private struct Job: Sendable {
        let id: UInt64
        let run: @Sendable () -> Void
        let abandon: @Sendable (Abandonment) -> Void
    }

    private enum Abandonment: Sendable { case overloaded, cancelled, closed }

    private struct State {
        /// Waiting jobs; those cancelled meanwhile are in `order` only.
        var jobs: [UInt64: Job] = [:]
        var order = CircularBuffer<UInt64>()
        /// Cancelled before they came to the queue.
        var cancelledEarly: Set<UInt64> = []
        var nextID: UInt64 = 0
        var running = 0
        var isClosed = false
        var drained: [CheckedContinuation<Void, Never>] = []

        mutating func takeNext() -> Job? {
            while let id = order.popFirst() {
                if let job = jobs.removeValue(forKey: id) { return job }
            }
            return nil
        }
    }

    private let threads: NIOThreadPool
    private let size: Int
    private let maximumWaiting: Int
    private let state = Locked(State())

    /// Starts the threads; `shutdown` must be called before the last reference goes.
    /// - Parameters:
    ///   - threads: how many pieces of work run at a time; 1 at least.
    ///   - maximumWaiting: callers that may wait beside them; one more is refused.
    package init(threads: Int, maximumWaiting: Int) {
        size = max(1, threads)
        self.maximumWaiting = max(0, maximumWaiting)
        self.threads = NIOThreadPool(numberOfThreads: size)
        self.threads.start()
    }

    /// Runs `body` on one of the threads, after all work that was asked for before.
    /// - Throws: `overloaded`, `closed`, `cancelled`, or `work` with the body's error.
    package func run<Value: Sendable, WorkError: Error>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: @escaping @Sendable () throws(WorkError) -> Value
    ) async throws(PoolError<WorkError>) -> Value {
        let id = state.withLock { state in
            state.nextID &+= 1
            return state.nextID
        }
        let result: Result<Value, PoolError<WorkError>> = await withTaskCancellationHandler {
            // Stays on the caller's executor: another would cost two changes of threads.
            _ = isolation
            return await withCheckedContinuation { continuation in
                enqueue(
                    Job(
                        id: id,
                        run: {
                            do throws(WorkError) {
                                let value = try body()
                                continuation.resume(returning: .success(value))
                            } catch {
                                continuation.resume(returning: .failure(.work(error)))
                            }
                        },
                        abandon: { reason in
                            switch reason {
                            case .overloaded: continuation.resume(returning: .failure(.overloaded))
                            case .cancelled: continuation.resume(returning: .failure(.cancelled))
                            case .closed: continuation.resume(returning: .failure(.closed))
                            }
                        }))
            }
        } onCancel: {
            cancel(id)
        }
        state.withLock { _ = $0.cancelledEarly.remove(id) }
        return try result.get()
    }

    /// Callers that wait for a thread now.
    package var waiting: Int { state.withLock { $0.jobs.count } }

    /// Whether new work is refused.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Refuses new work, waits for all that was accepted, and ends the threads.
    package func shutdown() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                state.isClosed = true
                if state.running == 0 { return true }
                state.drained.append(continuation)
                return false
            }
            if isIdle { continuation.resume() }
        }
        // Fails only for a pool that cannot be stopped, which this is not.
        try? await threads.shutdownGracefully()
    }

    private func enqueue(_ job: Job) {
        enum Decision {
            case abandon(Abandonment)
            case wait, start
        }
        let decision: Decision = state.withLock { state in
            if state.cancelledEarly.remove(job.id) != nil { return .abandon(.cancelled) }
            if state.isClosed { return .abandon(.closed) }
            if state.running == size, state.jobs.count >= maximumWaiting { return .abandon(.overloaded) }
            state.jobs[job.id] = job
            state.order.append(job.id)
            if state.running == size { return .wait }
            state.running += 1
            return .start
        }
        switch decision {
        case .abandon(let reason): job.abandon(reason)
        case .wait: break
        case .start: threads.submit { [self] _ in drain() }
        }
    }

    /// Runs on a thread of the pool until nothing waits.
    private func drain() {
        while true {
            let (job, drained): (Job?, [CheckedContinuation<Void, Never>]) = state.withLock { state in
                if let job = state.takeNext() { return (job, []) }
                state.running -= 1
                guard state.isClosed, state.running == 0 else { return (nil, []) }
                defer { state.drained = [] }
                return (nil, state.drained)
            }
            guard let job else {
                for continuation in drained { continuation.resume() }
                return
            }
            job.run()
        }
    }

    private func cancel(_ id: UInt64) {
        let job: Job? = state.withLock { state in
            if let job = state.jobs.removeValue(forKey: id) {
                // Mass cancellation must not leave a long tail of names behind.
                if state.order.count > 2 * state.jobs.count + 64 {
                    state.order.removeAll { state.jobs[$0] == nil }
                }
                return job
            }
            state.cancelledEarly.insert(id)
            return nil
        }
        job?.abandon(.cancelled)
    }
}

extension BlockingPool: ServerComponent {
    package func shutdown(grace: TimeAmount) async { await shutdown() }
}
