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

    /// Calls `body` with each of `uids`, which ascend, and its summary; nil where there is none. The summaries end with
    /// the call; `body` answers whether to go on.
    package func forEach(_ uids: [UInt32], _ body: (UInt32, MessageSummary?) -> Bool) {
        let fingerprint = limits.fingerprint
        index.forEach(key, uids: uids) { uid, bytes in
            body(uid, bytes.flatMap { MessageSummary($0, limits: fingerprint) })
        }
    }

    /// As `forEach`, with extracts.
    package func forEachExtract(_ uids: ArraySlice<UInt32>, _ body: (UInt32, SearchExtract?) -> Bool) {
        let fingerprint = limits.fingerprint
        index.forEachExtract(key, uids: uids) { uid, bytes in
            body(uid, bytes.flatMap { SearchExtract($0, limits: fingerprint) })
        }
    }

    /// Keeps what `SearchExtract.encode` made of messages' summaries: found some time later, or never.
    package func keepExtracts(_ extracts: [(uid: UInt32, bytes: [UInt8])]) { index.putExtracts(key, extracts) }

    /// Keeps a message's summary: found some time later, or never.
    package func keep(_ summary: [UInt8], of uid: UInt32) { index.put(key, uid: uid, summary) }

    /// Forgets messages that went; those that still show them read their files.
    package func forget(_ uids: [UID]) { index.remove(key, uids: uids.map(\.rawValue)) }

    /// As ``forget(_:)``, of another mailbox.
    package func forget(_ uids: [UID], ofMailbox mailboxID: String, uidValidity: UInt32) {
        SummaryCache(index, mailboxID: mailboxID, uidValidity: uidValidity, limits: limits).forget(uids)
    }

    /// A copy of a message has the same summary. Blocks.
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
