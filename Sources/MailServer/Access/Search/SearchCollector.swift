package import ShardFS

/// What a search keeps of the messages that it finds. Calls block.
package protocol SearchCollector: Sendable {
    /// What it costs to keep a message, on the scale of `SearchNode.cost`.
    var cost: Int { get }
    /// Whether header fields are read of what is found.
    var readsHeader: Bool { get }

    /// Takes a message that was found; they come in ascending order.
    ///
    /// - Throws: `limit` when there is more than may be kept.
    mutating func collect(_ candidate: inout SearchCandidate) throws(StoreError)

    /// Takes one of which nothing has to be read; false when something has.
    mutating func collect(_ number: UInt32, _ uid: UInt32) -> Bool
}

extension SearchCollector {
    package mutating func collect(_ number: UInt32, _ uid: UInt32) -> Bool { false }
}

/// Numbers and UIDs, in the mailbox's order: all that SEARCH needs.
package struct FoundMessages: SearchCollector {
    package private(set) var numbers: [UInt32] = []
    package private(set) var uids: [UInt32] = []

    package init() {}

    package var cost: Int { 0 }
    package var readsHeader: Bool { false }

    package mutating func collect(_ candidate: inout SearchCandidate) {
        _ = collect(candidate.number, candidate.entry.uid.rawValue)
    }

    package mutating func collect(_ number: UInt32, _ uid: UInt32) -> Bool {
        numbers.append(number)
        uids.append(uid)
        return true
    }
}
