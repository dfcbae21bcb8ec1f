import MailAccounts
import MailDelivery
import NIOCore
import SMTPCodec

/// The listener that a client connected to.
package enum SMTPRole: Hashable, Sendable, CaseIterable {
    /// Port 25: mail from other hosts, and from authenticated users.
    case mx
    /// Port 587: authentication is required (RFC 6409).
    case submission
    /// Port 465: like ``submission``, with TLS from the first byte (RFC 8314).
    case smtps

    var requiresAuthentication: Bool { self != .mx }
}

/// The settings of a session. Sizes are in octets.
package struct SMTPSessionConfiguration: Sendable {
    /// The name in the greeting, the EHLO reply and the trace fields.
    package var hostname: String
    /// True if TLS is configured: STARTTLS is offered, and credentials are refused before it.
    package var offersTLS: Bool
    /// The maximum message size, announced by SIZE (RFC 1870).
    package var maxMessageSize = 52_428_800
    /// The maximum number of recipients in one transaction.
    package var maxRecipients = 1000
    /// The maximum number of messages in one connection.
    package var maxMessages = 50
    /// The maximum header size of a message.
    package var maxHeaderSize = 1 << 20
    /// The number of `Received` fields above which a loop is assumed (RFC 5321 section 6.3).
    package var maxReceivedFields = 100
    /// The number of refused commands after which the connection is closed.
    package var maxErrors = 10
    /// The number of refused recipients after which the connection is closed.
    package var maxRefusedRecipients = 100
    /// The number of failed logins after which the connection is closed.
    package var maxLoginFailures = 10
    /// Makes the server's half of a SCRAM nonce.
    var makeNonce: @Sendable () -> String = SCRAMExchange.randomNonce
    /// The octets of a refused message that are read and dropped before the connection is closed.
    package var maxDiscardedBytes = 256 << 20

    package init(hostname: String, offersTLS: Bool) {
        self.hostname = hostname
        self.offersTLS = offersTLS
    }
}

/// An action for the driver of a session. Actions are performed in order. One documented as completing is the last of
/// its list, and its completion must be the next call to the session.
enum SMTPSessionAction: Hashable, Sendable {
    case reply(SMTPReply)
    case directive(SMTPFrameDecoder.Directive)
    /// Starts TLS on the connection; later writes are encrypted.
    case startTLS
    /// Discards the open message completely.
    case discardMessage
    /// Closes the connection after writing the preceding replies; no further event is handled. With `draining`, a
    /// client that is still sending gets time to read the reply.
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

/// The result of preparing STARTTLS.
enum SMTPTLSReadiness: Hashable, Sendable {
    case ready
    /// The client sent more in clear after STARTTLS.
    case plaintextBehind
    case unavailable
}

/// The id and date for a message's trace and added fields.
struct SMTPMessageStamp: Hashable, Sendable {
    /// A token of letters and digits, unique on this host.
    var id: String
    /// The date in the form of RFC 5322 section 3.3.
    var date: String
}

/// The outcome of a completing action.
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
