import MailAccounts
import MailDelivery
import NIOCore
import SMTPCodec

/// Which of the three listeners a client came to.
package enum SMTPRole: Hashable, Sendable, CaseIterable {
    /// Port 25: mail from other hosts, and from users who authenticate.
    case mx
    /// Port 587: authentication is required (RFC 6409).
    case submission
    /// Port 465: as ``submission``, under TLS from the first byte (RFC 8314).
    case smtps

    var requiresAuthentication: Bool { self != .mx }
}

/// What a session needs to know; limits in octets and counts.
package struct SMTPSessionConfiguration: Sendable {
    /// The name in the greeting, the EHLO answer and the trace fields.
    package var hostname: String
    /// True when TLS is configured: STARTTLS is offered and credentials wait for it.
    package var offersTLS: Bool
    /// The largest message, as announced by SIZE (RFC 1870).
    package var maxMessageSize = 52_428_800
    /// Recipients accepted in one transaction.
    package var maxRecipients = 50
    /// Messages accepted in one connection.
    package var maxMessages = 50
    /// The largest header of a message.
    package var maxHeaderSize = 1 << 20
    /// `Received` fields of a message above which a loop is assumed (RFC 5321 section 6.3).
    package var maxReceivedFields = 100
    /// Refused commands after which the connection is closed.
    package var maxErrors = 10
    /// Refused recipients after which the connection is closed.
    package var maxRefusedRecipients = 100
    /// Failed logins after which the connection is closed.
    package var maxLoginFailures = 10
    /// The server's half of a SCRAM exchange's nonce.
    var makeNonce: @Sendable () -> String = SCRAMExchange.randomNonce
    /// Octets of a refused message that are read and dropped before the connection is closed instead.
    package var maxDiscardedBytes = 256 << 20

    package init(hostname: String, offersTLS: Bool) {
        self.hostname = hostname
        self.offersTLS = offersTLS
    }
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
    /// Completes with ``SMTPSessionCompletion/transactionBegun(_:)``.
    case beginTransaction(SMTPEnvelope)
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
    case transactionBegun(Refusal?)
    case recipient(Result<[Destination], Refusal>)
    case messageBegun(Result<SMTPMessageStamp, Refusal>)
    case appended(Refusal?)
    case committed([RecipientOutcome])
}
