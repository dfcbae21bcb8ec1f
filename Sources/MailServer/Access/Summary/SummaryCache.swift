package import MIME
package import ShardFS
package import ShardIndex

/// The read cache's summaries of one mailbox's messages.
package struct SummaryCache: Sendable {
    private let index: AccountIndex
    private let key: MailboxKey
    package let limits: ParseLimits

    package init(_ index: AccountIndex, of snapshot: MailboxSnapshot, limits: ParseLimits) {
        self.init(index, mailboxID: snapshot.mailboxID, uidValidity: snapshot.uidValidity, limits: limits)
    }

    package init(_ index: AccountIndex, mailboxID: String, uidValidity: UInt32, limits: ParseLimits) {
        self.index = index
        self.limits = limits
        key = MailboxKey(id: mailboxID, uidValidity: uidValidity)
    }

    /// Calls `body` with each of `uids`, which are in ascending order, and its summary, or nil if there is none. A
    /// summary is valid until `body` returns; `body` returns whether to continue.
    package func forEach(_ uids: [UInt32], _ body: (UInt32, MessageSummary?) -> Bool) {
        let fingerprint = limits.fingerprint
        index.forEach(key, uids: uids) { uid, bytes in
            body(uid, bytes.flatMap { MessageSummary($0, limits: fingerprint) })
        }
    }

    /// Does the same as `forEach` with extracts.
    package func forEachExtract(_ uids: ArraySlice<UInt32>, _ body: (UInt32, SearchExtract?) -> Bool) {
        let fingerprint = limits.fingerprint
        index.forEachExtract(key, uids: uids) { uid, bytes in
            body(uid, bytes.flatMap { SearchExtract($0, limits: fingerprint) })
        }
    }

    /// Caches extracts made by `SearchExtract.encode`: found some time later, or never.
    package func keepExtracts(_ extracts: [(uid: UInt32, bytes: [UInt8])]) { index.putExtracts(key, extracts) }

    /// Caches a message's summary: it is queued, and may be dropped.
    package func keep(_ summary: [UInt8], of uid: UInt32) { index.put(key, uid: uid, summary) }

    /// Removes expunged messages; sessions that still show them read their files.
    package func forget(_ uids: [UID]) { index.remove(key, uids: uids.map(\.rawValue)) }

    /// Does the same as ``forget(_:)`` for another mailbox.
    package func forget(_ uids: [UID], ofMailbox mailboxID: String, uidValidity: UInt32) {
        SummaryCache(index, mailboxID: mailboxID, uidValidity: uidValidity, limits: limits).forget(uids)
    }

    /// Copies summaries to copies of the messages, which have the same ones. Blocks.
    package func copy(_ pairs: [(source: UID, target: UID)], toMailbox mailboxID: String, uidValidity: UInt32) {
        let target = SummaryCache(index, mailboxID: mailboxID, uidValidity: uidValidity, limits: limits)
        let pairs = pairs.sorted { $0.source < $1.source }
        var next = pairs.makeIterator()
        index.forEach(key, uids: pairs.map(\.source.rawValue)) { _, bytes in
            guard let pair = next.next() else { return false }
            if let bytes { target.keep(Array(bytes), of: pair.target.rawValue) }
            return true
        }
    }
}
