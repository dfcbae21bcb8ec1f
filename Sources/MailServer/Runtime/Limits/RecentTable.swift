import Primitives

/// Values by client address, at most `capacity` of them: room for a newcomer is made by forgetting the addresses seen
/// longest ago, so nobody is ever refused for want of room.
struct RecentTable<Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        var value: Value
        var lastSeen: Int64
    }

    private var entries: [IPAddress: Entry] = [:]

    var count: Int { entries.count }

    subscript(_ key: IPAddress) -> Value? { entries[key]?.value }

    func lastSeen(_ key: IPAddress) -> Int64? { entries[key]?.lastSeen }

    /// Changes the value of an address, `initial` for a new one, and notes that it was seen.
    /// - Parameter isPrecious: values that go only when nothing else is left to go.
    mutating func update<Result>(
        _ key: IPAddress, _ initial: @autoclosure () -> Value, capacity: Int, now: Int64,
        isPrecious: (Value) -> Bool = { _ in false }, _ body: (inout Value) -> Result
    ) -> Result {
        if entries[key] == nil, entries.count >= capacity { makeRoom(capacity, isPrecious) }
        var entry = entries.removeValue(forKey: key) ?? Entry(value: initial(), lastSeen: now)
        entry.lastSeen = now
        let result = body(&entry.value)
        entries[key] = entry
        return result
    }

    /// Changes every value; those for which `body` returns false are forgotten.
    mutating func prune(_ body: (inout Value) -> Bool) {
        for (key, entry) in entries {
            var entry = entry
            entries[key] = body(&entry.value) ? entry : nil
        }
    }

    mutating func remove(seenBefore time: Int64) { entries = entries.filter { $0.value.lastSeen >= time } }

    /// Forgets a sixteenth of the table, so that a flood of addresses costs one pass each so many.
    private mutating func makeRoom(_ capacity: Int, _ isPrecious: (Value) -> Bool) {
        let wanted = max(entries.count - capacity + 1, capacity / 16)
        let byAge = entries.map { (key: $0.key, lastSeen: $0.value.lastSeen, isPrecious: isPrecious($0.value.value)) }
            .sorted { ($0.isPrecious ? 1 : 0, $0.lastSeen) < ($1.isPrecious ? 1 : 0, $1.lastSeen) }
        for entry in byAge.prefix(wanted) { entries[entry.key] = nil }
    }
}
