package import ShardFS

/// What a search keeps of the messages that it finds. Calls block.
package protocol SearchHarvest: Sendable {
    /// What it costs to keep a message, on the scale of `SearchNode.cost`.
    var cost: Int { get }
    /// Whether header fields are read of what is found.
    var readsHeader: Bool { get }

    /// Takes a message that was found; they come in ascending order.
    ///
    /// - Throws: `limit` when there is more than may be kept.
    mutating func take(_ candidate: inout SearchCandidate) throws(StoreError)

    /// Takes one of which nothing has to be read; false when something has.
    mutating func take(_ number: UInt32, _ uid: UInt32) -> Bool
}

extension SearchHarvest {
    package mutating func take(_ number: UInt32, _ uid: UInt32) -> Bool { false }
}

/// Numbers and UIDs, in the mailbox's order: all that SEARCH needs.
package struct FoundMessages: SearchHarvest {
    package private(set) var numbers: [UInt32] = []
    package private(set) var uids: [UInt32] = []

    package init() {}

    package var cost: Int { 0 }
    package var readsHeader: Bool { false }

    package mutating func take(_ candidate: inout SearchCandidate) {
        _ = take(candidate.number, candidate.entry.uid.rawValue)
    }

    package mutating func take(_ number: UInt32, _ uid: UInt32) -> Bool {
        numbers.append(number)
        uids.append(uid)
        return true
    }
}
