import Glibc

/// A plain exclusive lock on a dedicated file, such as the `.lock` of an account.
///
/// Each taker opens the file again, because flock(2) excludes open file descriptions, not threads; so threads of one
/// process exclude each other just as processes do. Taking the lock polls with growing pauses: nothing waits in the
/// kernel and no mutex is held. The lock ends with the value, on every path out of its scope.
///
/// Neither shared nor fair: mailboxes use a different lock. A holder that takes the same lock again waits for itself
/// until the deadline.
package struct LockFile: ~Copyable {
    private let system: SystemCalls
    private let descriptor: Int32

    /// Takes the lock, trying at least once.
    ///
    /// Creates the file if it is missing; it must never be renamed, replaced or removed afterwards.
    /// - Parameter deadline: monotonic nanoseconds.
    /// - Throws: `busy` if another taker held it until the deadline, `gone` if the directory or the file was removed,
    ///   else the error of the system call.
    package static func acquire(
        _ system: SystemCalls, in directory: Int32, _ name: String, until deadline: Int64
    ) throws(FileError) -> LockFile {
        let descriptor: Int32
        do {
            descriptor = try system.open(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK)
        } catch .notFound {
            // A removed directory that is still open takes no new names.
            throw FileError(.gone, "the directory of the lock \(name) was removed", errno: .notFound)
        } catch {
            throw FileError(error, to: "open the lock \(name)")
        }
        // From here on the descriptor is closed by deinit.
        let lock = LockFile(system: system, descriptor: descriptor)
        try lock.take(name, until: deadline)
        return lock
    }

    /// Takes the lock if it is free now; nil if it is held.
    package static func tryAcquire(
        _ system: SystemCalls, in directory: Int32, _ name: String
    ) throws(FileError) -> LockFile? {
        do {
            return try acquire(system, in: directory, name, until: 0)
        } catch {
            if error.code == .busy { return nil }
            throw error
        }
    }

    /// Runs `body` while holding the lock.
    /// - Parameter failure: converts the error of a lock that could not be taken.
    @inlinable
    package static func hold<R, E: Error>(
        _ system: SystemCalls, in directory: Int32, _ name: String, until deadline: Int64,
        failure: (FileError) -> E, _ body: () throws(E) -> R
    ) throws(E) -> R {
        let lock: LockFile
        do throws(FileError) {
            lock = try acquire(system, in: directory, name, until: deadline)
        } catch {
            throw failure(error)
        }
        do {
            let result = try body()
            lock.release()
            return result
        } catch {
            lock.release()
            throw error
        }
    }

    /// Releases the lock now rather than at the end of the scope.
    package consuming func release() {}

    deinit {
        // Explicitly unlocked, because a child process forked in the meantime may hold the same file description.
        system.unlock(descriptor)
        system.close(descriptor)
    }

    private func take(_ name: String, until deadline: Int64) throws(FileError) {
        var pauses = LockPauses(until: deadline)
        while true {
            let taken = try doing("lock \(name)") { () throws(Errno) in
                try system.tryLock(descriptor, exclusive: true)
            }
            if taken { break }
            guard pauses.pause() else { throw FileError(.busy, "\(name) is held by another writer") }
        }
        let status = try doing("stat the lock \(name)") { () throws(Errno) in try system.status(descriptor) }
        if status.links == 0 { throw FileError(.gone, "the lock \(name) was removed") }
    }
}
