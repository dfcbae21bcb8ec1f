package import IMAPCodec
package import ShardFS

/// Changes of a mailbox to report to its client.
package struct ViewUpdate: Sendable {
    /// Sequence numbers before any of these expunges, ascending and disjoint; `vanished` has their UIDs.
    package var expunged: [ClosedRange<UInt32>] = []
    package var vanished: [ClosedRange<UInt32>] = []
    /// Set if there are keywords not yet reported to the client: all flags of the mailbox.
    package var flags: [IMAPFlag]?
    /// A range of UIDs; its messages with a mod-sequence above `changedSince` have changed.
    package var changed: ClosedRange<UInt32>?
    package var changedSince: ModSeq = 0
    /// The number of messages, if some arrived.
    package var exists: UInt32?
    package var recent: UInt32?
}

extension ViewUpdate {
    /// Adds an expunged message; messages come in ascending order.
    package mutating func addGone(number: Int, uid: UInt32) {
        expunged.append(joining: UInt32(clamping: number))
        vanished.append(joining: uid)
    }
}
