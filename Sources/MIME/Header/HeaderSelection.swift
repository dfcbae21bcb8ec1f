/// A choice of header fields by name, ignoring the case of ASCII letters.
public struct HeaderSelection: Sendable, Equatable {
    private let names: Set<[UInt8]>
    private let isExclusion: Bool

    private init(_ names: some Sequence<[UInt8]>, isExclusion: Bool) {
        self.names = Set(names.map(\.asciiLowered))
        self.isExclusion = isExclusion
    }

    /// Selects the fields with one of these names.
    public static func only(_ names: some Sequence<[UInt8]>) -> HeaderSelection {
        HeaderSelection(names, isExclusion: false)
    }

    /// Selects the fields with none of these names.
    public static func except(_ names: some Sequence<[UInt8]>) -> HeaderSelection {
        HeaderSelection(names, isExclusion: true)
    }

    /// - Parameter loweredName: empty for lines that are not a field, which no name selects or excludes.
    func contains(_ loweredName: [UInt8]) -> Bool {
        (!loweredName.isEmpty && names.contains(loweredName)) != isExclusion
    }
}

extension HeaderBlock {
    /// The whole ranges of the selected fields, in order; adjacent ranges are joined.
    public func ranges(_ selection: HeaderSelection, in bytes: Span<UInt8>) -> [Range<Int>] {
        var result: [Range<Int>] = []
        for field in fields where selection.contains(bytes.array(field.name).asciiLowered) {
            let whole = field.whole
            if let last = result.last, last.upperBound == whole.lowerBound {
                result[result.count - 1] = last.lowerBound..<whole.upperBound
            } else {
                result.append(whole)
            }
        }
        return result
    }

    /// The selected fields as written, then a blank line (HEADER.FIELDS of RFC 3501 section 6.4.5).
    ///
    /// A last field without a line end gets one. The blank line is missing only if the message has neither a blank line
    /// nor a body.
    ///
    /// - Parameter hasBody: whether anything follows the header.
    public func raw(_ selection: HeaderSelection, in bytes: Span<UInt8>, hasBody: Bool) -> [UInt8] {
        var result: [UInt8] = []
        for range in ranges(selection, in: bytes) { result += bytes.array(range) }
        if let last = result.last, last != ASCII.lf { result += ASCII.crlf }
        return endsInBlankLine || hasBody ? result + ASCII.crlf : result
    }
}
