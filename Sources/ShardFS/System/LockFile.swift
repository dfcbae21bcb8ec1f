import Glibc
import Primitives

/// A plain exclusive lock on a file of its own: the account's `.lock`, a mailbox's `.status.lock`.
///
/// Each taker opens the file anew, because flock(2) excludes open file descriptions, not threads; so threads of one
/// process exclude each other as processes do. Nothing waits in the kernel and no mutex is held: taking polls, with
/// pauses that grow. The lock ends with the value, on every way out of its scope.
///
/// Not for mailboxes' own locks, which are shared too and must be fair. A holder that asks again for the same lock
/// waits for itself until the deadline.
struct LockFile: ~Copyable {
    private let system: System
    private let descriptor: Int32

    /// The first and the longest pause between two tries.
    static let shortestPause: Int64 = 20_000
    static let longestPause: Int64 = 1_000_000

    /// Takes the lock, trying at least once.
    ///
    /// The file is made when it is missing; it must never be renamed, replaced or removed afterwards.
    /// - Parameter deadline: monotonic nanoseconds.
    /// - Throws: `busy` when someone else held it until the deadline, `gone` when the directory or the file was
    ///   removed, else what the system said.
    static func acquire(
        _ system: System, in directory: Int32, _ name: String, until deadline: Int64
    ) throws(StoreError) -> LockFile {
        let descriptor: Int32
        do {
            descriptor = try system.open(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK)
        } catch .notFound {
            // A directory that was removed is still open to us and takes no new names.
            throw StoreError(.gone, "the directory of the lock \(name) was removed", errno: .notFound)
        } catch {
            throw StoreError.system(error, "open the lock \(name)")
        }
        // From here on the descriptor is closed by deinit.
        let lock = LockFile(system: system, descriptor: descriptor)
        try lock.take(name, until: deadline)
        return lock
    }

    /// Takes the lock if nobody holds it now; nil when somebody does.
    static func tryAcquire(
        _ system: System, in directory: Int32, _ name: String
    ) throws(StoreError) -> LockFile? {
        do {
            return try acquire(system, in: directory, name, until: 0)
        } catch {
            if error.code == .busy { return nil }
            throw error
        }
    }

    /// Runs `body` while holding the lock.
    static func hold<R>(
        _ system: System, in directory: Int32, _ name: String, until deadline: Int64,
        _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        let lock = try acquire(system, in: directory, name, until: deadline)
        do {
            let result = try body()
            lock.release()
            return result
        } catch {
            lock.release()
            throw error
        }
    }

    /// Gives the lock back now rather than at the end of the scope.
    consuming func release() {}

    deinit {
        // Unlocked by name too: a child process that was forked meanwhile may hold the same description.
        system.unlock(descriptor)
        system.close(descriptor)
    }

    private func take(_ name: String, until deadline: Int64) throws(StoreError) {
        var pauses = LockPauses(until: deadline)
        while true {
            let taken = try doing("lock \(name)") { () throws(Errno) in
                try system.tryLock(descriptor, exclusive: true)
            }
            if taken { break }
            guard pauses.pause() else { throw StoreError(.busy, "\(name) is held by another writer") }
        }
        let status = try doing("look at the lock \(name)") { () throws(Errno) in try system.status(descriptor) }
        if status.links == 0 { throw StoreError(.gone, "the lock \(name) was removed") }
    }
}

/// The pauses of a taker that polls: from 20 µs doubling to 1 ms, each shortened at random by up to a half, so that
/// takers that met once do not meet again and again.
struct LockPauses {
    private let deadline: Int64
    private var next = LockFile.shortestPause

    /// - Parameter deadline: monotonic nanoseconds.
    init(until deadline: Int64) { self.deadline = deadline }

    /// Pauses, never past the deadline; false, at once, when the deadline has passed.
    mutating func pause() -> Bool {
        let now = Clocks.monotonic()
        guard now < deadline else { return false }
        // The clock's low bits differ enough between takers; no system call for better ones.
        let jitter = Int64((UInt64(now) &* 0x9E37_79B9_7F4A_7C15) >> 32 % UInt64(next / 2))
        System.pause(nanoseconds: UInt64(min(next - jitter, deadline - now)))
        next = min(next * 2, LockFile.longestPause)
        return true
    }
}
