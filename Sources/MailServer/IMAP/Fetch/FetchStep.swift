import IMAPCodec
import MailAccess

/// One item of a FETCH, prepared once for all messages.
struct FetchStep: Sendable {
    let item: IMAPFetchItem
    /// The fast-path column of a number, flags or a date; else nil.
    let column: IMAPFetchRows.Column?
    /// The section of a summary that answers the item; nil when none does.
    let section: MessageSummary.Section?
    /// The requested header fields, if summaries keep them; else nil.
    let fields: Fields?

    struct Fields: Sendable {
        /// `BODY[HEADER.FIELDS (…)]` in wire form.
        let name: [UInt8]
        /// Names of the fields, in lower case.
        let wanted: [[UInt8]]
        let partial: IMAPPartial?
    }

    init(_ item: IMAPFetchItem) {
        self.item = item
        column = item.column
        section = item.section
        guard section == .fields, case .body(let asked, let partial, _) = item,
            case .headerFields(let names) = asked.specifier
        else {
            fields = nil
            return
        }
        fields = Fields(
            name: IMAPFetchLiteral.body(asked, offset: partial?.offset).rendered(),
            wanted: names.map { $0.lowercased().utf8.map { $0 } }, partial: partial)
    }
}

extension IMAPFetchItem {
    /// The fast-path column for this item, or nil if it has none.
    var column: IMAPFetchRows.Column? {
        switch self {
        case .flags: .flags
        case .uid: .uid
        case .size: .size
        case .internalDate: .internalDate
        case .modSeq: .modSeq
        default: nil
        }
    }

    fileprivate var section: MessageSummary.Section? {
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
