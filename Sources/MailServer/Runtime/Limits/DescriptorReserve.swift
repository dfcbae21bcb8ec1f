import DurableFiles
package import Primitives

/// The file descriptors kept for work under way: while fewer are free, no further connection is accepted.
package final class DescriptorReserve: Sendable {
    /// The most that is kept, and the most in parts of the limit.
    private static let most = 256
    private static let largestPart = 4
    /// How long a count is good for, and how long nothing is reported again, in nanoseconds.
    private static let countLasts: Int64 = 250_000_000
    private static let reportRests: Int64 = 10_000_000_000

    private struct State {
        var countedAt: Int64?
        /// Connections that may be accepted before the next count.
        var left = 0
        var reportedAt: Int64?
    }

    /// The limit on open descriptors of this process (RLIMIT_NOFILE); 0 if it is not known.
    package let limit: Int
    private let count: @Sendable () -> Int?
    private let onShortage: @Sendable (String) -> Void
    private let now: @Sendable () -> Int64
    private let state = Locked(State())

    /// - Parameters:
    ///   - limit: 0 keeps nothing; failed accepts are waited out all the same.
    ///   - count: the number of open descriptors; nil if it cannot be told.
    ///   - now: monotonic nanoseconds.
    ///   - onShortage: called with a sentence for the operator when a listener stops accepting, not more often than
    ///     every ten seconds. On any thread; must not block.
    package init(
        limit: Int, count: @escaping @Sendable () -> Int? = DescriptorReserve.openDescriptors,
        now: @escaping @Sendable () -> Int64 = Clocks.monotonic,
        onShortage: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.limit = limit
        self.count = count
        self.now = now
        self.onShortage = onShortage
    }

    /// The number of descriptors kept.
    package var size: Int { min(Self.most, limit / Self.largestPart) }

    /// Whether no further connection may be accepted. Asked once for each: counts at intervals, or when half of what was
    /// left may be used up.
    package var isShort: Bool {
        guard limit > 0 else { return false }
        let time = now()
        let isKnown = state.withLock { state in
            guard let at = state.countedAt, time < at + Self.countLasts, state.left > 0 else { return false }
            state.left -= 1
            return true
        }
        if isKnown { return false }
        guard let open = count() else { return false }
        let left = limit - size - open
        state.withLock { state in
            state.countedAt = time
            state.left = left / 2
        }
        return left <= 0
    }

    /// Records that a listener stops accepting.
    /// - Parameter reason: the failure of accept(2); nil if the reserve would be used.
    package func reportPause(_ reason: String?) {
        let time = now()
        let isReported = state.withLock { state in
            state.countedAt = nil
            if let at = state.reportedAt, time < at + Self.reportRests { return true }
            state.reportedAt = time
            return false
        }
        if isReported { return }
        let open = count().map { "\($0)" } ?? "too many"
        onShortage(
            "no connection is accepted until descriptors are free: \(open) are open, the limit (RLIMIT_NOFILE) is "
                + "\(limit), \(size) are kept for work under way" + (reason.map { " (\($0))" } ?? ""))
    }

    /// Counts the open descriptors of this process.
    package static func openDescriptors() -> Int? {
        let system = SystemCalls()
        let path = "/proc/self/fd"
        // The number is the directory's size since Linux 6.2, and before that the size is 0.
        if let size = try? system.status(SystemCalls.currentDirectory, path, followsLinks: true).size, size > 0 {
            return Int(size)
        }
        let names = (try? DirectoryListing.names(system, SystemCalls.currentDirectory, path)) ?? []
        return names.isEmpty ? nil : names.count
    }
}
