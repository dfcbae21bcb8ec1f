extension HeaderBlock {
    /// Whether a field called `name` contains the query in its decoded text; an empty query asks for the field only.
    public func contains(_ query: TextQuery, inFieldsNamed name: String, in bytes: Span<UInt8>) -> Bool {
        for field in all(named: name, in: bytes) {
            if query.isFound(in: HeaderValue.text(bytes, field.value)) { return true }
        }
        return false
    }

    /// Whether any field, as "name: value" with the value decoded, contains the query.
    public func contains(_ query: TextQuery, in bytes: Span<UInt8>) -> Bool {
        if query.isEmpty { return true }
        for field in fields {
            var text = bytes.array(field.name)
            text += [ASCII.colon, ASCII.space]
            text += HeaderValue.text(bytes, field.value)
            if query.isFound(in: text) { return true }
        }
        return false
    }
}

extension Message {
    /// Whether the header or the body contains the query (SEARCH TEXT of RFC 3501 section 6.4.4).
    public func contains(_ query: TextQuery, in bytes: Span<UInt8>, limits: ParseLimits = .standard) -> Bool {
        if query.isEmpty { return true }
        if HeaderBlock(scanning: bytes, in: root.header, limits: limits).contains(query, in: bytes) { return true }
        return bodyContains(query, in: bytes, limits: limits)
    }

    /// Whether the body contains the query (SEARCH BODY of RFC 3501 section 6.4.4).
    ///
    /// Text parts and reports (message/delivery-status and its kin) are decoded and converted to UTF-8; of other parts, and of embedded messages, the headers are
    /// searched too, so that file names are found. Memory is bounded by the largest header.
    public func bodyContains(_ query: TextQuery, in bytes: Span<UInt8>, limits: ParseLimits = .standard) -> Bool {
        if query.isEmpty { return true }
        return Self.bodyContains(query, root, bytes, limits)
    }

    private static func bodyContains(
        _ query: TextQuery, _ part: Part, _ bytes: Span<UInt8>, _ limits: ParseLimits
    ) -> Bool {
        switch part.structure {
        case .single:
            // Other messages than rfc822 are reports, which are read as text too.
            let isText = part.fields.type.isType("text") || part.fields.type.isType("message")
            return isText && part.textContains(query, in: bytes)
        case .multipart(let parts):
            for child in parts {
                if HeaderBlock(scanning: bytes, in: child.header, limits: limits).contains(query, in: bytes) {
                    return true
                }
                if bodyContains(query, child, bytes, limits) { return true }
            }
            return false
        case .message(let message):
            return message.contains(query, in: bytes, limits: limits)
        }
    }
}

extension Part {
    /// Whether the body, decoded and taken for text in its charset, contains the query.
    public func textContains(_ query: TextQuery, in bytes: Span<UInt8>) -> Bool {
        var matcher = TextMatcher(query)
        var transfer = TransferDecoder(TransferEncoding(named: fields.encoding))
        var charset = CharsetDecoder(Charset(named: fields.type.parameters.text(named: "charset") ?? []))
        var position = body.lowerBound
        while position < body.upperBound, !matcher.isFound {
            let end = min(position + Self.pieceSize, body.upperBound)
            var decoded: [UInt8] = []
            transfer.decode(bytes, position..<end, into: &decoded)
            var text: [UInt8] = []
            charset.decode(decoded, into: &text)
            matcher.take(text)
            position = end
        }
        var decoded: [UInt8] = []
        transfer.finish(into: &decoded)
        var text: [UInt8] = []
        charset.decode(decoded, into: &text)
        charset.finish(into: &text)
        matcher.take(text)
        return matcher.finish()
    }

    /// Bytes of the body that are decoded at a time.
    private static let pieceSize = 64 * 1024
}
