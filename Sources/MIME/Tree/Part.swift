/// A body part of a message, by offsets into the message's bytes (RFC 2045, 2046).
public struct Part: Sendable, Equatable {
    /// What the part is made of.
    public indirect enum Structure: Sendable, Equatable {
        case single
        /// At least one part.
        case multipart([Part])
        case message(Message)
    }

    /// The header with the blank line that ends it; of a message's root part the message header.
    public let header: Range<Int>
    /// The body, beginning where the header ends; the line end before a boundary line is not in it.
    public let body: Range<Int>
    /// The number of line ends in the body; a last line without one does not count.
    public let lines: Int
    public let fields: ContentFields
    /// A multipart in which no boundary line was found is single and text/plain; a multipart or message beyond the
    /// limits is single and application/octet-stream, so `fields.type` always tells the structure.
    public let structure: Structure

    /// The size of the body in octets, as transfer-encoded.
    public var size: Int { body.count }
}

/// A message with its envelope and its tree of parts; embedded ones are offsets into the same bytes.
public struct Message: Sendable, Equatable {
    public let envelope: Envelope
    public let root: Part

    /// The whole message, header and body.
    public var range: Range<Int> { root.header.lowerBound..<root.body.upperBound }
}
