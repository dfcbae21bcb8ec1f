/// A response that is encoded in one go. FETCH is built piece by piece with `IMAPFetchWriter`.
///
/// Texts can never break out of their line: control bytes are replaced when they are encoded.
public enum IMAPResponse: Sendable, Equatable {
    public enum Status: String, Sendable, Hashable { case ok = "OK", no = "NO", bad = "BAD" }

    /// Tagged, or untagged with a nil tag. RFC 9051 section 7.1.
    case status(tag: String?, Status, code: IMAPResponseCode? = nil, text: String)
    case preauth(code: IMAPResponseCode? = nil, text: String)
    case bye(code: IMAPResponseCode? = nil, text: String)
    /// `+ text`, also `+ idling`.
    case continuation(text: String)
    /// `+ base64` of an AUTHENTICATE challenge.
    case challenge([UInt8])

    case capability([String])
    case enabled([String])
    /// Nil sends `ID NIL`.
    case id([IMAPIDField]?)
    case flags([IMAPFlag])
    case exists(UInt32)
    case recent(UInt32)
    case expunge(UInt32)
    /// Ascending, disjoint UIDs. RFC 7162 section 3.2.10.
    case vanished(earlier: Bool, [ClosedRange<UInt32>])
    /// `modSeq` with RFC 7162 only.
    case search([UInt32], modSeq: UInt64? = nil)
    case esearch(IMAPExtendedSearchResult)
    case sort([UInt32], modSeq: UInt64? = nil)
    /// Empty when nothing was found; opens and closes must pair up.
    case thread([IMAPThreadToken])
    case list(IMAPListEntry)
    case lsub(attributes: [String], mailbox: String)
    case mailboxStatus(mailbox: String, [IMAPStatusValue])
    case namespace(personal: [IMAPNamespace], others: [IMAPNamespace], shared: [IMAPNamespace])
    case quota(root: String, [IMAPQuotaUsage])
    case quotaRoot(mailbox: String, roots: [String])
    /// With values, the answer to GETMETADATA. RFC 5464 section 4.4.1.
    case metadata(mailbox: String, [IMAPMetadataEntry])
    /// Names only, for an unsolicited report of a change. RFC 5464 section 4.4.2.
    case metadataChanged(mailbox: String, entries: [String])
}

/// ESEARCH data. RFC 4731, RFC 9394; also the response to an extended SORT.
public struct IMAPExtendedSearchResult: Sendable, Equatable {
    public var tag: String
    public var byUID: Bool
    public var min: UInt32?
    public var max: UInt32?
    /// Ascending and disjoint for SEARCH, in sort order for SORT; nil or empty is left out of the response.
    public var all: [ClosedRange<UInt32>]?
    public var count: UInt32?
    /// The requested window and the numbers in it.
    public var partial: (range: IMAPPartialRange, numbers: [ClosedRange<UInt32>])?
    public var modSeq: UInt64?

    public init(
        tag: String, byUID: Bool, min: UInt32? = nil, max: UInt32? = nil, all: [ClosedRange<UInt32>]? = nil,
        count: UInt32? = nil, partial: (range: IMAPPartialRange, numbers: [ClosedRange<UInt32>])? = nil,
        modSeq: UInt64? = nil
    ) {
        self.tag = tag
        self.byUID = byUID
        self.min = min
        self.max = max
        self.all = all
        self.count = count
        self.partial = partial
        self.modSeq = modSeq
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.tag == right.tag && left.byUID == right.byUID && left.min == right.min && left.max == right.max
            && left.all == right.all && left.count == right.count && left.modSeq == right.modSeq
            && left.partial?.range == right.partial?.range && left.partial?.numbers == right.partial?.numbers
    }
}

/// An element of a THREAD response, flat so that a thread of any depth costs no recursion. RFC 5256 section 4.
///
/// `(3 6 (4 23)(44 7 96))` is open, 3, 6, open, 4, 23, close, open, 44, 7, 96, close, close.
public enum IMAPThreadToken: Sendable, Hashable {
    case open
    /// A sequence number or UID, the child of the number before it.
    case number(UInt32)
    case close
}

/// One LIST response. RFC 9051 section 7.3.1.
public struct IMAPListEntry: Sendable, Equatable {
    /// With their backslash: `\HasNoChildren`, `\Sent`, …
    public var attributes: [String]
    /// Nil for a flat name.
    public var separator: Character?
    public var mailbox: String
    /// `CHILDINFO` names, such as `SUBSCRIBED` (RECURSIVEMATCH).
    public var childInfo: [String]
    /// `OLDNAME`. RFC 9051 section 6.3.9.7.
    public var oldName: String?

    public init(
        attributes: [String], separator: Character? = "/", mailbox: String, childInfo: [String] = [],
        oldName: String? = nil
    ) {
        self.attributes = attributes
        self.separator = separator
        self.mailbox = mailbox
        self.childInfo = childInfo
        self.oldName = oldName
    }
}

/// One value of a STATUS response.
public enum IMAPStatusValue: Sendable, Equatable {
    case number(IMAPStatusItem, UInt64)
    /// Nil: no limit.
    case appendLimit(UInt64?)
    case mailboxID(String)
}

/// A namespace. RFC 2342.
public struct IMAPNamespace: Sendable, Equatable {
    public var prefix: String
    public var separator: Character?

    public init(prefix: String, separator: Character?) {
        self.prefix = prefix
        self.separator = separator
    }
}

/// Usage and limit of a resource. RFC 9208 section 4.2.1.
public struct IMAPQuotaUsage: Sendable, Equatable {
    public var resource: String
    public var usage: UInt64
    public var limit: UInt64

    public init(resource: String, usage: UInt64, limit: UInt64) {
        self.resource = resource
        self.usage = usage
        self.limit = limit
    }
}
