/// Takes the lines of a header block one by one and says where the block ends.
///
/// A line that is no field, no continuation and no mbox "From " line ends the header: a message without the blank
/// line keeps its text as body.
struct HeaderScanner {
    enum Verdict {
        /// The line belongs to the header.
        case inside
        /// The blank line that ends the header and belongs to it.
        case blankLine
        /// The line is the first of the body.
        case body
        /// The line does not fit into the limit; it is the first of an opaque body.
        case limit
    }

    private let start: Int
    private(set) var limit: Int
    private var skipsContinuations = false
    private(set) var fields: [HeaderField] = []

    /// - Parameter start: where the header begins in the bytes that its lines are in.
    init(start: Int = 0, limit: Int) {
        self.start = start
        self.limit = limit
        fields.reserveCapacity(Self.usualFields)
    }

    /// How many fields most headers have.
    private static let usualFields = 32

    /// Begins another header.
    mutating func reset(limit: Int) {
        self.limit = limit
        skipsContinuations = false
        // A large list of fields is not worth keeping.
        fields.removeAll(keepingCapacity: fields.count < 256)
    }

    mutating func take(_ line: Line, in bytes: Span<UInt8>) -> Verdict {
        guard line.next - start <= limit else { return .limit }
        guard line.end > line.start else { return .blankLine }
        if bytes[line.start].isBlank {
            if skipsContinuations { return .inside }
            guard !fields.isEmpty else { return .body }
            fields[fields.count - 1].extend(with: line)
            return .inside
        }
        if let (nameLength, valueOffset) = Self.fieldName(of: line, in: bytes) {
            fields.append(HeaderField(line: line, nameLength: nameLength, valueOffset: valueOffset))
            skipsContinuations = false
            return .inside
        }
        guard Self.isMailboxSeparator(line, isFirst: line.start == start, in: bytes) else { return .body }
        skipsContinuations = true
        return .inside
    }

    /// Length of the name and offset of the value; blanks before the colon are the obsolete syntax of section 4.5.
    private static func fieldName(of line: Line, in bytes: Span<UInt8>) -> (Int, Int)? {
        var index = line.start
        while index < line.end, bytes[index] > ASCII.space, bytes[index] != 0x7F, bytes[index] != ASCII.colon {
            index += 1
        }
        let nameLength = index - line.start
        while index < line.end, bytes[index].isBlank { index += 1 }
        guard nameLength > 0, index < line.end, bytes[index] == ASCII.colon else { return nil }
        return (nameLength, index + 1 - line.start)
    }

    /// "From " as the first line, or ">From " anywhere: left behind by mbox files.
    private static func isMailboxSeparator(_ line: Line, isFirst: Bool, in bytes: Span<UInt8>) -> Bool {
        let marker = Array("From ".utf8)
        let quoted = bytes[line.start] == ASCII.closeAngle
        guard quoted || isFirst else { return false }
        let from = line.start + (quoted ? 1 : 0)
        return from + marker.count <= line.end && bytes.holds(marker, at: from..<from + marker.count)
    }
}
