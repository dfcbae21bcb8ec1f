package import Logging
package import NIOCore
import Primitives

/// Measures how late the event loops get to their work, and logs it: whatever keeps a loop keeps all its connections.
package final class EventLoopDelay: ServerComponent {
    private struct State {
        var longest = TimeAmount.zero
        var isStopped = false
    }

    /// A shorter delay is not logged.
    package static let limit = TimeAmount.milliseconds(20)
    private static let interval = TimeAmount.milliseconds(250)
    /// Seconds between two lines of the log.
    private static let period = 10

    private let group: any EventLoopGroup
    private let logger: Logger
    private let state = Locked(State())

    package init(_ group: any EventLoopGroup, logger: Logger) {
        self.group = group
        self.logger = logger
    }

    /// The longest delay since the last line of the log.
    package var longest: TimeAmount { state.withLock { $0.longest } }

    package func run() async {
        state.withLock { $0.isStopped = false }
        for loop in group.makeIterator() { measure(loop) }
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(Self.period))
            report()
        }
        state.withLock { $0.isStopped = true }
    }

    private func measure(_ loop: any EventLoop) {
        if state.withLock({ $0.isStopped }) { return }
        let due = NIODeadline.now() + Self.interval
        loop.scheduleTask(deadline: due) { [self] in
            let delay = NIODeadline.now() - due
            state.withLock { $0.longest = max($0.longest, delay) }
            measure(loop)
        }
    }

    /// Logs the longest delay, if it is worth a line, and begins again.
    func report() {
        let longest = state.withLock { state in
            defer { state.longest = .zero }
            return state.longest
        }
        guard longest > Self.limit else { return }
        logger.warning("an event loop was late by \(longest.nanoseconds / 1_000_000) ms")
    }
}
