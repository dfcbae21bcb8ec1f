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
    /// What the session waits for from its driver.
    enum Pending {
        case tls
        case authentication
        case scramCredentials(user: String, SCRAMExchange)
        case recipient(SMTPForwardPath)
        /// The size of the chunk that follows, for BDAT.
        case messageBegin(chunkSize: Int?)
        case append
        /// The last bytes of the message.
        case lastAppend
        case commit
    }

    /// An AUTH exchange under way.
    enum AuthExchange {
        case plain
        case loginUser
        case loginPassword(user: String)
        case scramFirst
        case scramProof(user: String, SCRAMExchange)
        /// The client has the server's proof, and answers it with nothing.
        case scramEnd(user: String)
    }

    enum Phase {
        /// No transaction.
        case idle
        /// Between MAIL and the content.
        case envelope
        /// The content of the message is being read.
        case content(SMTPSessionContent)
    }

    let configuration: SMTPSessionConfiguration
    let role: SMTPRole
    let remoteAddress: String
    var isTLS: Bool

    var clientName: String?
    var isExtended = false
    var user: SMTPUser?
    var exchange: AuthExchange?
    var phase = Phase.idle
    var envelope: SMTPEnvelope?
    var pending: Pending?
    /// The reply due at the end of a chunk that was refused when it was announced.
    var refusedChunk: SMTPReply?

    /// Accepted recipients, duplicates included.
    var recipientCount = 0
    var messageCount = 0
    var errorCount = 0
    var refusedRecipientCount = 0
    var loginFailureCount = 0
    /// The session ends as soon as what is under way has been answered.
    var isStopping = false
    private(set) var isClosed = false

    init(configuration: SMTPSessionConfiguration, role: SMTPRole, remoteAddress: String, isTLS: Bool) {
        self.configuration = configuration
        self.role = role
        self.remoteAddress = remoteAddress
        self.isTLS = isTLS
    }

    /// The greeting.
    func start() -> [SMTPSessionAction] {
        [.reply(.greeting(configuration.hostname))]
    }

    /// Takes the next event; nothing may be pending.
    mutating func handle(_ event: SMTPFrameDecoder.Event) -> [SMTPSessionAction] {
        guard !isClosed, pending == nil else { return [] }
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
        guard !isClosed, let pending else { return [] }
        self.pending = nil
        let actions: [SMTPSessionAction]
        switch (completion, pending) {
        case (.tlsPrepared(let readiness), .tls): actions = completeTLS(readiness)
        case (.authenticated(let outcome), .authentication): actions = completeAuthentication(outcome)
        case (.scramCredentials(let found), .scramCredentials(let user, let scram)):
            actions = completeSCRAMLookup(found, user, scram)
        case (.recipient(let verdict), .recipient(let path)): actions = completeRecipient(verdict, path)
        case (.messageBegun(let result), .messageBegin(let chunkSize)):
            actions = completeMessageBegin(result, chunkSize: chunkSize)
        case (.appended(let failure), .append): actions = completeAppend(failure)
        case (.appended(let failure), .lastAppend): actions = completeLastAppend(failure)
        case (.committed(let failure), .commit): actions = completeCommit(failure)
        default:
            self.pending = pending
            return []
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
        isClosed = true
        return discard + [.reply(reply), .close(draining: draining)]
    }

    /// Forgets the transaction; the action gives an open message up.
    mutating func endTransaction() -> [SMTPSessionAction] {
        defer {
            phase = .idle
            envelope = nil
            recipientCount = 0
        }
        guard case .content(let content) = phase, content.isOpen else { return [] }
        return [.discardMessage]
    }

    /// Adds the end of the session when it is to stop and nothing is under way.
    private mutating func finished(_ actions: [SMTPSessionAction]) -> [SMTPSessionAction] {
        guard isStopping, !isClosed, pending == nil, refusedChunk == nil else { return actions }
        if case .content = phase { return actions }
        return actions + end(with: .shuttingDown(configuration.hostname))
    }

    private mutating func handle(_ error: SMTPSyntaxError) -> [SMTPSessionAction] {
        let wasAuthenticating = exchange != nil
        exchange = nil
        guard !error.endsSession else { return end(with: error.reply) }
        return wasAuthenticating ? refuseWaiting(error.reply) : refuse(error.reply)
    }
}
