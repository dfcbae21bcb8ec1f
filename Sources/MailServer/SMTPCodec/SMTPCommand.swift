/// A client command with typed arguments.
public enum SMTPCommand: Hashable, Sendable {
    case helo(String)
    case ehlo(String)
    /// The LMTP greeting (RFC 2033).
    case lhlo(String)
    case mail(SMTPReversePath, SMTPMailParameters)
    case rcpt(SMTPForwardPath, SMTPRcptParameters)
    /// The decoder then waits for a directive.
    case data
    /// A chunk of `size` octets follows without any encoding (RFC 3030). The decoder delivers it regardless of the
    /// reply.
    case bdat(size: Int, last: Bool)
    case rset
    case noop
    case quit
    case vrfy(String)
    case expn(String)
    case help
    /// The decoder then waits for a directive (RFC 3207).
    case startTLS
    /// The decoder then waits for a directive (RFC 4954). The mechanism is in upper case.
    case auth(mechanism: String, initialResponse: SMTPAuthResponse?)
    /// An unknown verb, in upper case and cut to 32 characters.
    case unknown(String)
}

/// The known parameters of MAIL FROM, with defaults for those not given.
public struct SMTPMailParameters: Hashable, Sendable {
    /// SIZE in octets (RFC 1870); a number too large for `Int` becomes `Int.max`.
    public var size: Int?
    /// BODY (RFC 6152, RFC 3030).
    public var body: SMTPBodyType?
    /// SMTPUTF8 (RFC 6531).
    public var smtpUTF8 = false
    /// AUTH, decoded from xtext; `<>` if the client does not know the submitter (RFC 4954 section 5).
    public var auth: String?
    /// RET (RFC 3461).
    public var returnContent: SMTPReturnContent?
    /// ENVID, decoded from xtext (RFC 3461).
    public var envelopeID: String?
    /// REQUIRETLS (RFC 8689).
    public var requireTLS = false

    public init() {}
}

/// The value of BODY=.
public enum SMTPBodyType: Hashable, Sendable {
    case sevenBit
    case eightBitMIME
    case binaryMIME
}

/// The value of RET=.
public enum SMTPReturnContent: Hashable, Sendable {
    case full
    case headers
}

/// The known parameters of RCPT TO (RFC 3461).
public struct SMTPRcptParameters: Hashable, Sendable {
    /// NOTIFY; nil if not given, as opposed to an empty set (NEVER).
    public var notify: SMTPNotify?
    /// ORCPT.
    public var originalRecipient: SMTPOriginalRecipient?

    public init() {}
}

/// The conditions of NOTIFY=; the empty set is NEVER.
public struct SMTPNotify: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let success = SMTPNotify(rawValue: 1)
    public static let failure = SMTPNotify(rawValue: 2)
    public static let delay = SMTPNotify(rawValue: 4)
}

/// The value of ORCPT=: an address type, and the address decoded from xtext.
public struct SMTPOriginalRecipient: Hashable, Sendable {
    /// In lower case, usually `rfc822`.
    public var addressType: String
    public var address: String

    public init(addressType: String, address: String) {
        self.addressType = addressType
        self.address = address
    }
}

/// A client's response in an authentication exchange (RFC 4954 section 4).
public enum SMTPAuthResponse: Hashable, Sendable {
    case data([UInt8])
    /// The line `*`.
    case cancel
    /// Not base64.
    case malformed
}
