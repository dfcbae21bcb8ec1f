/// A complete command with its tag.
public struct IMAPTaggedCommand: Sendable, Equatable {
    public var tag: String
    public var command: IMAPCommand

    public init(tag: String, command: IMAPCommand) {
        self.tag = tag
        self.command = command
    }
}

/// Every command but APPEND and REPLACE, which arrive as a stream of events (`IMAPInboundEvent`).
///
/// Mailbox names are UTF-8, decoded from modified UTF-7 where the connection still speaks it; `INBOX` is upper case
/// whatever the client's spelling. Strings whose charset the grammar leaves open are bytes.
public enum IMAPCommand: Sendable, Equatable {
    // Any state
    case capability
    case noop
    case logout
    /// RFC 2971; empty for `ID NIL`.
    case id([IMAPIDField])

    // Not authenticated
    /// The decoder pauses after it: no plaintext that follows is interpreted.
    case startTLS
    /// The decoder pauses after it. `initialResponse` is decoded from base64, empty for `=` (RFC 4959).
    case authenticate(mechanism: String, initialResponse: [UInt8]?)
    /// The decoder pauses after it.
    case login(user: [UInt8], password: [UInt8])

    // Authenticated
    /// Capability names in upper case. The decoder pauses after it. RFC 5161.
    case enable([String])
    /// SELECT, or EXAMINE when `readOnly`.
    case select(mailbox: String, readOnly: Bool, parameters: IMAPSelectParameters)
    /// `specialUse` holds attributes such as `\Sent`, from `USE (…)` (RFC 6154); a trailing `/` is kept.
    case create(mailbox: String, specialUse: [String])
    case delete(mailbox: String)
    case rename(from: String, to: String)
    case subscribe(mailbox: String)
    case unsubscribe(mailbox: String)
    case list(IMAPListCommand)
    case lsub(reference: String, pattern: String)
    case namespace
    case status(mailbox: String, items: [IMAPStatusItem])
    /// The decoder pauses after it.
    case idle
    /// The quota root's name. RFC 9208.
    case getQuota(root: String)
    case getQuotaRoot(mailbox: String)
    case setQuota(root: String, limits: [IMAPQuotaLimit])
    /// An empty mailbox name means the server's own annotations. RFC 5464.
    case getMetadata(mailbox: String, entries: [String], options: IMAPMetadataOptions)
    /// A nil value removes the entry.
    case setMetadata(mailbox: String, entries: [IMAPMetadataEntry])
    /// RFC 5465.
    case notify(IMAPNotify)
    /// The algorithm in upper case. The decoder pauses after it. RFC 4978.
    case compress(algorithm: String)

    // Selected
    case check
    case close
    case unselect
    /// EXPUNGE, or UID EXPUNGE with a set (RFC 4315).
    case expunge(uids: IMAPSequenceSet?)
    case search(IMAPSearchCommand)
    case sort(IMAPSortCommand)
    case thread(IMAPThreadCommand)
    case fetch(IMAPFetchCommand)
    case store(IMAPStoreCommand)
    case copy(set: IMAPSequenceSet, byUID: Bool, mailbox: String)
    case move(set: IMAPSequenceSet, byUID: Bool, mailbox: String)
}

extension IMAPCommand {
    /// The decoder's pause after this command, until the session resolves it; nil when it continues by itself.
    public var pause: IMAPPause? {
        switch self {
        case .startTLS: .startTLS
        case .compress: .compress
        case .authenticate: .authenticate
        case .login: .login
        case .enable: .enable
        case .idle: .idle
        case .capability, .noop, .logout, .id, .select, .create, .delete, .rename, .subscribe, .unsubscribe, .list,
            .lsub, .namespace, .status, .getQuota, .getQuotaRoot, .setQuota, .getMetadata, .setMetadata, .notify,
            .check,
            .close, .unselect, .expunge, .search, .sort, .thread, .fetch, .store, .copy, .move:
            nil
        }
    }
}

/// The names of the commands on the wire. A new command begins here: the parser's switch over the names has no
/// `default`, and no switch over all of ``IMAPCommand`` has one.
enum IMAPCommandName: String, CaseIterable {
    case append = "APPEND"
    case authenticate = "AUTHENTICATE"
    case capability = "CAPABILITY"
    case check = "CHECK"
    case close = "CLOSE"
    case compress = "COMPRESS"
    case copy = "COPY"
    case create = "CREATE"
    case delete = "DELETE"
    case enable = "ENABLE"
    case examine = "EXAMINE"
    case expunge = "EXPUNGE"
    case fetch = "FETCH"
    case getMetadata = "GETMETADATA"
    case getQuota = "GETQUOTA"
    case getQuotaRoot = "GETQUOTAROOT"
    case id = "ID"
    case idle = "IDLE"
    case list = "LIST"
    case login = "LOGIN"
    case logout = "LOGOUT"
    case lsub = "LSUB"
    case move = "MOVE"
    case namespace = "NAMESPACE"
    case noop = "NOOP"
    case notify = "NOTIFY"
    case rename = "RENAME"
    case replace = "REPLACE"
    case search = "SEARCH"
    case select = "SELECT"
    case setMetadata = "SETMETADATA"
    case setQuota = "SETQUOTA"
    case sort = "SORT"
    case startTLS = "STARTTLS"
    case status = "STATUS"
    case store = "STORE"
    case subscribe = "SUBSCRIBE"
    case thread = "THREAD"
    case unselect = "UNSELECT"
    case unsubscribe = "UNSUBSCRIBE"

    /// Commands that may follow `UID`.
    static let withUID: Set<Self> = [
        .append, .copy, .expunge, .fetch, .move, .replace, .search, .sort, .store, .thread,
    ]
}

/// One pair of the ID command or answer. RFC 2971 section 3.3.
public struct IMAPIDField: Sendable, Hashable {
    public var name: String
    public var value: [UInt8]?

    public init(name: String, value: [UInt8]?) {
        self.name = name
        self.value = value
    }
}

/// Parameters of SELECT and EXAMINE. RFC 7162 sections 3.1.8 and 3.2.5.
public struct IMAPSelectParameters: Sendable, Equatable {
    public var condstore: Bool
    public var qresync: IMAPQResync?

    public init(condstore: Bool = false, qresync: IMAPQResync? = nil) {
        self.condstore = condstore
        self.qresync = qresync
    }
}

/// The state that a client remembers of a mailbox to which it returns. RFC 7162 section 3.2.5.
public struct IMAPQResync: Sendable, Equatable {
    public var uidValidity: UInt32
    public var modSeq: UInt64
    /// Never `$` and without `*`.
    public var knownUIDs: IMAPSequenceSet?
    /// Sequence numbers and the UIDs they had; the session checks that there are as many of both.
    public var matchData: MatchData?

    public struct MatchData: Sendable, Equatable {
        public var sequenceNumbers: IMAPSequenceSet
        public var uids: IMAPSequenceSet

        public init(sequenceNumbers: IMAPSequenceSet, uids: IMAPSequenceSet) {
            self.sequenceNumbers = sequenceNumbers
            self.uids = uids
        }
    }

    public init(
        uidValidity: UInt32, modSeq: UInt64, knownUIDs: IMAPSequenceSet? = nil, matchData: MatchData? = nil
    ) {
        self.uidValidity = uidValidity
        self.modSeq = modSeq
        self.knownUIDs = knownUIDs
        self.matchData = matchData
    }
}

/// STORE and UID STORE. RFC 9051 section 6.4.6, RFC 7162 section 3.1.3.
public struct IMAPStoreCommand: Sendable, Equatable {
    public var set: IMAPSequenceSet
    public var byUID: Bool
    /// UNCHANGEDSINCE; 0 is legal and fails for every message.
    public var unchangedSince: UInt64?
    public var operation: IMAPStoreOperation
    public var silent: Bool
    public var flags: [IMAPFlag]

    public init(
        set: IMAPSequenceSet, byUID: Bool, unchangedSince: UInt64? = nil, operation: IMAPStoreOperation,
        silent: Bool = false, flags: [IMAPFlag]
    ) {
        self.set = set
        self.byUID = byUID
        self.unchangedSince = unchangedSince
        self.operation = operation
        self.silent = silent
        self.flags = flags
    }
}
