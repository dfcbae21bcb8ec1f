import IMAPCodec
import MailAccess
import ShardFS

/// What one FETCH command asks of each message.
struct FetchPlan: Sendable {
    let steps: [FetchStep]
    /// Fetching a body sets \Seen.
    let marksSeen: Bool
    /// The message's file must be there.
    let needsFile: Bool
    /// What a summary can tell of what is asked.
    let sections: Set<MessageSummary.Section>
    /// The message's file must be there although a summary is at hand.
    let needsFileBesideSummary: Bool
    let needsDate: Bool
    /// Parts are to be decoded.
    let needsBinary: Bool
    /// The client follows mod-sequences: told of \Seen, it is told of these too (RFC 7162 section 3.1).
    let reportsModSeq: Bool

    /// What the answers hold when that is numbers, flags and dates alone.
    let rows: [IMAPFetchRows.Column]?

    /// - Parameters:
    ///   - withUID: the command was UID FETCH, so that the UID is in every answer (RFC 9051 section 6.4.9).
    ///   - isReadOnly: the mailbox takes no flags.
    init(_ items: [IMAPFetchItem], withUID: Bool, isReadOnly: Bool, reportsModSeq: Bool) {
        self.reportsModSeq = reportsModSeq
        var kept: [IMAPFetchItem] = withUID ? [.uid] : []
        // The same item twice gets one answer.
        var seen = Set(kept)
        for item in items where seen.insert(item).inserted { kept.append(item) }
        steps = kept.map { FetchStep($0) }
        let columns = kept.compactMap(\.column)
        rows = columns.count == kept.count ? columns : nil
        marksSeen = !isReadOnly && items.contains { $0.setsSeen }
        needsFile = items.contains { $0.needsFile }
        sections = Set(steps.compactMap(\.section))
        needsFileBesideSummary = steps.contains { $0.item.needsFile && $0.section == nil }
        needsDate = items.contains(.internalDate)
        needsBinary = items.contains { item in
            switch item {
            case .binary, .binarySize: true
            default: false
            }
        }
    }
}
