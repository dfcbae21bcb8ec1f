import IMAPCodec

/// A timer for the progress reports of a long command. RFC 9585.
struct ProgressClock: Sendable {
    /// Seconds between two reports.
    static let interval: Int64 = 10

    private var last: Int64

    init(now: Int64) { last = now }

    /// Whether a report is due; if so, the next one is due an interval later.
    mutating func isDue(now: Int64) -> Bool {
        // If the clock was set back, the interval starts again.
        if now < last { last = now }
        guard now - last >= Self.interval else { return false }
        last = now
        return true
    }
}

/// The progress of a command through many messages.
struct Progress: Sendable {
    var goal: Int
    private var clock: ProgressClock

    init(goal: Int, now: Int64) {
        self.goal = goal
        clock = ProgressClock(now: now)
    }

    /// Returns the INPROGRESS code for `done` processed messages; nil when no report is due yet.
    mutating func sign(tag: String, done: Int, now: Int64) -> IMAPResponseCode? {
        guard clock.isDue(now: now) else { return nil }
        return .inProgress(
            tag: tag, done: UInt32(clamping: min(done, goal)), goal: UInt32(clamping: max(goal, 1)))
    }
}
