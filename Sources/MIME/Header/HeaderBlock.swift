/// The header fields of a message or body part, as offsets into the scanned bytes.
public struct HeaderBlock: Sendable, Equatable {
    /// The header with the blank line that ends it; the body begins at its upper bound.
    public let range: Range<Int>
    /// The fields in order; lines that are not a field are included with an empty name.
    public let fields: [HeaderField]
    /// Whether the header reached the limit, so that the rest of it counts as body.
    public let isTruncated: Bool
    /// Whether a blank line ends the header; a message can end without one.
    public let endsInBlankLine: Bool

    /// Scans the header at the beginning of `range`; lines end with CRLF or LF, and nothing is refused.
    ///
    /// - Parameter range: offsets into `bytes`, clamped to them; nil means all of `bytes`.
    public init(scanning bytes: Span<UInt8>, in range: Range<Int>? = nil, limits: ParseLimits = .standard) {
        let range = (range ?? 0..<bytes.count).clamped(to: 0..<bytes.count)
        var scanner = HeaderScanner(start: range.lowerBound, limit: limits.headerBytes)
        var position = range.lowerBound
        var (isTruncated, endsInBlankLine) = (false, false)
        scan: while position < range.upperBound {
            let line = Line(in: bytes, at: position, limit: range.upperBound)
            switch scanner.take(line, in: bytes) {
            case .inside:
                position = line.next
            case .blankLine:
                position = line.next
                endsInBlankLine = true
                break scan
            case .limit:
                isTruncated = true
                break scan
            }
        }
        self.range = range.lowerBound..<position
        fields = scanner.fields
        self.isTruncated = isTruncated
        self.endsInBlankLine = endsInBlankLine
    }

    /// The first field called `name`, ignoring the case of ASCII letters.
    public func first(named name: String, in bytes: Span<UInt8>) -> HeaderField? {
        let wanted = Array(name.utf8).asciiLowered
        for field in fields where Self.isName(wanted, field, in: bytes) { return field }
        return nil
    }

    /// All fields called `name`, in order.
    public func all(named name: String, in bytes: Span<UInt8>) -> [HeaderField] {
        let wanted = Array(name.utf8).asciiLowered
        var found: [HeaderField] = []
        for field in fields where Self.isName(wanted, field, in: bytes) { found.append(field) }
        return found
    }

    /// The value of the first field called `name`, unfolded by `HeaderValue.unfolded`.
    public func value(of name: String, in bytes: Span<UInt8>) -> [UInt8]? {
        first(named: name, in: bytes).map { HeaderValue.unfolded(bytes, $0.value) }
    }

    private static func isName(_ lowered: [UInt8], _ field: HeaderField, in bytes: Span<UInt8>) -> Bool {
        let name = field.name
        guard name.count == lowered.count, !name.isEmpty else { return false }
        for index in lowered.indices where bytes[name.lowerBound + index].asciiLowered != lowered[index] {
            return false
        }
        return true
    }
}
