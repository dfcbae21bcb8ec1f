package import IMAPCodec
package import MIME
package import ShardFS

/// One search criterion, its text decoded, its names and sets resolved. RFC 9051 section 6.4.4.
package enum SearchCriterion: Sendable {
    case always(Bool)
    case flags(MessageFlags)
    case recent
    /// Sequence numbers, ascending and disjoint.
    case numbers([ClosedRange<UInt32>])
    case uids([ClosedRange<UInt32>])
    case largerThan(UInt64)
    case smallerThan(UInt64)
    case modSeq(ModSeq)
    case emailID(String)
    /// Days since 1970.
    case saved(IMAPSearchKey.DateComparison, Int64)
    case received(IMAPSearchKey.DateComparison, Int64)
    case sent(IMAPSearchKey.DateComparison, Int64)
    /// Seconds since 1970, both included.
    case receivedUntil(Int64)
    case receivedFrom(Int64)
    case header(HeaderCriterion)
    case body(TextQuery)
    case text(TextQuery)

    /// The cost of evaluating it: 0 the list, 1 the log or the file's date, 2 the file's header, 3 the whole file.
    package var cost: Int {
        switch self {
        case .always, .flags, .recent, .numbers, .uids, .largerThan, .smallerThan, .modSeq: 0
        case .received, .receivedUntil, .receivedFrom, .emailID, .saved: 1
        case .sent, .header: 2
        case .body, .text: 3
        }
    }

    /// Evaluates the criterion by the list alone; nil if something has to be read.
    package func matchFromIndex(_ number: UInt32, _ entry: MessageEntry, in view: SelectedMailbox) -> Bool? {
        switch self {
        case .always(let value): value
        case .flags(let flags): entry.flags.isSuperset(of: flags)
        case .recent: view.isRecent(entry.uid.rawValue)
        case .numbers(let ranges): ranges.covers(number)
        case .uids(let ranges): ranges.covers(entry.uid.rawValue)
        case .largerThan(let size): UInt64(entry.size) > size
        case .smallerThan(let size): UInt64(entry.size) < size
        case .modSeq(let modSeq): entry.modSeq >= modSeq
        default: entry.knownInternalDate.flatMap(match(received:))
        }
    }

    /// Evaluates a criterion on INTERNALDATE, in seconds since 1970 UTC; nil for any other.
    func match(received date: Int64) -> Bool? {
        switch self {
        case .received(let comparison, let day): comparison.holds(SearchCandidate.day(date), day)
        case .receivedUntil(let time): date <= time
        case .receivedFrom(let time): date >= time
        default: nil
        }
    }

    /// Whether no file is read of a message that has a summary.
    package var isAnsweredByFields: Bool {
        switch self {
        case .header(let criterion): criterion.isKept
        case .body, .text, .emailID, .saved: false
        default: true
        }
    }

    /// Whether it examines header fields.
    package var readsHeader: Bool {
        switch self {
        case .sent, .header: true
        default: false
        }
    }

    /// Whether the list, dates and extracts are all that it needs.
    package var isAnsweredByExtracts: Bool {
        switch self {
        case .header(let criterion): criterion.extractNumber != nil
        case .body, .text: false
        default: true
        }
    }
}

/// A text to find in the fields of one name, or in their addresses as the envelope has them.
package struct HeaderCriterion: Sendable {
    package let name: String
    package let lowered: [UInt8]
    package let query: TextQuery
    package let inAddresses: Bool
    /// Whether summaries keep these fields.
    package let isKept: Bool
    /// The field's number in extracts, if they have it.
    package let extractNumber: UInt8?

    package init(_ name: String, _ query: TextQuery, inAddresses: Bool = false) {
        self.name = name
        self.inAddresses = inAddresses
        lowered = Array(name.lowercased().utf8)
        self.query = query
        isKept = SummaryFields.cover([name])
        extractNumber = SearchExtract.number(ofField: lowered, asAddresses: inAddresses)
    }
}
