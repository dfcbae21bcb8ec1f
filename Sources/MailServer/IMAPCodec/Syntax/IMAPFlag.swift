/// A message flag. System flags compare without case, keywords keep the client's spelling. RFC 9051 section 2.3.2.
public enum IMAPFlag: Sendable, Hashable {
    case answered
    case flagged
    case deleted
    case seen
    case draft
    /// Only in responses and in FLAGS lists; a client may not store it.
    case recent
    /// `\*` in PERMANENTFLAGS: the client may create new keywords. Only in responses.
    case newKeywords
    /// A keyword such as `$Forwarded`: an ASCII atom, compared without case (the session folds it).
    case keyword(String)
    /// A system flag that none of the supported RFCs defines, without its backslash.
    case unknownSystem(String)

    /// The spelling on the wire.
    public var wireName: String {
        switch self {
        case .answered: "\\Answered"
        case .flagged: "\\Flagged"
        case .deleted: "\\Deleted"
        case .seen: "\\Seen"
        case .draft: "\\Draft"
        case .recent: "\\Recent"
        case .newKeywords: "\\*"
        case .keyword(let name): name
        case .unknownSystem(let name): "\\" + name
        }
    }
}

/// The operation of STORE on the message's flags.
public enum IMAPStoreOperation: Sendable, Hashable {
    /// `FLAGS`: the message has exactly these flags afterwards.
    case replace
    /// `+FLAGS`
    case add
    /// `-FLAGS`
    case remove
}
