package import IMAPCodec
package import MIME
import ServerRuntime
package import ShardFS

/// A running search, split into turns on the pool, so that no search holds a thread for long. Blocks.
package struct SearchRun: Sendable {
    private let view: SelectedMailbox
    private let search: CompiledSearch
    private let ranges: [ClosedRange<UInt32>]
    private let limits: ParseLimits
    private var next: UInt32 = 1

    /// The results so far.
    package private(set) var collector: any SearchCollector
    /// Messages that could not be read, and count as not found.
    package private(set) var unreadable = UnreadableMessages()
    /// Messages examined so far; `goal` is the number to examine.
    package private(set) var done = 0
    package let goal: Int
    /// Whether everything read of a message is in its extract.
    private let usesExtracts: Bool
    /// Whether nothing else is read than what summaries have.
    private let isAnsweredByFields: Bool
    /// The number of criteria.
    private let weight: Int
    /// Set when the search is a single header test; its matcher is prepared once.
    private var lone: LoneText?

    package init(
        _ search: CompiledSearch, in view: SelectedMailbox, limits: ParseLimits, into collector: any SearchCollector
    ) {
        self.limits = limits
        self.search = search
        self.view = view
        self.collector = collector
        ranges = search.bounds ?? [1...UInt32.max]
        goal = view.count(in: ranges)
        weight = max(1, search.weight)
        usesExtracts =
            view.summaries != nil && search.readsHeader && search.isAnsweredByExtracts && !collector.readsHeader
            && weight <= Self.quickCriteria
        isAnsweredByFields = search.isAnsweredByFields
        if let criterion = search.loneCriterion, let number = criterion.extractNumber {
            lone = LoneText(number: number, matcher: TextMatcher(criterion.query))
        }
    }

    /// Messages examined at most in one turn on the pool, by the cost of one and the number of criteria.
    private var turn: Int {
        // Every criterion may be held against every message of it.
        let most = max(8, Self.criteriaTurn / weight)
        if usesExtracts { return min(most, 4_096) }
        let cost = max(search.cost, collector.cost)
        return min(most, cost == 0 ? 32_768 : cost == 1 ? 4_096 : cost == 2 ? Self.headerTurn : 32)
    }

    /// Criteria held against messages in one turn.
    private static var criteriaTurn: Int { 131_072 }
    /// Headers examined in one turn.
    private static var headerTurn: Int { 1_024 }

    /// Octets of a summary's fields, times the criteria, that are examined within the cache's transaction: there
    /// nobody else gets a turn.
    private static var quickWork: Int { 65_536 }
    /// Criteria that are examined by extracts within the cache's transaction.
    private static var quickCriteria: Int { 16 }

    /// Examines the next messages, until the turn is over.
    ///
    /// - Returns: True when there are no more.
    package mutating func step() throws(StoreError) -> Bool {
        if let flags = search.flags, collector.cost == 0, view.pendingExpunges.isEmpty, next == 1 {
            return try findByFlags(flags.wanted, flags.unwanted)
        }
        let page = view.page(of: ranges, from: next, limit: turn)[...]
        try Turn.use(page.count * weight)
        guard search.readsHeader || collector.readsHeader, let summaries = view.summaries else {
            let isCheap = max(search.cost, collector.cost) == 0
            var examined = 0
            for (number, entry) in page {
                try look(at: number, entry, .nothing)
                examined += 1
                if !isCheap, Turn.isOver { break }
            }
            return hasDone(examined, of: page)
        }
        // Messages that the list rules out are not looked up.
        let asked = page.filter { search.advance(search.start, $0.number, $0.entry, in: view).result != false }[...]
        let examined = usesExtracts ? try look(at: asked, extractsOf: summaries) : try look(at: asked, summaries)
        let last = asked.prefix(examined).last?.number
        let passed = examined == asked.count ? page.count : page.prefix { $0.number <= last ?? 0 }.count
        done += passed - examined
        return hasDone(passed, of: page)
    }

    /// Whether it only looks at the list, for a time that nobody else notices.
    package var isShort: Bool {
        guard max(search.cost, collector.cost) == 0 else { return false }
        return goal <= (search.flags == nil ? Self.shortList / weight : Self.shortFlags)
    }

    /// Entries looked at by a short search, and flags of entries compared.
    private static var shortList: Int { 1_000 }
    private static var shortFlags: Int { 20_000 }

    /// Finds all messages by their flags alone, which takes a nanosecond for each.
    private mutating func findByFlags(
        _ wanted: MessageFlags, _ unwanted: MessageFlags
    ) throws(StoreError) -> Bool {
        try Turn.use(goal / 8)
        var found: [(number: UInt32, uid: UInt32)] = []
        for range in ranges {
            view.snapshot.messages.forEach(in: .init(range), having: wanted, lacking: unwanted) { index, uid in
                found.append((UInt32(clamping: index + 1), uid.rawValue))
            }
        }
        for (number, uid) in found where !collector.collect(number, uid) {
            if let entry = view.entry(of: uid) { try look(at: number, entry, .nothing) }
        }
        done = goal
        return true
    }

    /// Advances past the first `count` messages of a page; returns true when there are no more.
    private mutating func hasDone(_ count: Int, of page: Page) -> Bool {
        guard page.count == turn || count < page.count, let last = page.prefix(count).last?.entry.uid.rawValue,
            last < .max
        else { return true }
        next = last + 1
        return false
    }

    private typealias Page = ArraySlice<(number: UInt32, entry: MessageEntry)>

    /// Examines messages by their extracts; those without one are examined by their summaries, from which extracts are
    /// made.
    ///
    /// - Returns: The number of messages examined: fewer than the page has if many lacked an extract, or the turn is
    ///   over.
    private mutating func look(at page: Page, extractsOf summaries: SummaryCache) throws(StoreError) -> Int {
        let uids = page.map { $0.entry.uid.rawValue }
        var place = 0
        /// Messages to examine by their summaries after one without an extract. Doubles while extracts are missing,
        /// since then more are likely to be.
        var run = 1
        var lacking = 0
        while place < page.count, lacking < Self.headerTurn, place == 0 || !Turn.isOver {
            let start = place
            var failure: StoreError?
            var size = 0
            var large: [UInt8]?
            summaries.forEachExtract(uids[place...]) { uid, extract in
                guard let extract, !view.isExpungePending(uid), size < Turn.budget else { return false }
                if extract.count * weight > Self.quickWork {
                    large = extract.copy
                    return false
                }
                let (number, entry) = page[page.startIndex + place]
                place += 1
                size += extract.count * weight
                do throws(StoreError) {
                    try look(at: number, entry, .extract(extract))
                } catch {
                    failure = error
                }
                return failure == nil
            }
            if let failure { throw failure }
            try Turn.use(size)
            if let large {
                let (number, entry) = page[page.startIndex + place]
                place += 1
                try look(at: number, entry, byLarge: large)
                continue
            }
            if place < page.count, size >= Turn.budget { break }
            run = place == start ? min(2 * run, page.count) : 1
            let part = page.dropFirst(place).prefix(min(run, Self.headerTurn - lacking))
            let examined = try look(at: part, summaries)
            place += examined
            lacking += part.count
            if examined < part.count { break }
        }
        return place
    }

    /// Examines messages by their summaries, read in one transaction as long as no message has to be read; missing
    /// summaries are made and cached.
    ///
    /// - Returns: The number of messages examined: fewer than the page has when the turn is over.
    private mutating func look(at page: Page, _ summaries: SummaryCache) throws(StoreError) -> Int {
        var place = page.startIndex
        var failure: StoreError?
        var extracts: [(uid: UInt32, bytes: [UInt8])] = []
        let fingerprint = summaries.limits.fingerprint
        /// Messages of one transaction: few behind one that had to be read, since then more are likely to be.
        var run = page.count
        while place < page.endIndex, place == page.startIndex || !Turn.isOver {
            let part = page[place...].prefix(run)
            /// Whether the transaction ended with a message that is examined outside of it, by the fields that it has.
            var isRead = false
            var copy: [UInt8]?
            summaries.forEach(part.map { $0.entry.uid.rawValue }) { uid, summary in
                let (number, entry) = page[place]
                place += 1
                let fields = view.isExpungePending(uid) ? nil : summary?[.fields]
                if let fields, usesExtracts, let made = SearchExtract.encode(fields, limits: fingerprint) {
                    extracts.append((uid, made))
                }
                guard let fields, isAnsweredByFields, fields.count * weight <= Self.quickWork else {
                    isRead = true
                    copy = fields.map { Array($0) }
                    return false
                }
                do throws(StoreError) {
                    try look(at: number, entry, .fields(fields))
                } catch {
                    failure = error
                }
                return failure == nil && !Turn.isOver
            }
            if failure == nil, isRead {
                do throws(StoreError) {
                    try look(at: page[place - 1], by: copy, keeping: summaries)
                } catch {
                    failure = error
                }
            }
            if failure != nil { break }
            run = isRead ? 1 : min(2 * run, page.count)
        }
        if !extracts.isEmpty { summaries.keepExtracts(extracts) }
        if let failure { throw failure }
        return place - page.startIndex
    }

    /// Examines a message by an extract of which a look takes long.
    private mutating func look(at number: UInt32, _ entry: MessageEntry, byLarge bytes: [UInt8]) throws(StoreError) {
        try Turn.use(bytes.count * weight)
        let result: Result<Void, StoreError> = bytes.withUnsafeBytes { raw in
            guard let extract = SearchExtract(raw, limits: limits.fingerprint) else { return .success(()) }
            do throws(StoreError) {
                return .success(try look(at: number, entry, .extract(extract)))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// - Parameter fields: of its summary, if it has one.
    private mutating func look(
        at message: (number: UInt32, entry: MessageEntry), by fields: [UInt8]?, keeping summaries: SummaryCache
    ) throws(StoreError) {
        let (number, entry) = message
        guard let fields else {
            let isGone = view.isExpungePending(entry.uid.rawValue)
            return try look(at: number, entry, .nothing, keeping: isGone ? nil : summaries)
        }
        let result: Result<Void, StoreError> = fields.withUnsafeBytes { bytes in
            do throws(StoreError) {
                return .success(try look(at: number, entry, .fields(bytes)))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private mutating func look(
        at number: UInt32, _ entry: MessageEntry, _ known: SearchCandidate.Known, keeping summaries: SummaryCache? = nil
    ) throws(StoreError) {
        var position = search.advance(search.start, number, entry, in: view)
        if search.isAtLone(position), case .extract(let extract) = known, let isFound = lone?.isFound(in: extract) {
            position = search.advance(search.next(position, isFound), number, entry, in: view)
        }
        let match = position.result
        if match == false || (match == true && collector.collect(number, entry.uid.rawValue)) {
            done += 1
            return
        }
        var candidate = SearchCandidate(number, entry, of: view.mailbox, known, limits: limits)
        done += 1
        do throws(StoreError) {
            let isFound = try candidate.matches(search, from: position, in: view)
            if isFound { try collector.collect(&candidate) }
            guard let summaries else { return }
            if let made = try candidate.summary() {
                summaries.keep(made, of: entry.uid.rawValue)
            } else if usesExtracts, let made = try candidate.extract() {
                summaries.keepExtracts([(entry.uid.rawValue, made)])
            }
        } catch {
            guard error.isOfOneMessage else { throw error }
            unreadable.note(entry.uid, error)
        }
    }
}

/// A search for a text in the fields of one name, when the list answers all other criteria; its matcher is prepared
/// once.
private struct LoneText: Sendable {
    let number: UInt8
    var matcher: TextMatcher

    mutating func isFound(in extract: SearchExtract) -> Bool {
        extract.contains(&matcher, inFieldsNumbered: number)
    }
}

extension IMAPSearchKey.DateComparison {
    /// Whether a day has this relation to the requested one.
    package func holds(_ day: Int64, _ asked: Int64) -> Bool {
        switch self {
        case .before: day < asked
        case .on: day == asked
        case .since: day >= asked
        }
    }
}
