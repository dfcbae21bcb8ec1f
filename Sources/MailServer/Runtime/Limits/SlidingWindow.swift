/// An exact count of the events within the last period.
package struct SlidingWindow: Sendable {
    /// Times with their counts, oldest first; equal times share an entry.
    private var events: [(time: Int64, count: Int)] = []
    private var total = 0

    package var isEmpty: Bool { events.isEmpty }

    package mutating func expire(before time: Int64) {
        let old = events.firstIndex { $0.time > time } ?? events.count
        guard old > 0 else { return }
        total -= events[..<old].reduce(0) { $0 + $1.count }
        events.removeFirst(old)
    }

    /// Adds `count` events if the window then holds at most `limit`.
    /// - Returns: nil if they were added, else the nanoseconds until the oldest event expires.
    package mutating func add(_ count: Int, limit: Int, period: Int64, now: Int64) -> Int64? {
        expire(before: now &- period)
        guard count <= limit, total <= limit - count else {
            return events.first.map { max(1, $0.time &+ period &- now) } ?? period
        }
        record(count, now: now)
        return nil
    }

    package mutating func record(_ count: Int, now: Int64) {
        guard count > 0 else { return }
        total += count
        if events.last?.time == now {
            events[events.count - 1].count += count
        } else {
            events.append((now, count))
        }
    }

    package func count() -> Int { total }

    package mutating func removeAll() {
        events = []
        total = 0
    }
}
