/// A value of a FETCH response that is written in one go; streamed bodies are `IMAPFetchLiteral`.
public enum IMAPFetchValue: Sendable, Equatable {
    case uid(UInt32)
    case flags([IMAPFlag])
    case internalDate(IMAPDateTime)
    case size(UInt64)
    case modSeq(UInt64)
    case emailID(String)
    /// Nil sends NIL: threads are not kept. RFC 8474 section 5.2.
    case threadID(String?)
    /// Nil sends NIL: the mailbox keeps no save dates. RFC 8514.
    case saveDate(IMAPDateTime?)
    /// Nil sends NIL: not available (LAZY). RFC 8970.
    case preview(String?)
    case envelope(IMAPEnvelope)
    /// `BODYSTRUCTURE` when extensible, `BODY` when not.
    case bodyStructure(IMAPBodyStructure, extensible: Bool)
    case binarySize(part: [UInt32], UInt64)
    /// NIL for a body that does not exist.
    case noBody(IMAPFetchLiteral)
}

/// A body in a FETCH response, named as the client requested it, but without PEEK and count.
public enum IMAPFetchLiteral: Sendable, Hashable {
    /// `offset` is the origin of a partial response.
    case body(IMAPSection, offset: UInt64?)
    case rfc822
    case rfc822Header
    case rfc822Text
    /// Sent as a literal8 when `containsNUL`.
    case binary(part: [UInt32], offset: UInt64?, containsNUL: Bool)
}
