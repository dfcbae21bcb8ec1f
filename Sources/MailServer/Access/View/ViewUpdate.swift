package import ShardFS

/// What a client is to be told of its mailbox.
package struct ViewUpdate: Sendable {
    /// Numbers as they were before any of these went, ascending and disjoint; and the UIDs that they had.
    package var expunged: [ClosedRange<UInt32>] = []
    package var vanished: [ClosedRange<UInt32>] = []
    /// Set when there are keywords that the client has not heard of.
    package var keywords: KeywordTable?
    /// The UIDs among which those with a higher mod-sequence than `changedSince` have changed.
    package var changed: ClosedRange<UInt32>?
    package var changedSince: ModSeq = 0
    /// The number of messages, when some arrived.
    package var exists: UInt32?
    package var recent: UInt32?
}

extension ViewUpdate {
    /// A message has gone; they come in ascending order.
    package mutating func addGone(number: Int, uid: UInt32) {
        expunged.append(joining: UInt32(clamping: number))
        vanished.append(joining: uid)
    }
}
