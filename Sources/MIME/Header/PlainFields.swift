import Glibc

/// The fields of a header that consists only of fields and an optional blank line, as returned by `HeaderBlock.raw`.
/// They are read in place, for callers that examine thousands of such headers.
public struct PlainFields {
    /// The position of one field in the bytes.
    public struct Field {
        /// Without blanks before the colon.
        public let name: Range<Int>
        /// Everything between the colon and the last line end.
        public let value: Range<Int>
        /// Includes the line end.
        public let whole: Range<Int>
    }

    private let bytes: UnsafeBufferPointer<UInt8>

    /// - Parameter bytes: must stay valid as long as this is used.
    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes.bindMemory(to: UInt8.self) }

    /// Whether the blank line is present: no field ends in CR LF directly after a line end.
    public var endInBlankLine: Bool {
        guard bytes.count >= 2, bytes[bytes.count - 2] == ASCII.cr, bytes[bytes.count - 1] == ASCII.lf else {
            return false
        }
        return bytes.count == 2 || bytes[bytes.count - 3] == ASCII.lf
    }

    /// Calls `body` for each field in order, until it returns false.
    public func forEach(_ body: (Field) -> Bool) {
        var start = 0
        while start < bytes.count, bytes[start] != ASCII.cr, bytes[start] != ASCII.lf {
            var end = lineEnd(from: start)
            var colon = start
            while colon < end, bytes[colon] != ASCII.colon { colon += 1 }
            while end < bytes.count, bytes[end].isBlank { end = lineEnd(from: end) }
            var nameEnd = colon
            while nameEnd > start, bytes[nameEnd - 1].isBlank { nameEnd -= 1 }
            var valueEnd = end
            if valueEnd > colon, bytes[valueEnd - 1] == ASCII.lf { valueEnd -= 1 }
            if valueEnd > colon, bytes[valueEnd - 1] == ASCII.cr { valueEnd -= 1 }
            let value = min(colon + 1, valueEnd)..<valueEnd
            guard body(Field(name: start..<nameEnd, value: value, whole: start..<end)) else { return }
            start = end
        }
    }

    /// The end of the line that holds `index`, its line end included.
    private func lineEnd(from index: Int) -> Int {
        guard let base = bytes.baseAddress, index < bytes.count,
            let found = memchr(base + index, Int32(ASCII.lf), bytes.count - index)
        else { return bytes.count }
        return UnsafeRawPointer(base).distance(to: found) + 1
    }

    /// Whether the field has this name; `lowered` is in lower case.
    public func isName(_ lowered: [UInt8], _ field: Field) -> Bool {
        guard field.name.count == lowered.count else { return false }
        var index = field.name.lowerBound
        for byte in lowered {
            if bytes[index].asciiLowered != byte { return false }
            index += 1
        }
        return true
    }

    /// The value on one line.
    public func unfolded(_ field: Field) -> [UInt8] { HeaderValue.unfolded(bytes.span, field.value) }

    /// The value as text: on one line, encoded words decoded.
    public func text(of field: Field) -> [UInt8] { HeaderValue.text(bytes.span, field.value) }

    /// The field's addresses as text to search in.
    public func addressText(of field: Field) -> [UInt8] { AddressList.searchText(of: unfolded(field)) }

    /// The unfolded value of the first field with this name.
    public func value(of lowered: [UInt8]) -> [UInt8]? {
        var found: [UInt8]?
        forEach { field in
            guard isName(lowered, field) else { return true }
            found = unfolded(field)
            return false
        }
        return found
    }

    /// Whether a field with this name contains the matcher's query in its decoded text, or in its addresses.
    public func contains(_ matcher: inout TextMatcher, inFieldsNamed lowered: [UInt8], asAddresses: Bool) -> Bool {
        var isFound = false
        forEach { field in
            guard isName(lowered, field) else { return true }
            matcher.reset()
            isFound =
                asAddresses
                ? HeaderBlock.contains(&matcher, inAddresses: field.value, of: bytes.span)
                : HeaderBlock.contains(&matcher, in: field.value, of: bytes.span)
            return !isFound
        }
        return isFound
    }
}
