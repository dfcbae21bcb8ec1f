package import ShardFS

/// Collects the results of a search. Calls block.
package protocol SearchCollector: Sendable {
    /// The cost of keeping a message, on the scale of `SearchCriterion.cost`.
    var cost: Int { get }
    /// Whether header fields of the found messages are read.
    var readsHeader: Bool { get }

    /// Takes a found message; messages come in ascending order.
    ///
    /// - Throws: `limit` if there are more results than may be kept.
    mutating func collect(_ candidate: inout SearchCandidate) throws(StoreError)

    /// Takes a found message without reading anything of it; returns false if something must be read.
    mutating func collect(_ number: UInt32, _ uid: UInt32) -> Bool
}

extension SearchCollector {
    package mutating func collect(_ number: UInt32, _ uid: UInt32) -> Bool { false }
}

/// Numbers and UIDs, in mailbox order: the result of SEARCH.
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
