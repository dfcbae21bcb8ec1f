import Glibc
import Primitives

/// The read cache of one account. Every method may be called from any thread. None throws, and none waits for the disk
/// except to read.
///
/// A cache with any fault looks like an empty one.
public final class AccountIndex: Sendable {
    enum Phase {
        case closed
        case open(LMDBEnvironment)
        /// The writer thread is closing or removing the environment.
        case closing
        case disabled(String)
    }

    struct State {
        var phase = Phase.closed
        /// Calls that are using the open environment.
        var users = 0
        /// Monotonic nanoseconds before which no reader tries to open the cache again.
        var notBefore: Int64 = 0
        var lastUsed: Int64 = 0
        var statistics = IndexStatistics()
        /// The number of times the cache was found damaged (not full).
        var wrong = 0
    }

    /// How often a damaged cache is recreated before it stays off until the next start.
    private static let maximumWrong = 3
    /// Nanoseconds to wait after an attempt that found nothing to open.
    private static let pause: Int64 = 200_000_000

    let core: IndexCore
    let files: IndexFiles
    let owner: StateRecord.Owner
    let state = Monitor(State())
    /// Queued summaries that are not yet written, by key; they are found as if they were. Bounded by the queue's limit.
    let waiting = Monitor<[[UInt8]: [UInt8]]>([:])

    init(core: IndexCore, files: IndexFiles, owner: StateRecord.Owner) {
        self.core = core
        self.files = files
        self.owner = owner
    }

    // MARK: using the environment

    enum Used<R> {
        case result(R)
        case unavailable
    }

    /// Runs `body` with the environment, opening it if necessary; nil if it is unavailable.
    func use<R>(create: Bool, _ body: (LMDBEnvironment) -> (R, LMDBEnvironment.Outcome)) -> (
        R, LMDBEnvironment.Outcome
    )? {
        guard let environment = enter(create: create) else { return nil }
        let (result, outcome) = body(environment)
        leave(outcome)
        return (result, outcome)
    }

    private func enter(create: Bool) -> LMDBEnvironment? {
        let now = Clocks.monotonic()
        let (environment, isNew) = state.withLock { s -> (LMDBEnvironment?, Bool) in
            s.lastUsed = now
            switch s.phase {
            case .open(let environment):
                s.users += 1
                return (environment, false)
            case .closing, .disabled: return (nil, false)
            case .closed:
                guard create || now >= s.notBefore else { return (nil, false) }
                s.notBefore = now + Self.pause
                switch LMDBEnvironment.open(
                    files, owner: owner, boot: core.boot, mapBytes: core.mapBytes, create: create)
                {
                case .open(let environment):
                    s.phase = .open(environment)
                    s.users += 1
                    return (environment, true)
                case .absent, .busy: return (nil, false)
                case .unusable(let reason):
                    noteWrong(&s, reason)
                    return (nil, false)
                }
            }
        }
        if isNew { core.opened(self) }
        return environment
    }

    private func leave(_ outcome: LMDBEnvironment.Outcome) {
        let discard: (remove: Bool, clean: Bool)? = state.change { s in
            s.users -= 1
            guard case .open = s.phase else { return nil }
            switch outcome {
            case .good, .later: return nil
            case .reopen: return (false, false)
            case .full:
                s.statistics.recreated += 1
                core.log("the read cache of \(owner.account) is full and starts over")
                return (true, false)
            case .wrong(let reason):
                noteWrong(&s, reason)
                return (true, false)
            }
        }
        if let discard { retire(remove: discard.remove, clean: discard.clean) }
    }

    private func noteWrong(_ s: inout State, _ reason: String) {
        s.statistics.recreated += 1
        s.wrong += 1
        if s.wrong >= Self.maximumWrong, case .closed = s.phase { s.phase = .disabled(reason) }
        let off = s.wrong >= Self.maximumWrong ? "stays off" : "starts over"
        core.log("the read cache of \(owner.account) \(off): \(reason)")
    }

    // MARK: closing

    /// Has the writer thread close the environment once no call uses it.
    func retire(remove: Bool, clean: Bool) {
        let environment = state.withLock { s -> LMDBEnvironment? in
            guard case .open(let environment) = s.phase else { return nil }
            s.phase = .closing
            return environment
        }
        guard let environment else { return }
        if !core.writer.run({ self.end(environment, remove: remove, clean: clean) }) {
            // There is no writer thread any more, so this thread does it.
            end(environment, remove: remove, clean: clean)
        }
    }

    /// Closes the environment. Runs on the writer thread.
    private func end(_ environment: LMDBEnvironment, remove: Bool, clean: Bool) {
        _ = state.wait { $0.users == 0 ? true : nil }
        core.closed(self)
        environment.close(clean: clean && !remove)
        if remove { files.remove() }
        state.change { s in
            s.phase = s.wrong >= Self.maximumWrong ? .disabled("it was found corrupt repeatedly") : .closed
            s.notBefore = 0
        }
    }

    /// Closes the environment if no call is using it.
    func closeIdle() {
        if state.withLock({ $0.users == 0 }) { retire(remove: false, clean: true) }
    }

    /// Writes queued changes and closes the cache cleanly. It can still be used afterwards.
    public func close() {
        core.writer.wait {}
        retire(remove: false, clean: true)
        core.writer.wait {}
    }

    /// Removes the cache with all its contents. It can still be used afterwards.
    public func drop() {
        core.writer.wait {}
        let isOpen = state.withLock { s in
            if case .open = s.phase { return true }
            return false
        }
        if isOpen {
            retire(remove: true, clean: false)
            core.writer.wait {}
        } else {
            files.remove()
        }
    }

    /// Waits until everything put before is written.
    public func flush() { core.writer.wait {} }

    /// Contents and counters of the cache.
    public var statistics: IndexStatistics {
        var result = state.withLock { s in
            if case .disabled(let reason) = s.phase { s.statistics.disabled = reason }
            return s.statistics
        }
        if let (now, _) = use(create: false, { (($0.entries(), $0.bytes), .good) }) {
            result.entries = now.0
            result.bytes = now.1
        }
        return result
    }
}
