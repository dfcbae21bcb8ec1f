/// Where one header field lies, as offsets into the bytes that were scanned (RFC 5322 section 2.2).
public struct HeaderField: Sendable, Equatable {
    private let start: Int
    // Widths instead of ranges: a header of a megabyte can hold 350,000 fields. A header is at most 1 GiB.
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

    /// Whether it is made of lines without a field name.
    var isNameless: Bool { nameLength == 0 }

    /// The name, without blanks before the colon; empty for lines that are no field.
    public var name: Range<Int> { start..<start + Int(nameLength) }

    /// All between the colon and the last line end, folds and leading blanks included; all of a nameless line.
    public var value: Range<Int> { start + Int(valueOffset)..<start + Int(valueEnd) }

    /// The whole field, its line end included.
    public var whole: Range<Int> { start..<start + Int(length) }
}
