// Observers of changes to a mailbox.
import DurableFiles
import Primitives

extension Mailbox {
    struct Observers {
        var bodies: [UInt64: @Sendable () -> Void] = [:]
        /// The kernel's watch, held while there are observers; nil if the kernel grants none.
        var watch: DirectoryWatcher.Token?
    }

    /// Calls `body` after every change made or seen by this process, on the thread that saw it and without any lock. It
    /// must not block. The observation ends when the returned token is released.
    ///
    /// Changes by other processes are seen immediately while ``isWatched``; otherwise observers must call ``refresh()``
    /// periodically.
    public func observe(_ body: @escaping @Sendable () -> Void) -> Observation {
        let key = SystemCalls.random(UInt64.self)
        let observation = Observation { self.stopObserving(key) }
        let isFirst = observers.withLock { o in
            o.bodies[key] = body
            return o.watch == nil
        }
        // On a file system written by several machines, the kernel knows only its own writers.
        guard isFirst, options.shared != true else { return observation }
        let watch = DirectoryWatcher.shared.watch(system, directory, LogFile.fileName) { [weak self] in
            self?.readLogIfChanged()
        }
        observers.withLock { o in
            if o.watch == nil, !o.bodies.isEmpty { o.watch = watch }
        }
        // A change between the caller's last read and the watch would go unreported.
        readLogIfChanged()
        return observation
    }

    private func stopObserving(_ key: UInt64) {
        let watch = observers.withLock { o -> DirectoryWatcher.Token? in
            o.bodies[key] = nil
            guard o.bodies.isEmpty else { return nil }
            defer { o.watch = nil }
            return o.watch
        }
        // Ending the watch makes a system call, which must not happen under the lock.
        withExtendedLifetime(watch) {}
    }

    /// Whether observers are notified immediately of changes by other processes. False without observers, when the
    /// kernel's watches are exhausted, and for a store shared between machines.
    public var isWatched: Bool { observers.withLock { $0.watch }?.isLive ?? false }

    func notify() {
        let bodies = observers.withLock { Array($0.bodies.values) }
        for body in bodies { body() }
    }

    /// Called when the log was written or replaced, usually by this process, which has applied the record already.
    private func readLogIfChanged() {
        let (log, applied, path) = state.withLock { ($0.log, $0.view.applied, $0.logPath) }
        guard let status = try? system.status(context.root.descriptor, path), status.identity == log.identity else {
            // Deleted, renamed, compacted or recovered: left to observers, which can wait for a lock without holding up
            // others.
            return notify()
        }
        let records = LogFile.records(in: status.size)
        // A read error is left to the next reader.
        if records > applied { _ = try? catchUp(to: records) }
    }
}
