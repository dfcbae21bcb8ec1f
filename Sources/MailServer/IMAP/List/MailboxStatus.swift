import IMAPCodec
import ShardFS

extension Mailbox {
    /// The values that STATUS, LIST and NOTIFY report. Blocks.
    func statusValues(
        _ items: [IMAPStatusItem], appendLimit: UInt64
    ) throws(StoreError) -> [IMAPStatusValue] {
        let snapshot = try snapshot()
        let totals = snapshot.messages.totals
        let recent = snapshot.messages.count - snapshot.messages.count(below: snapshot.recentUID)
        return items.map { item in
            switch item {
            case .messages: .number(item, UInt64(snapshot.messages.count))
            case .recent: .number(item, UInt64(recent))
            case .uidNext: .number(item, UInt64(snapshot.uidNext.rawValue))
            case .uidValidity: .number(item, UInt64(snapshot.uidValidity))
            case .unseen: .number(item, UInt64(totals.unseen))
            case .deleted: .number(item, UInt64(totals.deleted))
            case .size: .number(item, totals.octets)
            case .deletedStorage: .number(item, totals.deletedOctets)
            case .highestModSeq: .number(item, snapshot.highestModSeq)
            case .appendLimit: .appendLimit(appendLimit)
            case .mailboxID: .mailboxID(snapshot.mailboxID)
            }
        }
    }
}
