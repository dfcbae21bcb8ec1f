package import NIOCore
import NIOPosix
import Primitives

/// The reason why a pool returned no result.
package enum PoolError<WorkError: Error>: Error, CustomStringConvertible {
    /// The queue is full; nothing was done.
    case overloaded
    /// The task was cancelled before its work began; nothing was done.
    case cancelled
    /// The pool is shutting down; nothing was done.
    case closed
    /// The work's own error.
    case work(WorkError)

    package var description: String {
        switch self {
        case .overloaded: "the server is overloaded; try again later"
        case .cancelled: "cancelled"
        case .closed: "the server is shutting down"
        case .work(let error): "\(error)"
        }
    }
}

/// A fixed number of threads for blocking work, fed by a bounded FIFO queue.
///
/// A caller suspends until its work is done, so the queue is bounded by the number of callers and by `maximumWaiting`.
/// Work that has begun runs to completion even if the calling task is cancelled.
package final class BlockingPool: Sendable {
    private struct Job: Sendable {
        let id: UInt64
        let run: @Sendable () -> Void
        let abandon: @Sendable (Abandonment) -> Void
    }

    private enum Abandonment: Sendable { case overloaded, cancelled, closed }

    private struct State {
        /// Waiting jobs; the ids of cancelled ones remain in `order` only.
        var jobs: [UInt64: Job] = [:]
        var order = CircularBuffer<UInt64>()
        /// Ids cancelled before they were queued.
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

    /// Starts the threads; call `shutdown` before the last reference is released.
    /// - Parameters:
    ///   - threads: the number of concurrent jobs, at least 1.
    ///   - maximumWaiting: the number of queued callers beyond those; further ones are refused.
    package init(threads: Int, maximumWaiting: Int) {
        size = max(1, threads)
        self.maximumWaiting = max(0, maximumWaiting)
        self.threads = NIOThreadPool(numberOfThreads: size)
        self.threads.start()
    }

    /// Runs `body` on a pool thread, in FIFO order.
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
            // Stays on the caller's executor, saving two thread switches.
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

    /// The number of callers waiting for a thread.
    package var waiting: Int { state.withLock { $0.jobs.count } }

    /// True once new work is refused.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Refuses new work, waits for accepted work to finish, and ends the threads.
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
        // Fails only for NIO's singleton pool, which cannot be stopped.
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

    /// Runs jobs on a pool thread until the queue is empty.
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
                // Compacts the queue, so that mass cancellation does not leave a long tail of ids.
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
