/// Takes the lines of a header block one by one and decides where the block ends.
///
/// Only an empty line ends a header (RFC 5322 section 2.1). Lines without a field name, such as an mbox "From " line or
/// text between two fields, stay in it as nameless fields; adjacent ones are joined, so that they cost no more than
/// fields.
struct HeaderScanner {
    enum Decision {
        /// The line belongs to the header.
        case inside
        /// The blank line that ends the header and belongs to it.
        case blankLine
        /// The line does not fit into the limit; it begins an opaque body.
        case limit
    }

    private let start: Int
    private(set) var limit: Int
    private(set) var fields: [HeaderField] = []

    /// - Parameter start: the offset of the header in the bytes that hold its lines.
    init(start: Int = 0, limit: Int) {
        self.start = start
        self.limit = limit
        fields.reserveCapacity(Self.typicalFieldCount)
    }

    /// The field count of a typical header.
    private static let typicalFieldCount = 32

    /// Begins another header.
    mutating func reset(limit: Int) {
        self.limit = limit
        // A large list of fields is not worth keeping.
        fields.removeAll(keepingCapacity: fields.count < 256)
    }

    mutating func take(_ line: Line, in bytes: Span<UInt8>) -> Decision {
        guard line.next - start <= limit else { return .limit }
        guard line.end > line.start else { return .blankLine }
        let isContinuation = bytes[line.start].isBlank
        if !isContinuation, let (nameLength, valueOffset) = Self.fieldName(of: line, in: bytes) {
            fields.append(HeaderField(line: line, nameLength: nameLength, valueOffset: valueOffset))
        } else if let last = fields.last, isContinuation || last.isNameless {
            fields[fields.count - 1].extend(with: line)
        } else {
            fields.append(HeaderField(line: line, nameLength: 0, valueOffset: 0))
        }
        return .inside
    }

    /// The length of the name and the offset of the value; blanks before the colon are the obsolete syntax of section
    /// 4.5.
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
}
