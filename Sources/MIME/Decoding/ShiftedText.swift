/// Converts seven-bit text with shifts between character sets to eight-bit text that iconv reads: ISO-2022-JP (RFC
/// 1468, with the vendors' katakana and rows) becomes code page 932, HZ (RFC 1843) becomes GB 18030.
struct ShiftedText {
    enum Form { case iso2022JP, hz }

    private enum CharacterSet {
        case ascii
        /// JIS X 0201's half-width letters.
        case katakana
        /// Two bytes per character: JIS X 0208 or GB 2312.
        case double
        /// JIS X 0212, which the page lacks.
        case supplementary
    }

    private let form: Form
    private var set = CharacterSet.ascii
    /// The first byte of a two-byte character.
    private var first: UInt8?
    /// The bytes so far of a shift sequence.
    private var shift: [UInt8] = []

    /// A geta mark, shown for a character that the page lacks.
    private static let geta: [UInt8] = [0x81, 0xAC]

    init(_ form: Form) { self.form = form }

    mutating func decode(_ bytes: Span<UInt8>, into output: inout [UInt8]) {
        for index in 0..<bytes.count { take(bytes[index], into: &output) }
    }

    /// Returns the bytes of an unfinished shift.
    mutating func finish() -> [UInt8] {
        defer { shift = [] }
        return shift
    }

    private var shiftStart: UInt8 { form == .hz ? UInt8(ascii: "~") : 0x1B }

    private mutating func take(_ byte: UInt8, into output: inout [UInt8]) {
        if !shift.isEmpty {
            shift.append(byte)
            return endShift(into: &output)
        }
        switch byte {
        case shiftStart: shift = [byte]
        case 0x0E where form == .iso2022JP: set = .katakana
        case 0x0F where form == .iso2022JP: set = .ascii
        // A line begins in ASCII, so that one broken line does not spoil the rest.
        case ASCII.lf:
            (set, first) = (.ascii, nil)
            output.append(byte)
        default: append(byte, to: &output)
        }
    }

    private mutating func append(_ byte: UInt8, to output: inout [UInt8]) {
        switch set {
        case .katakana where (0x21...0x5F).contains(byte): output.append(byte | 0x80)
        case .double where (0x21...0x7E).contains(byte), .supplementary where (0x21...0x7E).contains(byte):
            guard let first else { return first = byte }
            self.first = nil
            if case .supplementary = set {
                output += Self.geta
            } else {
                output += form == .hz ? [first | 0x80, byte | 0x80] : Self.page932(row: first, cell: byte)
            }
        default: output.append(byte)
        }
    }

    /// A character of JIS X 0208, or of the vendors' rows beside it, at its place in Shift_JIS.
    private static func page932(row: UInt8, cell: UInt8) -> [UInt8] {
        let lead = (row - 0x21) / 2 + (row < 0x5F ? 0x81 : 0xC1)
        // Two rows share a lead byte; the first one skips DEL.
        let trail = row % 2 == 0 ? cell + 0x7E : cell + (cell < 0x60 ? 0x1F : 0x20)
        return [lead, trail]
    }

    private mutating func endShift(into output: inout [UInt8]) {
        let shifts = form == .hz ? Self.hz : Self.iso2022JP
        if let (_, set) = shifts.first(where: { $0.0 == shift }) {
            self.set = set
            (first, shift) = (nil, [])
        } else if form == .hz, shift == [UInt8(ascii: "~"), UInt8(ascii: "~")] {
            output.append(UInt8(ascii: "~"))
            shift = []
        } else if form == .hz, shift == [UInt8(ascii: "~"), ASCII.lf] {
            shift = []
        } else if !shifts.contains(where: { $0.0.starts(with: shift) }) {
            // Not a shift: the first byte stands for itself, the others may begin anything.
            let rest = shift.dropFirst()
            output.append(shift[0])
            shift = []
            for byte in rest { take(byte, into: &output) }
        }
    }

    private static func shift(_ text: StaticString, _ set: CharacterSet) -> ([UInt8], CharacterSet) {
        ([0x1B] + text.withUTF8Buffer { Array($0) }, set)
    }

    private static let iso2022JP: [([UInt8], CharacterSet)] = [
        shift("(B", .ascii), shift("(J", .ascii), shift("(H", .ascii), shift("(I", .katakana), shift("$@", .double),
        shift("$B", .double), shift("$(@", .double), shift("$(B", .double), shift("$(D", .supplementary),
        // Announces a revision of the set that the next shift names.
        shift("&@", .ascii),
    ]

    private static let hz: [([UInt8], CharacterSet)] = [
        (Array("~{".utf8), .double), (Array("~}".utf8), .ascii),
    ]
}
