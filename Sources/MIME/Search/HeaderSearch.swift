extension HeaderBlock {
    /// Whether a field called `name` contains the query in its decoded text; an empty query only needs the field to
    /// exist.
    public func contains(_ query: TextQuery, inFieldsNamed name: String, in bytes: Span<UInt8>) -> Bool {
        var matcher = TextMatcher(query)
        for field in all(named: name, in: bytes) {
            matcher.reset()
            if Self.contains(&matcher, in: field.value, of: bytes) { return true }
        }
        return false
    }

    /// Whether the addresses of a field called `name` contain the query, as the envelope has them; an empty query only
    /// needs the field to exist.
    public func contains(_ query: TextQuery, inAddressesOf name: String, in bytes: Span<UInt8>) -> Bool {
        var matcher = TextMatcher(query)
        for field in all(named: name, in: bytes) {
            matcher.reset()
            if Self.contains(&matcher, inAddresses: field.value, of: bytes) { return true }
        }
        return false
    }

    /// Whether any field, as "name: value" with the value decoded, contains the query.
    public func contains(_ query: TextQuery, in bytes: Span<UInt8>) -> Bool {
        var matcher = TextMatcher(query)
        return matcher.isFound || contains(&matcher, in: bytes)
    }

    func contains(_ matcher: inout TextMatcher, in bytes: Span<UInt8>) -> Bool {
        for field in fields {
            matcher.reset()
            if !field.isNameless {
                matcher.take(bytes.extracting(field.name))
                matcher.take(Self.separator)
            }
            if Self.contains(&matcher, in: field.value, of: bytes) { return true }
        }
        return false
    }

    private static let separator = [ASCII.colon, ASCII.space]

    static func contains(
        _ matcher: inout TextMatcher, inAddresses value: Range<Int>, of bytes: Span<UInt8>
    ) -> Bool {
        matcher.take(AddressList.searchText(of: HeaderValue.unfolded(bytes, value)))
        return matcher.finish()
    }

    static func contains(_ matcher: inout TextMatcher, in value: Range<Int>, of bytes: Span<UInt8>) -> Bool {
        if let plain = HeaderValue.plain(bytes, value) {
            matcher.take(bytes.extracting(plain))
        } else {
            matcher.take(HeaderValue.text(bytes, value))
        }
        return matcher.finish()
    }
}
