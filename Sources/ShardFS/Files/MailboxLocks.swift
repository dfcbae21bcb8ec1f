import DurableFiles
import Glibc
import Primitives

/// The lock of one mailbox across all processes and threads: flock(2) on `.gate` and on `.lock`.
///
/// To lock shared: gate exclusive, lock shared, release the gate. To lock exclusively: gate exclusive, lock exclusive,
/// release the gate. The gate keeps a stream of shared takers from starving an exclusive one. Each taker has separate
/// open file descriptions.
final class MailboxLocks: Sendable {
    static let gateName = ".gate"
    static let lockName = ".lock"
    private static let pooled = 4

    private struct Pair {
        let gate: Int32
        let lock: Int32
    }

    private let system: SystemCalls
    private let directory: Int32
    private let queue: LockQueue
    private let wait: Double
    private let pool = Locked<[Pair]>([])

    init(system: SystemCalls, directory: Int32, wait: Double, waiters: Int) {
        self.system = system
        self.directory = directory
        self.wait = wait
        queue = LockQueue(maximumWaiters: waiters)
    }

    deinit { closeAll() }

    func closeAll() {
        let pairs = pool.withLock { pairs in
            defer { pairs = [] }
            return pairs
        }
        for pair in pairs {
            system.close(pair.gate)
            system.close(pair.lock)
        }
    }

    /// A held lock; `release` ends it.
    struct Hold {
        fileprivate let gate: Int32
        fileprivate let lock: Int32
        let exclusive: Bool
    }

    /// Takes the lock.
    /// - Throws: `busy` after the configured wait, or immediately if too many are waiting already.
    func acquire(exclusive: Bool) throws(StoreError) -> Hold {
        let deadline = Waiting.isForbidden ? 0 : Clocks.monotonic() &+ Int64(max(0, min(wait, 3600)) * 1e9)
        do throws(StoreError) { return try acquire(exclusive: exclusive, until: deadline) } catch {
            Waiting.refuse()
            throw error
        }
    }

    private func acquire(exclusive: Bool, until deadline: Int64) throws(StoreError) -> Hold {
        switch queue.acquire(exclusive: exclusive, until: deadline) {
        case .granted: break
        case .timedOut: throw StoreError(.busy, "the mailbox is in use: another writer held it for \(wait) s")
        case .tooMany: throw StoreError(.busy, "the mailbox is in use: too many writers are waiting for it")
        }
        do throws(StoreError) {
            let pair = try takePair()
            do throws(StoreError) {
                try lockFile(pair.gate, exclusive: true, deadline)
                do {
                    try lockFile(pair.lock, exclusive: exclusive, deadline)
                } catch {
                    system.unlock(pair.gate)
                    throw error
                }
                system.unlock(pair.gate)
                return Hold(gate: pair.gate, lock: pair.lock, exclusive: exclusive)
            } catch {
                release(pair)
                throw error
            }
        } catch {
            queue.release(exclusive: exclusive)
            throw error
        }
    }

    func release(_ hold: Hold) {
        system.unlock(hold.lock)
        release(Pair(gate: hold.gate, lock: hold.lock))
        queue.release(exclusive: hold.exclusive)
    }

    /// Polls flock(2) until a deadline; the first tries are close together, because locks are held briefly.
    private func lockFile(_ fd: Int32, exclusive: Bool, _ deadline: Int64) throws(StoreError) {
        var pauses = LockPauses(until: deadline)
        while try !doing("lock the mailbox", { () throws(Errno) in try system.tryLock(fd, exclusive: exclusive) }) {
            guard pauses.pause() else {
                throw StoreError(.busy, "the mailbox is in use: another process held it for \(wait) s")
            }
        }
    }

    private func takePair() throws(StoreError) -> Pair {
        if let pair = pool.withLock({ $0.popLast() }) { return pair }
        let gate = try open(Self.gateName)
        do {
            return Pair(gate: gate, lock: try open(Self.lockName))
        } catch {
            system.close(gate)
            throw error
        }
    }

    private func open(_ name: String) throws(StoreError) -> Int32 {
        do { return try system.open(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW) } catch .notFound {
            // A removed directory that is still open takes no new names.
            throw StoreError(.gone, "the mailbox was deleted", errno: .notFound)
        } catch {
            throw StoreError.system(error, "open \(name)")
        }
    }

    private func release(_ pair: Pair) {
        let kept = pool.withLock { pairs in
            guard pairs.count < Self.pooled else { return false }
            pairs.append(pair)
            return true
        }
        if !kept {
            system.close(pair.gate)
            system.close(pair.lock)
        }
    }
}
