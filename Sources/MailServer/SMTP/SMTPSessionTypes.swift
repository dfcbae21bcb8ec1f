import NIOCore
public import SMTPCodec

/// Which of the three listeners a client came to.
public enum SMTPRole: Hashable, Sendable, CaseIterable {
    /// Port 25: mail from other hosts, and from users who authenticate.
    case mx
    /// Port 587: authentication is required (RFC 6409).
    case submission
    /// Port 465: as ``submission``, under TLS from the first byte (RFC 8314).
    case smtps

    var requiresAuthentication: Bool { self != .mx }
}

/// What a session needs to know; limits in octets and counts.
public struct SMTPSessionConfiguration: Sendable {
    /// The name in the greeting, the EHLO answer and the trace fields.
    public var hostname: String
    /// True when TLS is configured: STARTTLS is offered and credentials wait for it.
    public var offersTLS: Bool
    /// The largest message, as announced by SIZE (RFC 1870).
    public var maxMessageSize = 52_428_800
    /// Recipients accepted in one transaction.
    public var maxRecipients = 50
    /// Messages accepted in one connection.
    public var maxMessages = 50
    /// The largest header of a message.
    public var maxHeaderSize = 1 << 20
    /// `Received` fields of a message above which a loop is assumed (RFC 5321 section 6.3).
    public var maxReceivedFields = 100
    /// Refused commands after which the connection is closed.
    public var maxErrors = 10
    /// Refused recipients after which the connection is closed.
    public var maxRefusedRecipients = 100
    /// Failed logins after which the connection is closed.
    public var maxLoginFailures = 10
    /// The server's half of a SCRAM exchange's nonce.
    var makeNonce: @Sendable () -> String = SCRAMExchange.randomNonce
    /// Octets of a refused message that are read and dropped before the connection is closed instead.
    public var maxDiscardedBytes = 256 << 20

    public init(hostname: String, offersTLS: Bool) {
        self.hostname = hostname
        self.offersTLS = offersTLS
    }
}

/// A user who has authenticated.
public struct SMTPUser: Hashable, Sendable {
    /// The addresses the user may send from, without regard to the case and the detail of the local part.
    public var addresses: [SMTPAddress]

    public init(addresses: [SMTPAddress]) {
        self.addresses = addresses
    }

    /// True when mail from `address` is this user's own.
    public func owns(_ address: SMTPAddress) -> Bool {
        addresses.contains { $0.domain == address.domain && $0.accountName == address.accountName }
    }
}

/// One accepted recipient.
public struct SMTPRecipient: Hashable, Sendable {
    public var path: SMTPForwardPath
    /// What ``SMTPRecipientVerdict/accepted(mailbox:)`` named; unique among the recipients of an envelope.
    public var mailbox: String
}

/// Everything about a message that is not its content.
public struct SMTPEnvelope: Hashable, Sendable {
    public var sender: SMTPReversePath
    /// The accepted recipients; several addresses of one mailbox are one recipient.
    public var recipients: [SMTPRecipient]
    public var parameters: SMTPMailParameters
    /// The authenticated user, if there is one.
    public var user: SMTPUser?
    /// The client's IP address as text, without brackets.
    public var remoteAddress: String
    /// What the client called itself in EHLO or HELO.
    public var clientName: String
    public var role: SMTPRole
    /// Commands whose recipient was accepted, those included that named a mailbox again.
    var acceptedCount = 0

    mutating func accept(_ path: SMTPForwardPath, mailbox: String) {
        acceptedCount += 1
        guard !recipients.contains(where: { $0.mailbox == mailbox }) else { return }
        recipients.append(SMTPRecipient(path: path, mailbox: mailbox))
    }
}

/// The answer to a recipient.
public enum SMTPRecipientVerdict: Hashable, Sendable {
    /// `mailbox` is a key of the caller's choice by which duplicates are told: a mailbox gets a message once.
    case accepted(mailbox: String)
    /// The domain is local, the user is not: 550 5.1.1.
    case unknownUser
    /// 550 5.2.1.
    case disabled
    /// 452 4.2.2.
    case overQuota
    /// An address elsewhere: 550 5.7.1.
    case relayNotPermitted
    /// Too many recipients from this client: 450 4.7.1.
    case rateLimited
    /// 451 4.3.0.
    case unavailable
}

/// Why a message could not be taken.
public enum SMTPStoreFailure: Error, Hashable, Sendable {
    /// A recipient's quota: 452 4.2.2.
    case overQuota
    /// No space: 452 4.3.1.
    case noSpace
    /// Too many messages from this client: 451 4.7.1.
    case rateLimited
    /// Anything else that may pass: 451 4.3.0.
    case unavailable
}

/// What a session asks of its driver. The actions of one answer are done in order; the ones marked *completes* stand
/// last, and nothing else is handed to the session before their completion.
enum SMTPSessionAction: Hashable, Sendable {
    case reply(SMTPReply)
    case directive(SMTPFrameDecoder.Directive)
    /// Puts TLS on the connection; what is written from now on is encrypted.
    case startTLS
    /// Gives the open message up; nothing of it stays.
    case discardMessage
    /// Closes the connection once the replies before it are written. No event is handled after it. With `draining` the
    /// client may still be sending, and is given time to read the reply.
    case close(draining: Bool)
    /// Completes with ``SMTPSessionCompletion/tlsPrepared(_:)``.
    case prepareTLS
    /// Completes with ``SMTPSessionCompletion/authenticated(_:)``.
    case authenticate(LoginAttempt)
    /// Completes with ``SMTPSessionCompletion/scramCredentials(_:)``.
    case findSCRAMCredentials(user: String)
    /// Completes with ``SMTPSessionCompletion/recipient(_:)``.
    case checkRecipient(SMTPForwardPath, SMTPEnvelope)
    /// Completes with ``SMTPSessionCompletion/messageBegun(_:)``.
    case beginMessage(SMTPEnvelope)
    /// Completes with ``SMTPSessionCompletion/appended(_:)``.
    case append(ByteBuffer)
    /// Completes with ``SMTPSessionCompletion/committed(_:)``.
    case commit(SMTPEnvelope)
}

/// Whether TLS can start.
enum SMTPTLSReadiness: Hashable, Sendable {
    case ready
    /// The client sent more in clear behind STARTTLS.
    case plaintextBehind
    case unavailable
}

/// Values of the moment that a message's trace and added fields need.
struct SMTPMessageStamp: Hashable, Sendable {
    /// A token of letters and digits, unique on this host.
    var id: String
    /// The date in the form of RFC 5322 section 3.3.
    var date: String
}

/// How an action that completes ended.
enum SMTPSessionCompletion: Sendable {
    case tlsPrepared(SMTPTLSReadiness)
    case authenticated(LoginOutcome)
    case scramCredentials(SCRAMLookup)
    case recipient(SMTPRecipientVerdict)
    case messageBegun(Result<SMTPMessageStamp, SMTPStoreFailure>)
    case appended(SMTPStoreFailure?)
    case committed(SMTPStoreFailure?)
}
