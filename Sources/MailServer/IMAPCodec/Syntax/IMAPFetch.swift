/// FETCH and UID FETCH; macros are expanded. RFC 9051 section 6.4.5, RFC 7162, RFC 9394.
public struct IMAPFetchCommand: Sendable, Equatable {
    public var set: IMAPSequenceSet
    public var byUID: Bool
    /// In the client's order, at least one.
    public var items: [IMAPFetchItem]
    public var changedSince: UInt64?
    /// VANISHED; the parser accepts it only with UID FETCH and CHANGEDSINCE (RFC 7162 section 3.2.6).
    public var vanished: Bool
    public var partial: IMAPPartialRange?

    public init(
        set: IMAPSequenceSet, byUID: Bool, items: [IMAPFetchItem], changedSince: UInt64? = nil,
        vanished: Bool = false, partial: IMAPPartialRange? = nil
    ) {
        self.set = set
        self.byUID = byUID
        self.items = items
        self.changedSince = changedSince
        self.vanished = vanished
        self.partial = partial
    }
}

/// One item to fetch from a message.
public enum IMAPFetchItem: Sendable, Hashable {
    case flags
    case internalDate
    /// RFC822.SIZE
    case size
    case envelope
    /// `BODYSTRUCTURE` when extensible, `BODY` without brackets when not.
    case bodyStructure(extensible: Bool)
    case uid
    /// RFC 7162
    case modSeq
    /// RFC 8474
    case emailID
    /// RFC 8474
    case threadID
    /// RFC 8514
    case saveDate
    /// RFC 8970
    case preview(lazy: Bool)
    /// `BODY[…]<…>`, and `BODY.PEEK` when `peek` (does not set \Seen).
    case body(IMAPSection, partial: IMAPPartial?, peek: Bool)
    case rfc822
    case rfc822Header
    case rfc822Text
    /// RFC 3516; an empty part is the whole message.
    case binary(part: [UInt32], partial: IMAPPartial?, peek: Bool)
    case binarySize(part: [UInt32])
}

/// The section between the brackets of `BODY[…]`. RFC 9051 section 6.4.5.1.
public struct IMAPSection: Sendable, Hashable {
    public enum Specifier: Sendable, Hashable {
        /// The whole part or message.
        case all
        case header
        /// Names as the client spelled them.
        case headerFields([String])
        case headerFieldsNot([String])
        case text
        /// The MIME header of a part; `part` is not empty.
        case mime
    }

    /// Part numbers from 1, outermost first; empty for the message itself.
    public var part: [UInt32]
    public var specifier: Specifier

    public init(part: [UInt32] = [], specifier: Specifier = .all) {
        self.part = part
        self.specifier = specifier
    }
}

/// `<offset.count>` of a body fetch, in octets; `count` is at least 1.
public struct IMAPPartial: Sendable, Hashable {
    public var offset: UInt64
    public var count: UInt64

    public init(offset: UInt64, count: UInt64) {
        self.offset = offset
        self.count = count
    }
}
