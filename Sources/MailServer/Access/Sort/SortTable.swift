import Glibc
package import IMAPCodec
import MIME
import ServerRuntime
package import ShardFS

/// The sort keys of the messages found by a SORT, in columns. RFC 5256, RFC 5957.
///
/// A message costs eight bytes, eight more for each criterion, and its texts.
package struct SortTable: SearchCollector {
    /// Each key once: messages that tie under a key also tie under its repetition.
    private let criteria: [IMAPSortCriterion]
    private let maximumMessages: Int
    private let maximumTextBytes: Int
    private var rows: [(number: UInt32, uid: UInt32)] = []
    /// Row by row, one value per criterion: a number, or the position and length of a text.
    private var values: [Int64] = []
    private var texts: [UInt8] = []

    /// What a comparison costs, in units of work.
    private static let comparison = 16
    /// Octets of a text that count: texts that differ only after them tie.
    private static let longestText = 1_024

    package init(_ criteria: [IMAPSortCriterion], maximumMessages: Int, maximumTextBytes: Int) {
        var seen: Set<IMAPSortCriterion.Key> = []
        self.criteria = criteria.filter { seen.insert($0.key).inserted }
        self.maximumMessages = maximumMessages
        self.maximumTextBytes = maximumTextBytes
    }

    package var readsHeader: Bool { cost > 1 }
    package var cost: Int { criteria.map(\.key.cost).max() ?? 0 }

    package mutating func collect(_ candidate: inout SearchCandidate) throws(StoreError) {
        let (number, entry) = (candidate.number, candidate.entry)
        var reader = candidate.takeReader()
        defer { candidate.release(reader) }
        guard rows.count < maximumMessages else {
            throw StoreError(.limit, "at most \(maximumMessages) messages can be sorted")
        }
        let (valueCount, textCount) = (values.count, texts.count)
        rows.append((number, entry.uid.rawValue))
        do throws(StoreError) {
            for criterion in criteria { try append(try Self.value(of: criterion.key, entry, &reader)) }
        } catch {
            // A message that cannot be read is left out whole; the search goes on with the others.
            rows.removeLast()
            values.removeLast(values.count - valueCount)
            texts.removeLast(texts.count - textCount)
            throw error
        }
    }

    private static func value(
        of key: IMAPSortCriterion.Key, _ entry: MessageEntry, _ reader: inout MessageReader
    ) throws(StoreError) -> SortValue {
        do throws(StoreError) {
            return try key.value(of: entry, &reader)
        } catch {
            // Permanently gone: it sorts as a message without that field.
            guard error.code == .notFound else { throw error }
            return key.isText ? .text([]) : .number(0)
        }
    }

    private mutating func append(_ value: SortValue) throws(StoreError) {
        switch value {
        case .number(let number): values.append(number)
        case .text(let text):
            let kept = text.prefix(Self.longestText)
            guard texts.count + kept.count <= maximumTextBytes else {
                throw StoreError(.limit, "the sort keys are too long")
            }
            values.append(Int64(texts.count) << 16 | Int64(kept.count))
            texts += kept
        }
    }

    /// Comparisons that are counted together.
    private static let counted = 1_024

    /// Numbers and UIDs in the requested order. Takes long; others have turns on the pool meanwhile.
    package func sorted() throws(StoreError) -> (numbers: [UInt32], uids: [UInt32]) {
        var comparisons = 0
        let order: [Int]
        do {
            order = try rows.indices.sorted { left, right in
                comparisons += 1
                if comparisons % Self.counted == 0 { try Turn.use(Self.counted * Self.comparison) }
                return isBefore(left, right)
            }
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.system, "\(error)")
        }
        return (order.map { rows[$0].number }, order.map { rows[$0].uid })
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        for (column, criterion) in criteria.enumerated() {
            let a = values[left * criteria.count + column]
            let b = values[right * criteria.count + column]
            let order = criterion.key.isText ? compareTexts(a, b) : a < b ? -1 : a > b ? 1 : 0
            if order != 0 { return (order < 0) != criterion.reverse }
        }
        return left < right
    }

    private func compareTexts(_ left: Int64, _ right: Int64) -> Int {
        if left == right { return 0 }
        let (a, b) = (Int(left & 0xFFFF), Int(right & 0xFFFF))
        let order = texts.withUnsafeBufferPointer { texts in
            guard let base = texts.baseAddress else { return CInt(0) }
            return memcmp(base + Int(left >> 16), base + Int(right >> 16), min(a, b))
        }
        return order != 0 ? Int(order) : a - b
    }
}
