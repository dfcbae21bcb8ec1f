/// SEARCH and UID SEARCH. RFC 9051 section 6.4.4, RFC 4731, RFC 5182, RFC 9394.
public struct IMAPSearchCommand: Sendable, Equatable {
    public var byUID: Bool
    /// Nil when the client wrote no RETURN; a rev1 client then gets a SEARCH response. `RETURN ()` is parsed as ALL.
    public var returnOptions: IMAPSearchReturn?
    /// The charset's name in upper case; nil without CHARSET. Strings of the keys are bytes of this charset.
    public var charset: String?
    public var program: IMAPSearchProgram

    public init(
        byUID: Bool, returnOptions: IMAPSearchReturn? = nil, charset: String? = nil, program: IMAPSearchProgram
    ) {
        self.byUID = byUID
        self.returnOptions = returnOptions
        self.charset = charset
        self.program = program
    }
}

/// RETURN options of SEARCH and SORT.
public struct IMAPSearchReturn: Sendable, Hashable {
    public var min: Bool
    public var max: Bool
    public var all: Bool
    public var count: Bool
    public var save: Bool
    /// Excludes `all` (RFC 9394 section 3.1).
    public var partial: IMAPPartialRange?

    public init(
        min: Bool = false, max: Bool = false, all: Bool = false, count: Bool = false, save: Bool = false,
        partial: IMAPPartialRange? = nil
    ) {
        self.min = min
        self.max = max
        self.all = all
        self.count = count
        self.save = save
        self.partial = partial
    }
}

/// The criteria of a search, all of which must hold, in prefix notation: `OR SEEN NOT DRAFT` is `or`, `key`, `not`,
/// `key`. Clients nest criteria as deep as a line allows, so nothing that handles them may recurse, not even their
/// release.
public struct IMAPSearchProgram: Sendable, Hashable {
    public enum Term: Sendable, Hashable {
        case key(IMAPSearchKey)
        /// Inverts the next criterion.
        case not
        /// Joins the next two criteria.
        case or
        /// Parentheses around the next criteria, as many as this.
        case and(Int)
    }

    /// At least one criterion.
    public var terms: [Term]

    public init(_ terms: [Term]) { self.terms = terms }

    /// The keys without the operators that join them.
    public var keys: some Sequence<IMAPSearchKey> {
        terms.lazy.compactMap { if case .key(let key) = $0 { key } else { nil } }
    }
}

/// One search key.
public enum IMAPSearchKey: Sendable, Hashable {
    /// The comparison of a date key: BEFORE, ON or SINCE (which includes its day).
    public enum DateComparison: Sendable, Hashable { case before, on, since }

    case all
    /// The message has the flag: ANSWERED, KEYWORD x, RECENT, …
    case flag(IMAPFlag)
    /// The message lacks the flag: UNSEEN, UNKEYWORD x, OLD, …
    case withoutFlag(IMAPFlag)
    /// NEW: recent and not seen.
    case new
    /// Sequence numbers, or the saved result.
    case sequence(IMAPSequenceSet)
    case uid(IMAPSequenceSet)
    /// HEADER field value, also SUBJECT; an empty value asks whether the field exists.
    case header(field: String, value: [UInt8])
    /// BCC, CC, FROM and TO: in the field of the envelope; an empty value asks whether there is one.
    case address(field: String, value: [UInt8])
    case body([UInt8])
    case text([UInt8])
    /// The day of INTERNALDATE, zone disregarded.
    case internalDate(DateComparison, IMAPDate)
    /// SENTBEFORE, SENTON, SENTSINCE: the day in the Date field.
    case sentDate(DateComparison, IMAPDate)
    /// RFC 8514
    case saveDate(DateComparison, IMAPDate)
    /// RFC 8514: does the mailbox keep save dates?
    case saveDateSupported
    case larger(UInt64)
    case smaller(UInt64)
    /// Seconds. RFC 5032
    case older(UInt32)
    /// Seconds. RFC 5032
    case younger(UInt32)
    /// The optional entry of RFC 7162 section 3.1.5 is parsed and dropped: one MODSEQ covers all metadata.
    case modSeq(UInt64)
    /// RFC 8474
    case emailID(String)
    /// RFC 8474
    case threadID(String)
}

/// SORT and UID SORT. RFC 5256, RFC 5957, RETURN of RFC 5267.
public struct IMAPSortCommand: Sendable, Equatable {
    public var byUID: Bool
    public var returnOptions: IMAPSearchReturn?
    /// At least one.
    public var criteria: [IMAPSortCriterion]
    public var charset: String
    public var program: IMAPSearchProgram

    public init(
        byUID: Bool, returnOptions: IMAPSearchReturn? = nil, criteria: [IMAPSortCriterion], charset: String,
        program: IMAPSearchProgram
    ) {
        self.byUID = byUID
        self.returnOptions = returnOptions
        self.criteria = criteria
        self.charset = charset
        self.program = program
    }
}

/// One sort key with its direction.
public struct IMAPSortCriterion: Sendable, Hashable {
    public enum Key: String, Sendable, Hashable, CaseIterable {
        case arrival = "ARRIVAL"
        case cc = "CC"
        case date = "DATE"
        case from = "FROM"
        case size = "SIZE"
        case subject = "SUBJECT"
        case to = "TO"
        case displayFrom = "DISPLAYFROM"
        case displayTo = "DISPLAYTO"
    }

    public var key: Key
    public var reverse: Bool

    public init(_ key: Key, reverse: Bool = false) {
        self.key = key
        self.reverse = reverse
    }
}

/// THREAD and UID THREAD. RFC 5256.
public struct IMAPThreadCommand: Sendable, Equatable {
    public var byUID: Bool
    /// Upper case: `REFERENCES`, `ORDEREDSUBJECT`, or one that the session refuses.
    public var algorithm: String
    public var charset: String
    public var program: IMAPSearchProgram

    public init(byUID: Bool, algorithm: String, charset: String, program: IMAPSearchProgram) {
        self.byUID = byUID
        self.algorithm = algorithm
        self.charset = charset
        self.program = program
    }
}
