import IMAPCodec
import ShardFS

/// What one FETCH command asks of each message.
struct FetchPlan: Sendable {
    var items: [IMAPFetchItem]
    /// Fetching a body sets \Seen.
    var marksSeen: Bool
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
    let tellsModSeq: Bool

    /// What the answers hold when that is numbers, flags and dates alone.
    let rows: [IMAPFetchRows.Column]?

    /// - Parameters:
    ///   - withUID: the command was UID FETCH, so that the UID is in every answer (RFC 9051 section 6.4.9).
    ///   - isReadOnly: the mailbox takes no flags.
    init(_ items: [IMAPFetchItem], withUID: Bool, isReadOnly: Bool, tellsModSeq: Bool) {
        self.tellsModSeq = tellsModSeq
        var kept: [IMAPFetchItem] = withUID ? [.uid] : []
        // The same item twice gets one answer.
        var seen = Set(kept)
        for item in items where seen.insert(item).inserted { kept.append(item) }
        self.items = kept
        let columns = kept.compactMap(\.column)
        rows = columns.count == kept.count ? columns : nil
        marksSeen = !isReadOnly && items.contains { $0.setsSeen }
        needsFile = items.contains { $0.needsFile }
        sections = Set(items.compactMap(\.section))
        needsFileBesideSummary = items.contains { $0.needsFile && $0.section == nil }
        needsDate = items.contains(.internalDate)
        needsBinary = items.contains { item in
            switch item {
            case .binary, .binarySize: true
            default: false
            }
        }
    }
}

extension IMAPFetchItem {
    /// The column of a row; nil for what is none.
    fileprivate var column: IMAPFetchRows.Column? {
        switch self {
        case .flags: .flags
        case .uid: .uid
        case .size: .size
        case .internalDate: .internalDate
        case .modSeq: .modSeq
        default: nil
        }
    }

    /// The section of a summary that answers it; nil when the message itself has to.
    var section: MessageSummary.Section? {
        switch self {
        case .envelope: return .envelope
        case .bodyStructure(let extensible): return extensible ? .bodyStructure : .body
        case .preview: return .preview
        case .body(let section, _, _):
            guard section.part.isEmpty, case .headerFields(let names) = section.specifier else { return nil }
            return SummaryFields.cover(names) ? .fields : nil
        default: return nil
        }
    }

    var setsSeen: Bool {
        switch self {
        case .body(_, _, let peek), .binary(_, _, let peek): !peek
        case .rfc822, .rfc822Text: true
        default: false
        }
    }

    var needsFile: Bool {
        switch self {
        case .flags, .uid, .size, .internalDate, .modSeq, .threadID, .emailID, .saveDate: false
        default: true
        }
    }
}
