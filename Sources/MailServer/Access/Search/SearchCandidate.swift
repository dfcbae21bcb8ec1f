import IMAPCodec
package import MIME
import ServerRuntime
package import ShardFS

/// A message examined by a search; only as much is read as the criteria need. Blocks.
package struct SearchCandidate {
    package let number: UInt32
    package let entry: MessageEntry
    private let mailbox: Mailbox
    private let limits: ParseLimits
    private let known: Known
    private var kept: Kept?
    /// The texts of fields that several criteria ask for, decoded once.
    private var texts: [FieldKey: [[UInt8]]] = [:]

    private struct FieldKey: Hashable {
        let name: [UInt8]
        let inAddresses: Bool
    }

    /// The read cache's data on the message's header; borrowed.
    package enum Known {
        case nothing
        /// The fields of a summary.
        case fields(UnsafeRawBufferPointer)
        case extract(SearchExtract)
    }

    /// A reader is large, and most candidates need none.
    private final class Kept {
        var reader: MessageReader
        init(_ reader: MessageReader) { self.reader = reader }
    }

    package init(
        _ number: UInt32, _ entry: MessageEntry, of mailbox: Mailbox, _ known: Known, limits: ParseLimits
    ) {
        self.known = known
        self.number = number
        self.entry = entry
        self.mailbox = mailbox
        self.limits = limits
    }

    /// Takes the reader of the message; pass it back to `release`, so that nothing is read twice.
    package mutating func takeReader() -> MessageReader {
        defer { kept = nil }
        if let kept { return kept.reader }
        var fields: [UInt8]?
        if case .fields(let bytes) = known { fields = Array(bytes) }
        return MessageReader(mailbox: mailbox, uid: entry.uid, fields: fields, limits: limits)
    }

    package mutating func release(_ reader: MessageReader) { kept = Kept(reader) }

    private mutating func reading<R>(_ body: (inout MessageReader) throws(StoreError) -> R) throws(StoreError) -> R {
        var reader = takeReader()
        defer { release(reader) }
        return try body(&reader)
    }

    /// The message's summary, made only if its own header has been read.
    package mutating func summary() throws(StoreError) -> [UInt8]? {
        guard var reader = kept?.reader, reader.hasReadHeader else { return nil }
        return try reader.summary(with: [.fields])
    }

    /// The message's extract, made only if its own header has been read: for one that is too large for a summary.
    package mutating func extract() throws(StoreError) -> [UInt8]? {
        guard var reader = kept?.reader, reader.hasReadHeader else { return nil }
        let (bytes, block) = try reader.header()
        let fields = block.raw(SummaryFields.selection, in: bytes.span, hasBody: false)
        try Turn.use(fields.count)
        return fields.withUnsafeBytes { SearchExtract.encode($0, limits: limits.fingerprint) }
    }

    /// Takes the tests from a position on.
    package mutating func matches(
        _ search: CompiledSearch, from position: CompiledSearch.Position, in view: SelectedMailbox
    ) throws(StoreError) -> Bool {
        var position = position
        while true {
            position = search.advance(position, number, entry, in: view)
            if let result = position.result { return result }
            do throws(StoreError) {
                let isFound = try matchByReading(search.criterion(at: position), keeping: search.weight > 1)
                position = search.next(position, isFound)
            } catch {
                // Gone for good: it has no text that could match.
                guard error.code == .notFound else { throw error }
                position = search.next(position, false)
            }
        }
    }

    /// - Parameter keeping: whether other criteria may ask for the same fields.
    private mutating func matchByReading(
        _ criterion: SearchCriterion, keeping: Bool
    ) throws(StoreError) -> Bool {
        switch criterion {
        case .emailID(let id): return try mailbox.details(entry).digest.description == id
        case .saved(let comparison, let day):
            guard let saved = try mailbox.details(entry).saved else { return false }
            return comparison.holds(Self.day(saved), day)
        case .received, .receivedUntil, .receivedFrom:
            return criterion.match(received: try mailbox.internalDate(of: entry)) ?? false
        case .sent(let comparison, let day):
            guard let value = try dateField(), let date = HeaderDate(sentDate: value) else { return false }
            return comparison.holds(date.localDay, day)
        case .header(let criterion): return try keeping ? isInTexts(criterion) : contains(criterion)
        case .body(let query):
            return try reading { (reader) throws(StoreError) in try reader.contains(query, inHeader: false) }
        case .text(let query):
            return try reading { (reader) throws(StoreError) in try reader.contains(query, inHeader: true) }
        default: return false
        }
    }

    private mutating func dateField() throws(StoreError) -> [UInt8]? {
        switch known {
        case .extract(let extract): return extract.date
        case .fields(let fields): return PlainFields(fields).value(of: Self.dateName)
        case .nothing: break
        }
        return try reading { (reader) throws(StoreError) in
            let (bytes, block) = try reader.header()
            return block.value(of: "date", in: bytes.span)
        }
    }

    /// Holds a criterion against the field's texts, which are decoded for the first of those that ask for it.
    private mutating func isInTexts(_ criterion: HeaderCriterion) throws(StoreError) -> Bool {
        if case .extract = known, criterion.extractNumber != nil { return try contains(criterion) }
        let key = FieldKey(name: criterion.lowered, inAddresses: criterion.inAddresses)
        let decoded: [[UInt8]]
        if let kept = texts[key] {
            decoded = kept
        } else {
            decoded = try decodedTexts(of: criterion)
            texts[key] = decoded
        }
        try Turn.use(decoded.reduce(16) { $0 + $1.count })
        var matcher = TextMatcher(criterion.query)
        for text in decoded {
            matcher.reset()
            matcher.take(text)
            if matcher.finish() { return true }
        }
        return false
    }

    /// The decoded texts of all fields of a name, or of their addresses.
    private mutating func decodedTexts(of criterion: HeaderCriterion) throws(StoreError) -> [[UInt8]] {
        if case .fields(let bytes) = known, criterion.isKept {
            try Turn.use(bytes.count)
            let fields = PlainFields(bytes)
            var texts: [[UInt8]] = []
            fields.forEach { field in
                if fields.isName(criterion.lowered, field) {
                    texts.append(criterion.inAddresses ? fields.addressText(of: field) : fields.text(of: field))
                }
                return true
            }
            return texts
        }
        return try reading { (reader) throws(StoreError) in
            let (bytes, block) = try reader.header()
            try Turn.use(block.range.count)
            return block.all(named: criterion.name, in: bytes.span).map { field in
                criterion.inAddresses
                    ? AddressList.searchText(of: HeaderValue.unfolded(bytes.span, field.value))
                    : HeaderValue.text(bytes.span, field.value)
            }
        }
    }

    private mutating func contains(_ criterion: HeaderCriterion) throws(StoreError) -> Bool {
        if case .extract(let extract) = known, let number = criterion.extractNumber {
            var matcher = TextMatcher(criterion.query)
            return extract.contains(&matcher, inFieldsNumbered: number)
        }
        if case .fields(let fields) = known, criterion.isKept {
            try Turn.use(fields.count)
            var matcher = TextMatcher(criterion.query)
            return PlainFields(fields).contains(
                &matcher, inFieldsNamed: criterion.lowered, asAddresses: criterion.inAddresses)
        }
        return try reading { (reader) throws(StoreError) in
            let (bytes, block) = try reader.header()
            try Turn.use(block.range.count)
            return criterion.inAddresses
                ? block.contains(criterion.query, inAddressesOf: criterion.name, in: bytes.span)
                : block.contains(criterion.query, inFieldsNamed: criterion.name, in: bytes.span)
        }
    }

    private static let dateName = Array("date".utf8)

    /// Days since 1970 UTC.
    static func day(_ seconds: Int64) -> Int64 {
        seconds / 86_400 - (seconds % 86_400 < 0 ? 1 : 0)
    }
}
