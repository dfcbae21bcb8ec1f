import Glibc
import Primitives

/// Reports writes, replacements and removals of a file in a directory, by any process: inotify(7).
///
/// One descriptor and one thread serve the process for as long as anything is watched. If the kernel refuses a watch
/// (`fs.inotify.max_user_watches`, `max_user_instances`), callers get none and poll instead.
package final class DirectoryWatcher: Sendable {
    package static let shared = DirectoryWatcher()

    package typealias Body = @Sendable () -> Void

    private struct Watch {
        var file: [UInt8]
        var body: Body
    }

    private struct State {
        var descriptor: Int32?
        /// Keyed by the kernel's watch number of a directory, which all watchers of the directory share, then by token.
        var watches: [Int32: [UInt64: Watch]] = [:]
        var lastKey: UInt64 = 0
    }

    /// A watch, which ends when this object is released.
    package final class Token: Sendable {
        fileprivate let watcher: DirectoryWatcher
        fileprivate let watch: Int32
        fileprivate let key: UInt64

        fileprivate init(_ watcher: DirectoryWatcher, _ watch: Int32, _ key: UInt64) {
            self.watcher = watcher
            self.watch = watch
            self.key = key
        }

        deinit { watcher.end(watch, key) }

        /// False once the directory is gone or the kernel has stopped reporting.
        package var isLive: Bool { watcher.state.withLock { $0.watches[watch]?[key] != nil } }
    }

    /// Writes, names added, removed or replaced, and the removal or move of the directory itself.
    private static let events = UInt32(
        IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
    /// The pause between two reads in nanoseconds, so that a flood of writes causes a bounded number of calls; the
    /// kernel merges equal events.
    private static let gap: UInt64 = 500_000
    private static let bufferSize = 16_384

    private let state = Locked(State())
    private let system = SystemCalls()

    private init() {}

    /// Calls `body` after each change of `file` in an open directory, on the watcher's thread: it must not block.
    /// Returns nil if no watch is available.
    package func watch(_ caller: SystemCalls, _ directory: Int32, _ file: String, _ body: @escaping Body) -> Token? {
        state.withLock { s in
            guard let descriptor = s.descriptor ?? (try? system.openWatcher()) else { return nil }
            guard let watch = try? caller.watch(descriptor, directory, Self.events), isServed(descriptor, &s) else {
                if s.descriptor == nil { system.close(descriptor) }
                return nil
            }
            s.lastKey += 1
            s.watches[watch, default: [:]][s.lastKey] = Watch(file: Array(file.utf8), body: body)
            return Token(self, watch, s.lastKey)
        }
    }

    /// Makes sure that a thread reads the descriptor's events, starting one for a new descriptor; false if it cannot
    /// start.
    private func isServed(_ descriptor: Int32, _ s: inout State) -> Bool {
        if s.descriptor != nil { return true }
        do {
            try SystemCalls.startThread { _ in
                DirectoryWatcher.shared.run()
                return nil
            }
            s.descriptor = descriptor
            return true
        } catch {
            return false
        }
    }

    private func end(_ watch: Int32, _ key: UInt64) {
        state.withLock { s in
            guard s.watches[watch]?.removeValue(forKey: key) != nil, s.watches[watch]?.isEmpty == true else { return }
            s.watches[watch] = nil
            // The kernel reports the removal (IN_IGNORED), which wakes the thread.
            if let descriptor = s.descriptor { system.unwatch(descriptor, watch) }
        }
    }

    // MARK: the thread

    private func run() {
        guard let descriptor = state.withLock({ $0.descriptor }) else { return }
        withUnsafeTemporaryAllocation(byteCount: Self.bufferSize, alignment: 8) { buffer in
            while true {
                let count = (try? system.readEvents(descriptor, buffer)) ?? 0
                let (bodies, isOver) = state.withLock { s in
                    let bodies = Self.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]), &s)
                    if count == 0 { s.watches = [:] }
                    if s.watches.isEmpty { s.descriptor = nil }
                    return (bodies, s.watches.isEmpty)
                }
                if isOver { system.close(descriptor) }
                for body in bodies { body() }
                if isOver { return }
                SystemCalls.pause(nanoseconds: Self.gap)
            }
        }
    }

    /// The bodies to call for a batch of events, each once.
    private static func take(_ events: UnsafeRawBufferPointer, _ s: inout State) -> [Body] {
        var found: [UInt64: Body] = [:]
        var rest = events
        let head = MemoryLayout<inotify_event>.size
        while rest.count >= head {
            let event = rest.loadUnaligned(as: inotify_event.self)
            let end = min(rest.count, head + Int(event.len))
            let name = rest[head..<end].prefix { $0 != 0 }
            rest = UnsafeRawBufferPointer(rebasing: rest[end...])
            if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
                // Events were lost, possibly for any watch: call them all.
                for watches in s.watches.values { found.merge(watches.mapValues(\.body)) { $1 } }
                continue
            }
            for (key, watch) in s.watches[event.wd] ?? [:] where name.isEmpty || name.elementsEqual(watch.file) {
                found[key] = watch.body
            }
            // The directory is gone, and its watch number with it.
            if event.mask & UInt32(IN_IGNORED) != 0 { s.watches[event.wd] = nil }
        }
        return Array(found.values)
    }
}
