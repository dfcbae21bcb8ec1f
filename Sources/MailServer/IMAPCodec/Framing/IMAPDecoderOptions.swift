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
    /// Mailbox names are raw UTF-8: set when UTF8=ACCEPT or IMAP4rev2 is enabled.
    public var acceptsUTF8: Bool

    public init(
        maximumLineLength: Int = 65_536, maximumLiteralBytes: Int = 65_536, maximumAppendSize: Int = 52_428_800,
        maximumDiscard: Int = 67_108_864, maximumNonSynchronisingLiteral: Int? = nil, acceptsUTF8: Bool = false
    ) {
        self.maximumLineLength = maximumLineLength
        self.maximumLiteralBytes = maximumLiteralBytes
        self.maximumAppendSize = maximumAppendSize
        self.maximumDiscard = maximumDiscard
        self.maximumNonSynchronisingLiteral = maximumNonSynchronisingLiteral
        self.acceptsUTF8 = acceptsUTF8
    }

    /// Tight limits for a connection that has not logged in; lines have room for a SASL token.
    public static let unauthenticated = IMAPDecoderOptions(
        maximumLineLength: 16_384, maximumLiteralBytes: 8_192, maximumAppendSize: 0, maximumDiscard: 65_536)
}
