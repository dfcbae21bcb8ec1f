extension Message {
    /// Passes the bytes of a range to a function, in order and in pieces of any size, until it returns false.
    ///
    /// A source with fewer bytes just ends early.
    public typealias Reading<Failure: Error> = (Range<Int>, (Span<UInt8>) -> Bool) throws(Failure) -> Void

    /// Whether the header or the body contains the query (SEARCH TEXT of RFC 9051 section 6.4.4).
    ///
    /// The headers of parts and of embedded messages are searched too, so that file names are found.
    ///
    /// - SeeAlso: `bodyContains(_:limits:reading:)`.
    public func contains<Failure: Error>(
        _ query: TextQuery, limits: ParseLimits = .standard, reading read: Reading<Failure>
    ) throws(Failure) -> Bool {
        if query.isEmpty { return true }
        var search = MessageSearch(query, limits, inHeaders: true)
        return try search.finds(in: self, read)
    }

    /// Whether the body contains the query (SEARCH BODY of RFC 9051 section 6.4.4).
    ///
    /// Text parts, also those of embedded messages, and reports (message/delivery-status and its kin) are decoded and
    /// converted to UTF-8. No header field is searched, not even a part's. Memory is bounded by the largest header,
    /// which is at most `ParseLimits.headerBytes`, and a small multiple of the pieces read: bodies are decoded and
    /// searched piece by piece.
    ///
    /// - Parameter read: reads the requested ranges, each once.
    public func bodyContains<Failure: Error>(
        _ query: TextQuery, limits: ParseLimits = .standard, reading read: Reading<Failure>
    ) throws(Failure) -> Bool {
        if query.isEmpty { return true }
        var search = MessageSearch(query, limits, inHeaders: false)
        return try search.finds(inBodyOf: root, read)
    }

    /// Whether the header or the body contains the query; the whole message is in `bytes`.
    public func contains(_ query: TextQuery, in bytes: Span<UInt8>, limits: ParseLimits = .standard) -> Bool {
        bytes.withUnsafeBufferPointer { buffer in
            contains(query, limits: limits) { range, take in _ = take(buffer.span.extracting(range)) }
        }
    }

    /// Whether the body contains the query; the whole message is in `bytes`.
    public func bodyContains(_ query: TextQuery, in bytes: Span<UInt8>, limits: ParseLimits = .standard) -> Bool {
        bytes.withUnsafeBufferPointer { buffer in
            bodyContains(query, limits: limits) { range, take in _ = take(buffer.span.extracting(range)) }
        }
    }
}

/// Walks the tree of a message in search of a query.
private struct MessageSearch {
    private let limits: ParseLimits
    private let inHeaders: Bool
    private var matcher: TextMatcher

    init(_ query: TextQuery, _ limits: ParseLimits, inHeaders: Bool) {
        self.limits = limits
        self.inHeaders = inHeaders
        matcher = TextMatcher(query)
    }

    mutating func finds<Failure: Error>(
        in message: Message, _ read: Message.Reading<Failure>
    ) throws(Failure) -> Bool {
        if inHeaders, try finds(inHeader: message.root.header, read) { return true }
        return try finds(inBodyOf: message.root, read)
    }

    mutating func finds<Failure: Error>(
        inBodyOf part: Part, _ read: Message.Reading<Failure>
    ) throws(Failure) -> Bool {
        switch part.structure {
        case .single:
            // Messages other than rfc822 are reports, which are read as text too.
            guard part.fields.type.isType("text") || part.fields.type.isType("message") else { return false }
            return try finds(inTextOf: part, read)
        case .multipart(let parts):
            for child in parts {
                if inHeaders, try finds(inHeader: child.header, read) { return true }
                if try finds(inBodyOf: child, read) { return true }
            }
            return false
        case .message(let message):
            return try finds(in: message, read)
        }
    }

    private mutating func finds<Failure: Error>(
        inHeader range: Range<Int>, _ read: Message.Reading<Failure>
    ) throws(Failure) -> Bool {
        var held: [UInt8] = []
        var matcher = matcher
        var isFound = false
        try read(range) { piece in
            if held.isEmpty, piece.count == range.count {
                isFound = HeaderBlock(scanning: piece, limits: limits).contains(&matcher, in: piece)
            } else {
                held.append(piece, 0..<piece.count)
            }
            return true
        }
        return isFound || HeaderBlock(scanning: held.span, limits: limits).contains(&matcher, in: held.span)
    }

    private mutating func finds<Failure: Error>(
        inTextOf part: Part, _ read: Message.Reading<Failure>
    ) throws(Failure) -> Bool {
        matcher.reset()
        var matcher = matcher
        var text = PartText(part.fields)
        try read(part.body) { piece in
            text.decode(piece) { matcher.take($0) }
            return !matcher.isFound
        }
        text.finish { matcher.take($0) }
        return matcher.finish()
    }
}
