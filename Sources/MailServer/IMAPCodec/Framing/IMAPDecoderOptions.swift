/// Limits and dialect of a connection; may be changed while the decoder is paused.
public struct IMAPDecoderOptions: Sendable, Hashable {
    /// Longest command in octets, over all its lines, literals not counted.
    public var maximumLineLength: Int
    /// Octets of all literal arguments of a command together, messages of APPEND not counted.
    public var maximumLiteralBytes: Int
    /// Octets of one message of APPEND or REPLACE.
    public var maximumAppendSize: Int
    /// Octets of a refused command that are read and discarded before the connection is given up.
    public var maximumDiscard: Int
    /// Largest `{n+}` (LITERAL- has 4096); nil for LITERAL+.
    public var maximumNonSynchronisingLiteral: Int?
    /// Keys of one search, operators and parentheses not counted.
    public var maximumSearchKeys: Int
    /// Mailbox names are raw UTF-8: set when UTF8=ACCEPT or IMAP4rev2 is enabled.
    public var acceptsUTF8: Bool

    public init(
        maximumLineLength: Int = 65_536, maximumLiteralBytes: Int = 65_536, maximumAppendSize: Int = 52_428_800,
        maximumDiscard: Int = 67_108_864, maximumNonSynchronisingLiteral: Int? = nil,
        maximumSearchKeys: Int = 10_000, acceptsUTF8: Bool = false
    ) {
        self.maximumLineLength = maximumLineLength
        self.maximumLiteralBytes = maximumLiteralBytes
        self.maximumAppendSize = maximumAppendSize
        self.maximumDiscard = maximumDiscard
        self.maximumNonSynchronisingLiteral = maximumNonSynchronisingLiteral
        self.maximumSearchKeys = maximumSearchKeys
        self.acceptsUTF8 = acceptsUTF8
    }

    /// Tight limits for a connection that has not logged in; there is room for the longest ID: 30 names of 30 octets and
    /// values of 1,024 (RFC 2971 section 3.3), as literals or in quotes that escape each octet.
    public static let unauthenticated = IMAPDecoderOptions(
        maximumLineLength: 65_536, maximumLiteralBytes: 32_768, maximumAppendSize: 0, maximumDiscard: 131_072)
}
