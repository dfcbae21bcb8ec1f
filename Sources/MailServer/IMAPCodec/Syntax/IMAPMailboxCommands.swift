/// LIST in its basic and its extended form. RFC 9051 section 6.3.9, RFC 5258.
public struct IMAPListCommand: Sendable, Equatable {
    public var selection: IMAPListSelection
    public var reference: String
    /// At least one; `%` and `*` are wildcards.
    public var patterns: [String]
    /// Nil when the client wrote no RETURN.
    public var returnOptions: IMAPListReturn?
    /// True when the extended syntax was used (options or a pattern list), so that attributes must be complete.
    public var isExtended: Bool

    public init(
        selection: IMAPListSelection = [], reference: String, patterns: [String],
        returnOptions: IMAPListReturn? = nil, isExtended: Bool = false
    ) {
        self.selection = selection
        self.reference = reference
        self.patterns = patterns
        self.returnOptions = returnOptions
        self.isExtended = isExtended
    }
}

/// Selection options of LIST. RECURSIVEMATCH never stands alone. RFC 5258 section 3.1, RFC 6154 section 5.2.
public struct IMAPListSelection: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let subscribed = Self(rawValue: 1)
    public static let remote = Self(rawValue: 2)
    public static let recursiveMatch = Self(rawValue: 4)
    public static let specialUse = Self(rawValue: 8)
}

/// RETURN options of LIST. RFC 5258 section 3.2, RFC 5819, RFC 6154.
public struct IMAPListReturn: Sendable, Equatable {
    public var subscribed: Bool
    public var children: Bool
    public var specialUse: Bool
    /// Items of `STATUS (…)`; nil when STATUS was not requested.
    public var status: [IMAPStatusItem]?

    public init(
        subscribed: Bool = false, children: Bool = false, specialUse: Bool = false, status: [IMAPStatusItem]? = nil
    ) {
        self.subscribed = subscribed
        self.children = children
        self.specialUse = specialUse
        self.status = status
    }
}

/// The items of STATUS. RFC 9051 section 6.3.11, RFC 7162, RFC 7889, RFC 8438, RFC 8474, RFC 9208.
public enum IMAPStatusItem: String, Sendable, Hashable, CaseIterable {
    case messages = "MESSAGES"
    case recent = "RECENT"
    case uidNext = "UIDNEXT"
    case uidValidity = "UIDVALIDITY"
    case unseen = "UNSEEN"
    case deleted = "DELETED"
    case size = "SIZE"
    case highestModSeq = "HIGHESTMODSEQ"
    case appendLimit = "APPENDLIMIT"
    case mailboxID = "MAILBOXID"
    case deletedStorage = "DELETED-STORAGE"
}

/// A limit requested by SETQUOTA. RFC 9208 section 4.1.3.
public struct IMAPQuotaLimit: Sendable, Hashable {
    /// Upper case: `STORAGE` (units of 1024 octets), `MESSAGE`, …
    public var resource: String
    public var limit: UInt64

    public init(resource: String, limit: UInt64) {
        self.resource = resource
        self.limit = limit
    }
}

/// Options of GETMETADATA. RFC 5464 section 4.2.
public struct IMAPMetadataOptions: Sendable, Hashable {
    public enum Depth: Sendable, Hashable { case zero, one, infinity }

    /// Values longer than this many octets are left out of the response.
    public var maxSize: UInt64?
    public var depth: Depth

    public init(maxSize: UInt64? = nil, depth: Depth = .zero) {
        self.maxSize = maxSize
        self.depth = depth
    }
}

/// An annotation. RFC 5464 section 5.
public struct IMAPMetadataEntry: Sendable, Hashable {
    /// In lower case, begins with `/private/` or `/shared/` when it comes from the parser.
    public var name: String
    public var value: [UInt8]?

    public init(name: String, value: [UInt8]?) {
        self.name = name
        self.value = value
    }
}

/// NOTIFY. RFC 5465 section 3.
public enum IMAPNotify: Sendable, Equatable {
    case none
    /// `status` requests an immediate STATUS response for every watched mailbox.
    case set(status: Bool, groups: [IMAPNotifyGroup])
}

/// The mailboxes of one event group of NOTIFY. RFC 5465 section 6.
public enum IMAPNotifyMailboxes: Sendable, Equatable {
    case selected
    case selectedDelayed
    case inboxes
    case personal
    case subscribed
    case subtree([String])
    case mailboxes([String])
}

/// An event of NOTIFY. RFC 5465 section 5.
public enum IMAPNotifyEvent: Sendable, Equatable {
    /// New messages, with the items to FETCH for each; only the selected mailbox may have items.
    case messageNew([IMAPFetchItem])
    case messageExpunge
    case flagChange
    case annotationChange
    case mailboxName
    case subscriptionChange
    case mailboxMetadataChange
    case serverMetadataChange
    /// An unknown event, in upper case: refused, but not a syntax error (`event-ext`).
    case other(String)
}

/// One group of NOTIFY SET; no events means `NONE`.
public struct IMAPNotifyGroup: Sendable, Equatable {
    public var mailboxes: IMAPNotifyMailboxes
    public var events: [IMAPNotifyEvent]

    public init(mailboxes: IMAPNotifyMailboxes, events: [IMAPNotifyEvent]) {
        self.mailboxes = mailboxes
        self.events = events
    }
}
