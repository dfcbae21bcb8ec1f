import MailAccounts
import MailDelivery
import NIOCore
import SMTPCodec

/// The dialogue with one client as a pure state machine: events of ``SMTPFrameDecoder`` in, actions out.
///
/// The driver calls ``start()`` once, then ``handle(_:)`` for each event. An answer whose last action completes is
/// followed by ``complete(_:)`` before anything else. RFC 5321; the extensions are named where they are obeyed.
///
/// Port 25 takes `MAIL FROM` of a local address without authentication, as forwarded mail comes back that way; whoever
/// authenticates, on any port, sends from addresses of their own only.
struct SMTPSession {
    /// The stage of the dialogue, with everything that exists at that stage only.
    enum State {
        /// Commands are read; there is no transaction.
        case idle
        /// A 334 was sent: the next line is the client's response.
        case authenticating(SASLServer)
        /// Between MAIL and the content.
        case envelope(SMTPEnvelope)
        /// The octets of a chunk that was refused when it was announced are read and dropped; the reply is due at their
        /// end, and the transaction, if there is one, goes on behind it.
        case droppingChunk(SMTPReply, SMTPEnvelope?)
        /// The content of the message is being read.
        case content(SMTPEnvelope, SMTPSessionContent)
        /// The driver works; nothing else is read from the client.
        case waiting(Pending)
        case closed
    }

    /// The driver's work that the session waits for, and what goes on after it.
    enum Pending {
        case tls
        case authentication
        case scramCredentials(SASLServer)
        case transaction(SMTPEnvelope)
        case recipient(SMTPForwardPath, SMTPEnvelope)
        /// The size is that of the chunk that follows, for BDAT.
        case messageBegin(SMTPEnvelope, chunkSize: Int?)
        case append(SMTPEnvelope, SMTPSessionContent)
        /// The last bytes of the message.
        case lastAppend(SMTPEnvelope)
        case commit
    }

    let configuration: SMTPSessionConfiguration
    let role: SMTPRole
    let remoteAddress: String
    var isTLS: Bool

    var hello: Hello?
    var user: SMTPUser?
    var state = State.idle

    var messageCount = 0
    var errorCount = 0
    var refusedRecipientCount = 0
    var loginFailureCount = 0
    /// The session ends as soon as what is under way has been answered.
    private var isStopping = false

    init(configuration: SMTPSessionConfiguration, role: SMTPRole, remoteAddress: String, isTLS: Bool) {
        self.configuration = configuration
        self.role = role
        self.remoteAddress = remoteAddress
        self.isTLS = isTLS
    }

    /// Takes the next event; the driver has completed its work.
    mutating func handle(_ event: SMTPFrameDecoder.Event) -> [SMTPSessionAction] {
        switch state {
        case .waiting, .closed: return []
        case .idle, .authenticating, .envelope, .droppingChunk, .content: break
        }
        let actions =
            switch event {
            case .command(let command): handle(command)
            case .invalidCommand(let error): handle(error)
            case .authResponse(let response): handleAuthResponse(response)
            case .content(let piece): handleContent(piece)
            case .dataEnd(let fault): handleDataEnd(fault)
            case .chunkEnd(let last): handleChunkEnd(last: last)
            }
        return finished(actions)
    }

    /// Takes the outcome of the action that completes; one that does not fit what is pending is ignored.
    mutating func complete(_ completion: SMTPSessionCompletion) -> [SMTPSessionAction] {
        guard case .waiting(let pending) = state else { return [] }
        let actions: [SMTPSessionAction]
        switch (completion, pending) {
        case (.tlsPrepared(let readiness), .tls): actions = completeTLS(readiness)
        case (.authenticated(let outcome), .authentication): actions = completeAuthentication(outcome)
        case (.scramCredentials(let found), .scramCredentials(let server)):
            actions = completeSCRAMLookup(found, server)
        case (.transactionBegun(let refusal), .transaction(let envelope)):
            actions = completeTransactionBegin(refusal, envelope)
        case (.recipient(let result), .recipient(let path, let envelope)):
            actions = completeRecipient(result, path, envelope)
        case (.messageBegun(let result), .messageBegin(let envelope, let chunkSize)):
            actions = completeMessageBegin(result, envelope, chunkSize: chunkSize)
        case (.appended(let failure), .append(let envelope, let content)):
            actions = completeAppend(failure, envelope, content)
        case (.appended(let failure), .lastAppend(let envelope)): actions = completeLastAppend(failure, envelope)
        case (.committed(let outcomes), .commit): actions = completeCommit(outcomes)
        default: return []
        }
        return finished(actions)
    }

    /// The client said nothing for too long (RFC 5321 section 4.5.3.2).
    mutating func timeOut() -> [SMTPSessionAction] {
        guard !isClosed else { return [] }
        return end(with: .timedOut(configuration.hostname))
    }

    /// The server stops: an idle session ends now, a message under way is finished first.
    mutating func stop() -> [SMTPSessionAction] {
        guard !isClosed else { return [] }
        isStopping = true
        return finished([])
    }

    // MARK: - Endings

    private var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Refuses a command, and the client when it was one too many.
    mutating func refuse(_ reply: SMTPReply) -> [SMTPSessionAction] {
        errorCount += 1
        guard errorCount < configuration.maxErrors else { return [.reply(reply)] + end(with: .tooManyErrors) }
        return [.reply(reply)]
    }

    /// Refuses a command that the decoder waits behind.
    mutating func refuseWaiting(_ reply: SMTPReply) -> [SMTPSessionAction] {
        let actions = refuse(reply)
        return isClosed ? actions : actions + [.directive(.readCommands)]
    }

    /// The last reply; an open message is given up.
    mutating func end(with reply: SMTPReply, draining: Bool = true) -> [SMTPSessionAction] {
        let discard = endTransaction()
        state = .closed
        return discard + [.reply(reply), .close(draining: draining)]
    }

    /// Forgets the transaction; the action gives an open message up.
    mutating func endTransaction() -> [SMTPSessionAction] {
        defer { state = .idle }
        switch state {
        case .content(_, let content): return content.isOpen ? [.discardMessage] : []
        case .waiting(.append), .waiting(.lastAppend): return [.discardMessage]
        case .idle, .authenticating, .envelope, .droppingChunk, .waiting, .closed: return []
        }
    }

    /// Adds the end of the session when it is to stop and nothing is under way.
    private mutating func finished(_ actions: [SMTPSessionAction]) -> [SMTPSessionAction] {
        guard isStopping else { return actions }
        switch state {
        case .idle, .authenticating, .envelope: return actions + end(with: .shuttingDown(configuration.hostname))
        case .droppingChunk, .content, .waiting, .closed: return actions
        }
    }

    private mutating func handle(_ error: SMTPSyntaxError) -> [SMTPSessionAction] {
        guard !error.endsSession else { return end(with: error.reply) }
        guard case .authenticating = state else { return refuse(error.reply) }
        state = .idle
        return refuseWaiting(error.reply)
    }
}
