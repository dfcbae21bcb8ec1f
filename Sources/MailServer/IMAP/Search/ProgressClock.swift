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
