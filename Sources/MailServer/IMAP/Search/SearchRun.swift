import IMAPCodec
import MIME
import ShardFS

/// A search under way, one turn on the pool after the other, so that no search holds a thread for long. Blocks.
struct SearchRun<Harvest: SearchHarvest>: Sendable {
    private let view: SelectedMailbox
    private let node: SearchNode
    private let ranges: [ClosedRange<UInt32>]
    private let limits: ParseLimits
    private var next: UInt32 = 1

    /// What was found.
    private(set) var harvest: Harvest
    /// Messages looked at, and those there are to look at.
    private(set) var done = 0
    let goal: Int

    init(_ node: SearchNode, in view: SelectedMailbox, limits: ParseLimits, into harvest: Harvest) {
        self.limits = limits
        self.node = node
        self.view = view
        self.harvest = harvest
        ranges = node.bounds ?? [1...UInt32.max]
        goal = view.count(in: ranges)
    }

    /// Messages looked at under one turn on the pool, by what a look costs.
    private var turn: Int {
        let cost = max(node.cost, harvest.cost)
        return cost == 0 ? 32_768 : cost == 1 ? 4_096 : cost == 2 ? 256 : 32
    }

    /// Looks at the next messages.
    ///
    /// - Returns: True when there are no more.
    mutating func step() throws(StoreError) -> Bool {
        let turn = turn
        let page = view.page(of: ranges, from: next, limit: turn)
        if let summaries = view.summaries, node.readsHeader || harvest.readsHeader {
            try look(at: page, summaries)
        } else {
            for (number, entry) in page { try look(at: number, entry, fields: nil) }
        }
        guard page.count == turn, let last = page.last?.entry.uid.rawValue, last < .max else { return true }
        next = last + 1
        return false
    }

    /// The header fields come from the read cache, in one read transaction; those that it lacks are brought to it.
    private mutating func look(
        at page: [(number: UInt32, entry: MessageEntry)], _ summaries: SummaryCache
    ) throws(StoreError) {
        var place = 0
        var failure: StoreError?
        summaries.forEach(page.map { $0.entry.uid.rawValue }) { _, summary in
            let (number, entry) = page[place]
            place += 1
            do throws(StoreError) {
                if view.isGhost(entry.uid.rawValue) {
                    try look(at: number, entry, fields: nil)
                } else if let summary, summary.suffices(for: [.fields]) {
                    try look(at: number, entry, fields: summary[.fields].map(Array.init))
                } else {
                    try look(at: number, entry, fields: nil, keeping: summaries)
                }
            } catch {
                failure = error
            }
            return failure == nil
        }
        if let failure { throw failure }
    }

    /// - Parameter fields: those of ``SummaryFields``, when they are known without a look into the message.
    private mutating func look(
        at number: UInt32, _ entry: MessageEntry, fields: [UInt8]?, keeping summaries: SummaryCache? = nil
    ) throws(StoreError) {
        var candidate = Candidate(number: number, entry: entry, view: view, fields: fields, limits: limits)
        done += 1
        let isFound = try candidate.matches(node)
        if isFound { try harvest.take(number, entry, &candidate.reader) }
        guard let summaries, candidate.reader.hasReadHeader else { return }
        if let made = try candidate.reader.summary(with: [.fields]) { summaries.keep(made, of: entry.uid.rawValue) }
    }

    /// One message, of which as much is read as the criteria ask for.
    private struct Candidate {
        let number: UInt32
        let entry: MessageEntry
        let view: SelectedMailbox
        var reader: MessageReader

        init(number: UInt32, entry: MessageEntry, view: SelectedMailbox, fields: [UInt8]?, limits: ParseLimits) {
            self.number = number
            self.entry = entry
            self.view = view
            reader = MessageReader(mailbox: view.mailbox, uid: entry.uid, fields: fields, limits: limits)
        }

        mutating func matches(_ node: SearchNode) throws(StoreError) -> Bool {
            switch node {
            case .always(let value): return value
            case .flags(let flags): return entry.flags.isSuperset(of: flags)
            case .recent: return view.isRecent(entry.uid.rawValue)
            case .numbers(let ranges): return ranges.covers(number)
            case .uids(let ranges): return ranges.covers(entry.uid.rawValue)
            case .largerThan(let size): return UInt64(entry.size) > size
            case .smallerThan(let size): return UInt64(entry.size) < size
            case .modSeq(let modSeq): return entry.modSeq >= modSeq
            case .not(let node): return try !matches(node)
            case .any(let nodes):
                for node in nodes where try matches(node) { return true }
                return false
            case .every(let nodes):
                for node in nodes where try !matches(node) { return false }
                return true
            default:
                do throws(StoreError) {
                    return try looksLike(node)
                } catch {
                    // Gone for good: it has no text that could match.
                    if error.code == .notFound { return false }
                    throw error
                }
            }
        }

        private mutating func looksLike(_ node: SearchNode) throws(StoreError) -> Bool {
            switch node {
            case .emailID(let id): return try view.mailbox.details(entry).digest.description == id
            case .saved(let comparison, let day):
                guard let saved = try view.mailbox.details(entry).saved else { return false }
                return comparison.holds(Self.day(saved), day)
            case .received(let comparison, let day):
                return comparison.holds(Self.day(try view.mailbox.internalDate(of: entry)), day)
            case .receivedUntil(let time): return try view.mailbox.internalDate(of: entry) <= time
            case .receivedFrom(let time): return try view.mailbox.internalDate(of: entry) >= time
            case .sent(let comparison, let day):
                let (bytes, block) = try reader.header(for: ["date"])
                guard let value = block.value(of: "date", in: bytes.span), let date = HeaderDate(parsing: value) else {
                    return false
                }
                return comparison.holds(date.localDay, day)
            case .header(let name, let query):
                let (bytes, block) = try reader.header(for: [name])
                return block.contains(query, inFieldsNamed: name, in: bytes.span)
            case .body(let query): return try reader.contains(query, inHeader: false)
            case .text(let query): return try reader.contains(query, inHeader: true)
            default: return false
            }
        }

        /// Days since 1970 UTC.
        private static func day(_ seconds: Int64) -> Int64 {
            (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
        }
    }
}

extension IMAPSearchKey.DateComparison {
    /// Whether a day compares so with the asked one.
    func holds(_ day: Int64, _ asked: Int64) -> Bool {
        switch self {
        case .before: day < asked
        case .on: day == asked
        case .since: day >= asked
        }
    }
}
