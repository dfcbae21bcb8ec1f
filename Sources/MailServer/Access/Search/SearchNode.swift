package import IMAPCodec
package import MIME
package import ShardFS

/// A search criterion with its texts decoded and its names and sets resolved. RFC 9051 section 6.4.4.
package indirect enum SearchNode: Sendable {
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
    case not(SearchNode)
    case any([SearchNode])
    /// Cheapest first.
    case every([SearchNode])

    /// The cost of evaluating it: 0 the list, 1 the log or the file's date, 2 the file's header, 3 the whole file.
    package var cost: Int {
        switch self {
        case .always, .flags, .recent, .numbers, .uids, .largerThan, .smallerThan, .modSeq: 0
        case .received, .receivedUntil, .receivedFrom, .emailID, .saved: 1
        case .sent, .header: 2
        case .body, .text: 3
        case .not(let node): node.cost
        case .any(let nodes), .every(let nodes): nodes.map(\.cost).max() ?? 0
        }
    }

    /// Evaluates the criterion by the list alone; nil if something has to be read.
    package func matchFromIndex(_ number: UInt32, _ entry: MessageEntry, in view: SelectedMailbox) -> Bool? {
        switch self {
        case .always(let value): return value
        case .flags(let flags): return entry.flags.isSuperset(of: flags)
        case .recent: return view.isRecent(entry.uid.rawValue)
        case .numbers(let ranges): return ranges.covers(number)
        case .uids(let ranges): return ranges.covers(entry.uid.rawValue)
        case .largerThan(let size): return UInt64(entry.size) > size
        case .smallerThan(let size): return UInt64(entry.size) < size
        case .modSeq(let modSeq): return entry.modSeq >= modSeq
        case .not(let node): return node.matchFromIndex(number, entry, in: view).map { !$0 }
        case .every(let nodes):
            // Cheapest first: most messages are ruled out before anything is read.
            for node in nodes {
                guard let match = node.matchFromIndex(number, entry, in: view) else { return nil }
                if !match { return false }
            }
            return true
        case .any(let nodes):
            for node in nodes {
                guard let match = node.matchFromIndex(number, entry, in: view) else { return nil }
                if match { return true }
            }
            return false
        default: return nil
        }
    }

    /// The number of criteria in it.
    package var weight: Int {
        switch self {
        case .not(let node): node.weight
        case .any(let nodes), .every(let nodes): nodes.reduce(0) { $0 + $1.weight }
        default: 1
        }
    }

    /// Whether no file is read of a message that has a summary.
    package var isAnsweredByFields: Bool {
        switch self {
        case .header(let criterion): criterion.isKept
        case .body, .text, .emailID, .saved: false
        case .not(let node): node.isAnsweredByFields
        case .any(let nodes), .every(let nodes): nodes.allSatisfy(\.isAnsweredByFields)
        default: true
        }
    }

    /// Whether header fields are examined.
    package var readsHeader: Bool {
        switch self {
        case .sent, .header: true
        case .not(let node): node.readsHeader
        case .any(let nodes), .every(let nodes): nodes.contains(where: \.readsHeader)
        default: false
        }
    }

    /// Whether it examines only the list, dates, and the data in extracts.
    package var isAnsweredByExtracts: Bool {
        switch self {
        case .header(let criterion): criterion.extractNumber != nil
        case .body, .text: false
        case .not(let node): node.isAnsweredByExtracts
        case .any(let nodes), .every(let nodes): nodes.allSatisfy(\.isAnsweredByExtracts)
        default: true
        }
    }

    /// The single criterion that the list cannot answer, if extracts have its field; nil if there are others.
    package var loneCriterion: HeaderCriterion? {
        switch self {
        case .header(let criterion): return criterion.extractNumber == nil ? nil : criterion
        case .every(let nodes):
            guard let last = nodes.last, nodes.dropLast().allSatisfy({ $0.cost == 0 }) else { return nil }
            return last.loneCriterion
        default: return nil
        }
    }

    /// Ranges of UIDs outside of which nothing can match; nil if none are evident.
    package var bounds: [ClosedRange<UInt32>]? {
        switch self {
        case .uids(let ranges): ranges
        case .every(let nodes): nodes.lazy.compactMap(\.bounds).first
        default: nil
        }
    }
}

/// A text to find in the fields of one name.
package struct HeaderCriterion: Sendable {
    package let name: String
    package let lowered: [UInt8]
    package let query: TextQuery
    /// Whether summaries keep these fields.
    package let isKept: Bool
    /// The field's number in extracts, if they have it.
    package let extractNumber: UInt8?

    package init(_ name: String, _ query: TextQuery) {
        self.name = name
        lowered = Array(name.lowercased().utf8)
        self.query = query
        isKept = SummaryFields.cover([name])
        extractNumber = SearchExtract.number(ofField: lowered)
    }
}

/// Prepares a search for one view.
package struct SearchCompiler {
    package let view: SelectedMailbox
    package let charset: Charset
    package let savedResult: [ClosedRange<UInt32>]
    /// Seconds since 1970.
    package let now: Int64

    package init(view: SelectedMailbox, charset: Charset, savedResult: [ClosedRange<UInt32>], now: Int64) {
        self.view = view
        self.charset = charset
        self.savedResult = savedResult
        self.now = now
    }

    package func compile(_ key: IMAPSearchKey) -> SearchNode {
        switch key {
        case .all: return .always(true)
        case .flag(let flag): return node(for: flag)
        case .withoutFlag(let flag): return negated(node(for: flag))
        case .new: return .every([.recent, .not(.flags(.seen))])
        case .sequence(let set):
            guard let ranges = set.resolved(largest: UInt32(clamping: view.count)) else { return .uids(savedResult) }
            return .numbers(ranges)
        case .uid(let set): return .uids(set.resolved(largest: view.largestUID) ?? savedResult)
        case .header(let field, let value): return .header(HeaderCriterion(field, query(value)))
        case .body(let text): return .body(query(text))
        case .text(let text): return .text(query(text))
        case .internalDate(let comparison, let date): return .received(comparison, date.daysSince1970)
        case .sentDate(let comparison, let date): return .sent(comparison, date.daysSince1970)
        case .saveDate(let comparison, let date): return .saved(comparison, date.daysSince1970)
        case .saveDateSupported: return .always(true)
        case .larger(let size): return .largerThan(size)
        case .smaller(let size): return .smallerThan(size)
        case .older(let seconds): return .receivedUntil(now - Int64(seconds))
        case .younger(let seconds): return .receivedFrom(now - Int64(seconds))
        case .modSeq(let modSeq): return .modSeq(modSeq)
        case .emailID(let id): return .emailID(id)
        case .threadID: return .always(false)
        case .not(let key): return negated(compile(key))
        case .or(let left, let right): return .any([compile(left), compile(right)].sorted { $0.cost < $1.cost })
        case .and(let keys): return .every(keys.map(compile).sorted { $0.cost < $1.cost })
        }
    }

    private func negated(_ node: SearchNode) -> SearchNode {
        if case .always(let value) = node { return .always(!value) }
        return .not(node)
    }

    private func node(for flag: IMAPFlag) -> SearchNode {
        if flag == .recent { return .recent }
        if let bit = MessageFlags(system: flag) { return .flags(bit) }
        if case .keyword(let name) = flag, let bit = view.snapshot.keywords.flag(name) { return .flags(bit) }
        return .always(false)
    }

    private func query(_ bytes: [UInt8]) -> TextQuery { TextQuery(charset.decode(bytes)) }
}
