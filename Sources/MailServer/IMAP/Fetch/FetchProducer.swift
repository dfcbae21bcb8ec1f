import DurableFiles
import IMAPCodec
import MIME
import MailAccess
import NIOCore
import ServerRuntime
import ShardFS

/// Writes the responses to one FETCH, in pieces of bounded size: a body takes as many as it needs.
///
/// It is passed to the pool and back for every piece, so its position is part of the value. Blocks.
struct FetchProducer: Sendable {
    private let view: SelectedMailbox
    private let plan: FetchPlan
    private let ranges: [ClosedRange<UInt32>]
    private let utf8: Bool
    private let changedSince: ModSeq
    private let limits: ParseLimits
    /// Bytes that may be kept of a message between two pieces.
    private let memory: Int

    /// The first UID not yet covered by a page.
    private var next: UInt32 = 1
    private var page: ArraySlice<(number: UInt32, entry: MessageEntry)> = []
    private var isLastPage = false
    private var current: FetchAnswer?
    /// Renderings reused from one message to the next.
    private var rows: IMAPFetchRows

    /// Messages of the page whose \Seen was set.
    private var changed: [UInt32: MessageEntry] = [:]
    /// Mod-sequences of all messages whose \Seen was set and that did not change otherwise. Others' changes must still
    /// be reported by an update: they may include keywords unknown to the client.
    private(set) var known: [UInt32: ModSeq] = [:]
    /// Some requested messages no longer exist.
    private(set) var isIncomplete = false
    /// At least one message was answered for.
    private(set) var hasAnswered = false
    private(set) var unreadable = UnreadableMessages()
    /// The beginning of the current response in the piece; nil once a part of it may have been sent.
    private var start: Int?
    /// The reason for leaving an item out of a response.
    private(set) var refusal: BinarySection.Refusal?

    /// Messages marked \Seen under one hold of the mailbox's lock.
    private static let pageSize = 256
    /// Messages per page of rows, which are quick to write.
    private static let rowPageSize = 2_048

    /// - Parameter changedSince: skips messages without later changes (RFC 7162 section 3.1.4); 0 skips none.
    init(
        _ plan: FetchPlan, of ranges: [ClosedRange<UInt32>], in view: SelectedMailbox, utf8: Bool,
        changedSince: ModSeq = 0, limits: ParseLimits, memory: Int
    ) {
        // The header of a message is kept, as most items are taken from it.
        self.memory = 2 * memory
        self.limits = limits
        self.plan = plan
        self.ranges = ranges
        self.view = view
        self.utf8 = utf8
        self.changedSince = changedSince
        rows = IMAPFetchRows(plan.rows ?? [])
    }

    /// Whether few messages are answered for, from the list or from small files.
    var isShort: Bool {
        let count = view.count(in: ranges)
        if plan.rows != nil { return count <= Self.shortRows }
        guard plan.sections.isEmpty, !plan.needsBinary, count <= Self.shortMessages else { return false }
        let size = view.page(of: ranges, from: 1, limit: Self.shortMessages).reduce(0) { $0 + Int($1.entry.size) }
        return size <= Self.shortSize
    }

    /// Rows, messages and octets of them that a short answer may have.
    private static let shortRows = 1_000
    private static let shortMessages = 8
    private static let shortSize = 131_072

    /// Writes about `limit` octets, fewer when that takes more than a turn on the pool.
    ///
    /// - Returns: True when all is written.
    /// - Throws: an error that leaves a response incomplete: the byte stream is then broken.
    mutating func produce(into buffer: inout ByteBuffer, limit: Int) throws(StoreError) -> Bool {
        start = nil
        while buffer.readableBytes < limit, !Turn.isOver {
            if let answer = takeCurrent() {
                try write(answer, nil, into: &buffer, limit: limit)
                if current != nil { return false }
            } else if plan.rows != nil, !page.isEmpty {
                try writeRows(into: &buffer, limit: limit)
            } else if let summaries = view.summaries, !plan.sections.isEmpty, !page.isEmpty {
                try answer(from: summaries, into: &buffer, limit: limit)
            } else if let (number, entry) = page.popFirst() {
                current = try begin(number, entry, needsFile: plan.needsFile, into: &buffer)
            } else if isLastPage {
                return true
            } else {
                try turnPage()
                // Setting flags took time; let others have the thread.
                if plan.marksSeen { return false }
            }
        }
        return false
    }

    private mutating func turnPage() throws(StoreError) {
        let size = plan.rows == nil ? Self.pageSize : Self.rowPageSize
        let found = view.page(of: ranges, from: next, limit: size)
        isLastPage = found.count < size
        if let last = found.last?.entry.uid.rawValue {
            if last == .max { isLastPage = true } else { next = last + 1 }
        }
        page = found[...]
        if changedSince > 0 { page = page.filter { $0.entry.modSeq > changedSince }[...] }
        guard plan.marksSeen else { return }
        changed = [:]
        let unseen = page.filter { !$0.entry.flags.contains(.seen) }.map(\.entry.uid)
        guard !unseen.isEmpty else { return }
        // Its files may have to be read afterwards.
        Waiting.refuse()
        // A store without room for a flag still serves its mail.
        guard let result = try? view.mailbox.changeFlags(unseen, .add(.seen)) else { return }
        let extra = view.mailbox.extraKeywords
        for entry in result.changed {
            let uid = entry.uid.rawValue
            changed[uid] = entry
            if view.entry(of: uid)?.flags.union(.seen) == entry.flags,
                view.snapshot.extraKeywords.names(of: entry.uid) == extra.names(of: entry.uid)
            {
                known[uid] = entry.modSeq
            }
        }
    }

    private mutating func writeRows(into buffer: inout ByteBuffer, limit: Int) throws(StoreError) {
        let (keywords, extraKeywords) = (view.snapshot.keywords, view.snapshot.extraKeywords)
        var taken = 0
        defer { page = page.dropFirst(taken) }
        for (number, entry) in page {
            if buffer.readableBytes >= limit { return }
            taken += 1
            var date: Int64 = 0
            if plan.needsDate {
                guard let found = try self.date(of: entry) else { continue }
                date = found
            }
            let extra = extraKeywords.names(of: entry.uid)
            rows.write(row(number, entry, date, extra), into: &buffer) { keywords.flags(ofKey: $0, extra: extra) }
            hasAnswered = true
        }
    }

    private func row(
        _ number: UInt32, _ entry: MessageEntry, _ date: Int64, _ extra: [String]
    ) -> IMAPFetchRows.Row {
        let key = KeywordTable.flagsKey(entry.flags, isRecent: view.isRecent(entry.uid.rawValue))
        return IMAPFetchRows.Row(
            number: number, uid: entry.uid.rawValue, flagsKey: key, hasOtherFlags: !extra.isEmpty, size: entry.size,
            internalDate: date, modSeq: entry.modSeq)
    }

    /// Returns INTERNALDATE; nil for a message that no longer exists.
    private mutating func date(of entry: MessageEntry) throws(StoreError) -> Int64? {
        do throws(StoreError) {
            return try view.mailbox.internalDate(of: entry)
        } catch {
            try passOver(entry, error)
            return nil
        }
    }

    /// Goes on without a message that no longer exists or cannot be read.
    private mutating func passOver(_ entry: MessageEntry, _ error: StoreError) throws(StoreError) {
        if error.code == .notFound {
            isIncomplete = true
        } else if error.isOfOneMessage {
            unreadable.note(entry.uid, error)
        } else {
            throw error
        }
        // Its \Seen is told by the update behind the responses.
        known[entry.uid.rawValue] = nil
    }

    // MARK: Summaries

    /// Writes the responses for as many messages of the page as fit, in one read transaction of the cache.
    private mutating func answer(
        from summaries: SummaryCache, into buffer: inout ByteBuffer, limit: Int
    ) throws(StoreError) {
        let uids = page.map { $0.entry.uid.rawValue }
        var failure: StoreError?
        /// A message whose file is read, for which the transaction ends first; with the summary that it has.
        var read: (number: UInt32, entry: MessageEntry, summary: [UInt8]?)?
        summaries.forEach(uids) { uid, summary in
            guard buffer.readableBytes < limit, !Turn.isOver, let (number, entry) = page.popFirst() else {
                return false
            }
            // An expunged message is answered from its file alone, with or without the cache.
            let known = view.isExpungePending(uid) ? nil : summary
            guard let known, known.suffices(for: plan.sections), isUsable(known), !plan.needsFileBesideSummary else {
                let isKnown = known?.suffices(for: plan.sections) ?? false
                read = (number, entry, isKnown ? known.map { Array($0.bytes) } : nil)
                return false
            }
            do throws(StoreError) {
                if let answer = try begin(number, entry, needsFile: false, into: &buffer) {
                    try write(answer, known, into: &buffer, limit: limit)
                }
            } catch {
                failure = error
            }
            return failure == nil && current == nil
        }
        if let failure { throw failure }
        if let (number, entry, summary) = read {
            try answer(number, entry, summary, summaries, into: &buffer, limit: limit)
        }
    }

    /// - Parameter summary: one with everything that is asked for; nil without one.
    private mutating func answer(
        _ number: UInt32, _ entry: MessageEntry, _ summary: [UInt8]?, _ summaries: SummaryCache,
        into buffer: inout ByteBuffer, limit: Int
    ) throws(StoreError) {
        if view.isExpungePending(entry.uid.rawValue) {
            current = try begin(number, entry, needsFile: plan.needsFile, into: &buffer)
            return
        }
        guard var answer = try begin(number, entry, needsFile: true, into: &buffer) else { return }
        if let summary { return try write(answer, of: summary, into: &buffer, limit: limit) }
        let made: [UInt8]?
        do throws(StoreError) {
            made = try answer.makeSummary(with: plan.sections)
        } catch {
            return try withdraw(entry, error, &buffer)
        }
        guard let made else {
            current = answer
            return
        }
        summaries.keep(made, of: entry.uid.rawValue)
        try write(answer, of: made, into: &buffer, limit: limit)
    }

    /// Writes a response with what a summary has, as far as that is usable.
    private mutating func write(
        _ answer: FetchAnswer, of summary: [UInt8], into buffer: inout ByteBuffer, limit: Int
    ) throws(StoreError) {
        var failure: StoreError?
        summary.withUnsafeBytes { bytes in
            do throws(StoreError) {
                let summary = MessageSummary(bytes, limits: limits.fingerprint).flatMap { isUsable($0) ? $0 : nil }
                try write(answer, summary, into: &buffer, limit: limit)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func isUsable(_ summary: MessageSummary) -> Bool { !utf8 || !summary.isForeignText }

    /// Takes the response under way out of the producer: it is large, and a copy of it costs more than most items.
    private mutating func takeCurrent() -> FetchAnswer? {
        guard current != nil else { return nil }
        defer { current = nil }
        return current
    }

    /// Writes a response as far as the piece has room; the rest stays `current`.
    private mutating func write(
        _ answer: consuming FetchAnswer, _ summary: MessageSummary?, into buffer: inout ByteBuffer, limit: Int
    ) throws(StoreError) {
        let isComplete: Bool
        do throws(StoreError) {
            isComplete = try answer.write(into: &buffer, limit: limit, summary: summary, rows: &rows)
        } catch {
            return try withdraw(answer.entry, error, &buffer)
        }
        guard isComplete else {
            answer.shed(beyond: memory)
            current = answer
            return
        }
        answer.writer.end(into: &buffer)
        hasAnswered = true
    }

    /// Goes on without a message, whose response is taken out of the piece.
    ///
    /// - Throws: the error when a part of the response has been sent.
    private mutating func withdraw(
        _ entry: MessageEntry, _ error: StoreError, _ buffer: inout ByteBuffer
    ) throws(StoreError) {
        guard let start else { throw error }
        try passOver(entry, error)
        buffer.moveWriterIndex(to: start)
        current = nil
    }

    // MARK: One message

    /// Begins the response for a message; nil if there is none.
    private mutating func begin(
        _ number: UInt32, _ entry: MessageEntry, needsFile: Bool, into buffer: inout ByteBuffer
    ) throws(StoreError) -> FetchAnswer? {
        var reader = MessageReader(mailbox: view.mailbox, uid: entry.uid, limits: limits)
        do throws(StoreError) {
            if needsFile { _ = try reader.file() }
        } catch {
            try passOver(entry, error)
            return nil
        }
        var date: Int64 = 0
        if plan.needsDate {
            guard let found = try self.date(of: entry) else { return nil }
            date = found
        }
        var steps = plan.steps
        if plan.needsBinary {
            steps = []
            do throws(StoreError) {
                for step in plan.steps where try isPossible(step.item, &reader) { steps.append(step) }
            } catch {
                try passOver(entry, error)
                return nil
            }
            // A response without items is left out, unless it reports \Seen.
            if steps.isEmpty, changed[entry.uid.rawValue] == nil { return nil }
        }
        let now = changed[entry.uid.rawValue]
        if now != nil {
            let update: [IMAPFetchItem] = plan.reportsModSeq ? [.uid, .flags, .modSeq] : [.flags]
            for item in update where !steps.contains(where: { $0.item == item }) { steps.append(FetchStep(item)) }
        }
        let extra = view.snapshot.extraKeywords.names(of: entry.uid)
        start = buffer.writerIndex
        return FetchAnswer(
            writer: IMAPFetchWriter(sequenceNumber: number, utf8: utf8, into: &buffer), reader: reader,
            keywords: view.snapshot.keywords, extra: extra, entry: now ?? entry,
            row: row(number, now ?? entry, date, extra),
            steps: steps[...])
    }

    /// Whether an item of a message can be sent; an item left out makes the command fail after the rest has been sent
    /// (RFC 3516 section 4.3).
    private mutating func isPossible(_ item: IMAPFetchItem, _ reader: inout MessageReader) throws(StoreError) -> Bool {
        let part: [UInt32]
        switch item {
        case .binary(let path, _, _), .binarySize(let path): part = path
        default: return true
        }
        guard case .refused(let reason) = try reader.binarySection(part) else { return true }
        if refusal != .unknownEncoding { refusal = reason }
        return false
    }
}
