import IMAPCodec
import MailAccess
import ShardFS

/// The items that one FETCH command requests of each message.
struct FetchPlan: Sendable {
    let steps: [FetchStep]
    /// The command sets \Seen.
    let marksSeen: Bool
    /// The message's file is needed.
    let needsFile: Bool
    /// The sections of a summary that answer requested items.
    let sections: Set<MessageSummary.Section>
    /// The message's file is needed even with a summary.
    let needsFileBesideSummary: Bool
    let needsDate: Bool
    /// Parts must be decoded.
    let needsBinary: Bool
    /// The client follows mod-sequences: they are reported together with \Seen (RFC 7162 section 3.1).
    let reportsModSeq: Bool

    /// The columns of the responses, if they hold only numbers, flags and dates; else nil.
    let rows: [IMAPFetchRows.Column]?

    /// - Parameters:
    ///   - withUID: the command was UID FETCH, so that the UID is in every response (RFC 9051 section 6.4.9).
    ///   - isReadOnly: the mailbox accepts no flag changes.
    init(_ items: [IMAPFetchItem], withUID: Bool, isReadOnly: Bool, reportsModSeq: Bool) {
        self.reportsModSeq = reportsModSeq
        var kept: [IMAPFetchItem] = withUID ? [.uid] : []
        // A repeated item is answered once.
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
