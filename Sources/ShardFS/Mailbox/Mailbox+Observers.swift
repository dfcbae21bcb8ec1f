// Who is told of changes.
import DurableFiles
import Primitives

extension Mailbox {
    struct Observers {
        var bodies: [UInt64: @Sendable () -> Void] = [:]
        /// While there is somebody to tell, and where the kernel tells.
        var watch: DirectoryWatcher.Token?
    }

    /// Calls `body` after every change this process makes or sees, on the thread that saw it and under no lock.
    /// It must not block. The observation ends with the token that it returns.
    ///
    /// Changes of other processes are seen at once while ``isWatched``; else whoever wants to know calls ``refresh()``
    /// now and then.
    public func observe(_ body: @escaping @Sendable () -> Void) -> Observation {
        let key = SystemCalls.random(UInt64.self)
        let observation = Observation { self.stopObserving(key) }
        let isFirst = observers.withLock { o in
            o.bodies[key] = body
            return o.watch == nil
        }
        // On a file system that several machines write to, the kernel knows of its own writers only.
        guard isFirst, options.shared != true else { return observation }
        let watch = DirectoryWatcher.shared.watch(system, directory, LogFile.fileName) { [weak self] in
            self?.readLogIfChanged()
        }
        observers.withLock { o in
            if o.watch == nil, !o.bodies.isEmpty { o.watch = watch }
        }
        // A change between the look that the caller had and the watch would go untold.
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
        // Its end is a call of the system, which is none to make under the lock.
        withExtendedLifetime(watch) {}
    }

    /// Whether observers are told of other processes' changes as they happen. False without observers, where the
    /// kernel's watches are used up, and for a store that is shared between machines.
    public var isWatched: Bool { observers.withLock { $0.watch }?.isLive ?? false }

    func notify() {
        let bodies = observers.withLock { Array($0.bodies.values) }
        for body in bodies { body() }
    }

    /// The log was written to or replaced, most often by this process, which has applied the record already.
    private func readLogIfChanged() {
        let (log, applied, path) = state.withLock { ($0.log, $0.view.applied, $0.logPath) }
        guard let status = try? system.status(context.directory, path), status.identity == log.identity else {
            // Deleted, renamed, compacted or recovered: observers find out, where a wait for a lock holds nobody up.
            return notify()
        }
        let records = LogFile.records(in: status.size)
        // What cannot be read now is met by the next who looks.
        if records > applied { _ = try? catchUp(to: records) }
    }
}
