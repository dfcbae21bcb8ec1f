import IMAPCodec

/// When a command that takes long tells how far it is. RFC 9585.
struct ProgressClock: Sendable {
    /// Seconds between two signs of life.
    static let interval: Int64 = 10

    private var last: Int64

    init(now: Int64) { last = now }

    /// Whether it is time for a sign; the next one comes an interval later.
    mutating func isDue(now: Int64) -> Bool {
        // A clock that was set back begins anew.
        if now < last { last = now }
        guard now - last >= Self.interval else { return false }
        last = now
        return true
    }
}

/// How far a command is that goes over many messages.
struct Progress: Sendable {
    var goal: Int
    private var clock: ProgressClock

    init(goal: Int, now: Int64) {
        self.goal = goal
        clock = ProgressClock(now: now)
    }

    /// What to tell when `done` of the messages are dealt with; nil when it is too early for a sign.
    mutating func sign(tag: String, done: Int, now: Int64) -> IMAPResponseCode? {
        guard clock.isDue(now: now) else { return nil }
        return .inProgress(
            tag: tag, done: UInt32(clamping: min(done, goal)), goal: UInt32(clamping: max(goal, 1)))
    }
}
