/// The position of one header field, as offsets into the scanned bytes (RFC 5322 section 2.2).
public struct HeaderField: Sendable, Equatable {
    private let start: Int
    // Lengths instead of ranges save memory: a header of a megabyte can hold 350,000 fields. A header is at most 1 GiB.
    private let nameLength: UInt32
    private let valueOffset: UInt32
    private var valueEnd: UInt32
    private var length: UInt32

    init(line: Line, nameLength: Int, valueOffset: Int) {
        start = line.start
        self.nameLength = UInt32(nameLength)
        self.valueOffset = UInt32(valueOffset)
        valueEnd = UInt32(line.end - line.start)
        length = UInt32(line.next - line.start)
    }

    mutating func extend(with line: Line) {
        valueEnd = UInt32(line.end - start)
        length = UInt32(line.next - start)
    }

    /// Whether the field consists of lines without a field name.
    var isNameless: Bool { nameLength == 0 }

    /// The name, without blanks before the colon; empty for lines that are not a field.
    public var name: Range<Int> { start..<start + Int(nameLength) }

    /// The bytes between the colon and the last line end, with folds and leading blanks; all of a nameless line.
    public var value: Range<Int> { start + Int(valueOffset)..<start + Int(valueEnd) }

    /// The whole field with its line end.
    public var whole: Range<Int> { start..<start + Int(length) }
}
