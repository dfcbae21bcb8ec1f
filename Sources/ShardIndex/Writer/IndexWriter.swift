import Glibc
import Primitives

/// The process's single thread that writes to caches, and the bounded queue in front of it.
///
/// An LMDB write transaction belongs to the thread that began it. Reopening, closing and removing a cache may sync and
/// wait, which no caller should.
final class IndexWriter: Sendable {
    enum Job: Sendable {
        /// Changes of one cache that belong together.
        case change(AccountIndex, [Mutation])
        case run(@Sendable () -> Void)
    }

    private struct State {
        var jobs: [Job] = []
        /// Bytes of changes that wait or are being written.
        var bytes = 0
        /// Monotonic nanoseconds when the oldest change has waited long enough; nil if nothing is due.
        var due: Int64?
        var isStarted = false
        var isStopping = false
        var isStopped = false
    }

    private let maximumBytes: Int
    private let delay: Int64
    private let state = Monitor(State())

    init(maximumBytes: Int, delay: Double) {
        self.maximumBytes = max(0, maximumBytes)
        self.delay = Int64(max(0, min(delay, 60)) * 1e9)
    }

    /// Whether nothing is queued and no write is scheduled.
    var isIdle: Bool { state.withLock { $0.jobs.isEmpty && $0.due == nil } }

    /// Queues changes. Returns false if there is no room, or no thread any more.
    func add(_ account: AccountIndex, _ mutations: [Mutation]) -> Bool {
        state.change { s in
            guard enqueue(account, mutations, limit: maximumBytes, &s) == true else { return false }
            // A queue that is filling up is written at once.
            if s.bytes > maximumBytes / 2 { s.due = 0 }
            return true
        }
    }

    /// Queues changes as `add` does, but only once no more than `limit` bytes would wait; false if that takes longer
    /// than `seconds`. Must not be called on the writer thread.
    func add(_ account: AccountIndex, _ mutations: [Mutation], waitingBelow limit: Int, seconds: Double) -> Bool {
        let deadline = Clocks.monotonic() + Int64(seconds * 1e9)
        let isTaken = state.wait(until: deadline) { s in
            enqueue(account, mutations, limit: s.bytes == 0 ? .max : limit, &s)
        }
        // The caller does not wait for more changes to accumulate.
        if isTaken == true { state.change { s in if !s.jobs.isEmpty { s.due = 0 } } }
        return isTaken ?? false
    }

    /// Returns false if there is no thread any more, nil if there is no room now.
    private func enqueue(
        _ account: AccountIndex, _ mutations: [Mutation], limit: Int, _ s: inout State
    ) -> Bool? {
        guard !s.isStopping, start(&s) else { return false }
        let cost = mutations.reduce(0) { $0 + $1.cost }
        guard s.bytes + cost <= limit else { return nil }
        s.bytes += cost
        s.jobs.append(.change(account, mutations))
        if s.due == nil { s.due = Clocks.monotonic() + delay }
        return true
    }

    /// Runs `body` on the thread after everything queued before; false if there is no thread.
    @discardableResult
    func run(_ body: @escaping @Sendable () -> Void) -> Bool {
        state.change { s in
            guard !s.isStopping, start(&s) else { return false }
            s.jobs.append(.run(body))
            s.due = 0
            return true
        }
    }

    /// Runs `body` as `run` does and waits for it. Must not be called on the writer thread.
    func wait(_ body: @escaping @Sendable () -> Void) {
        let done = Monitor(false)
        guard
            run({
                body()
                done.change { $0 = true }
            })
        else { return }
        done.wait { $0 ? true : nil }
    }

    /// Writes queued changes, then ends the thread.
    func stop() {
        let isRunning = state.change { s in
            s.isStopping = true
            s.due = 0
            return s.isStarted
        }
        if isRunning { state.wait { $0.isStopped ? true : nil } }
    }

    // MARK: the thread

    private func start(_ s: inout State) -> Bool {
        if s.isStarted { return true }
        var thread = pthread_t()
        let box = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                Unmanaged<IndexWriter>.fromOpaque(raw).takeRetainedValue().work()
                return nil
            }, box.toOpaque())
        guard code == 0 else {
            box.release()
            return false
        }
        pthread_detach(thread)
        s.isStarted = true
        return true
    }

    private func work() {
        while let (jobs, bytes) = take() {
            // Changes of one account go together, in their order.
            var changes: [(account: AccountIndex, mutations: [[Mutation]])] = []
            var places: [ObjectIdentifier: Int] = [:]
            func write() {
                for change in changes { change.account.write(change.mutations) }
                changes = []
                places = [:]
            }
            for job in jobs {
                switch job {
                case .change(let account, let mutations):
                    if let place = places[ObjectIdentifier(account)] {
                        changes[place].mutations.append(mutations)
                    } else {
                        places[ObjectIdentifier(account)] = changes.count
                        changes.append((account, [mutations]))
                    }
                case .run(let body):
                    write()
                    body()
                }
            }
            write()
            state.change { $0.bytes -= bytes }
        }
        state.change { $0.isStopped = true }
    }

    private enum Next {
        case jobs([Job], bytes: Int)
        case ended
        case again
    }

    /// Waits for the jobs that are due; nil when the thread must end.
    private func take() -> (jobs: [Job], bytes: Int)? {
        while true {
            let due = state.withLock { $0.due }
            let next = state.wait(until: due ?? .max) { s -> Next? in
                if s.jobs.isEmpty { return s.isStopping ? .ended : nil }
                guard let now = s.due, now <= Clocks.monotonic() || s.isStopping else {
                    return s.due == due ? nil : .again
                }
                defer {
                    s.jobs = []
                    s.due = nil
                }
                // Jobs taken before are written by now: all counted bytes belong to the jobs taken here.
                return .jobs(s.jobs, bytes: s.bytes)
            }
            switch next {
            case .jobs(let jobs, let bytes): return (jobs, bytes)
            case .ended: return nil
            case .again, nil: continue
            }
        }
    }
}
