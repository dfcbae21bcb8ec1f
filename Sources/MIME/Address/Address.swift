/// A mailbox of an address field (RFC 5322 section 3.4), unquoted; encoded words are not decoded.
public struct Address: Sendable, Equatable {
    /// The display name, or the comment after the address; nil if there is neither.
    public let name: [UInt8]?
    /// The obsolete source route, such as "@a,@b"; nil in all mail of this century.
    public let route: [UInt8]?
    /// The local part; empty if the field has none.
    public let mailbox: [UInt8]
    /// The domain or bracketed literal; empty if the field has none.
    public let host: [UInt8]

    public init(name: [UInt8]?, route: [UInt8]? = nil, mailbox: [UInt8], host: [UInt8]) {
        self.name = name
        self.route = route
        self.mailbox = mailbox
        self.host = host
    }
}

/// One entry of an address list, in the flat form of IMAP's ENVELOPE (RFC 3501 section 7.4.2).
public enum AddressEntry: Sendable, Equatable {
    case mailbox(Address)
    case groupStart(name: [UInt8])
    /// Closes the group; there is one for each start, even if the field lacks it.
    case groupEnd
}
