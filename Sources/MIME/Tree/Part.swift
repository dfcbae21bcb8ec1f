/// A body part of a message, as offsets into the message's bytes (RFC 2045, 2046).
public struct Part: Sendable, Equatable {
    /// The contents of the part.
    public indirect enum Structure: Sendable, Equatable {
        case single
        /// At least one part.
        case multipart([Part])
        case message(Message)
    }

    /// The header with the blank line that ends it; for a message's root part, the message header.
    public let header: Range<Int>
    /// The body, from the end of the header on; the line end before a boundary line is not part of it.
    public let body: Range<Int>
    /// The number of line ends in the body; a last line without one does not count.
    public let lines: Int
    public let fields: ContentFields
    /// A multipart in which no boundary line was found is single and text/plain; a multipart or message beyond the
    /// limits is single and application/octet-stream. So `fields.type` always matches the structure.
    public let structure: Structure

    /// The size of the body in octets, as transfer-encoded.
    public var size: Int { body.count }
}

/// A message with its envelope and its tree of parts; embedded messages are offsets into the same bytes.
public struct Message: Sendable, Equatable {
    public let envelope: Envelope
    public let root: Part

    /// The whole message, header and body.
    public var range: Range<Int> { root.header.lowerBound..<root.body.upperBound }
}
