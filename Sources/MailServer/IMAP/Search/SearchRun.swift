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
        return cost == 0 ? 32_768 : cost == 1 ? 4_096 : cost == 2 ? 1_024 : 32
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
                    try look(at: number, entry, fields: summary[.fields])
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
        at number: UInt32, _ entry: MessageEntry, fields: UnsafeRawBufferPointer?,
        keeping summaries: SummaryCache? = nil
    ) throws(StoreError) {
        let verdict = node.verdict(on: number, entry, in: view)
        if verdict == false || (verdict == true && harvest.take(number, entry.uid.rawValue)) {
            done += 1
            return
        }
        var candidate = SearchCandidate(number, entry, of: view.mailbox, fields: fields, limits: limits)
        done += 1
        let isFound = if let verdict { verdict } else { try candidate.matches(node, in: view) }
        if isFound { try harvest.take(&candidate) }
        if let summaries, let made = try candidate.summary() { summaries.keep(made, of: entry.uid.rawValue) }
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
