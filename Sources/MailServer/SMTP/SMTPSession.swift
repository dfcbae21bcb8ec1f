import MailAccounts
import MailDelivery
import NIOCore
import SMTPCodec

/// The session with one client (RFC 5321) as a pure state machine: ``SMTPFrameDecoder`` events in, actions out.
///
/// The driver calls ``start()`` once, then ``handle(_:)`` for each event. If the last returned action is a completing
/// one, ``complete(_:)`` must be the next call.
///
/// Port 25 accepts `MAIL FROM` with a local address without authentication, because forwarded mail returns that way. An
/// authenticated user, on any port, may send only from their own addresses.
struct SMTPSession {
    /// The stage of the session, with the data of that stage.
    enum State {
        /// Reading commands, outside a transaction.
        case idle
        /// A 334 reply was sent: the next line is the client's response.
        case authenticating(SASLServer)
        /// Between MAIL and the content.
        case envelope(SMTPEnvelope)
        /// Reading and dropping a chunk refused when it was announced; the reply is sent at its end, and the
        /// transaction, if any, continues.
        case droppingChunk(SMTPReply, SMTPEnvelope?)
        /// Reading the content of the message.
        case content(SMTPEnvelope, SMTPSessionContent)
        /// Waiting for the driver; nothing is read from the client.
        case waiting(Pending)
        case closed
    }

    /// The driver's pending work, with the data needed to continue after it.
    enum Pending {
        case tls
        case authentication
        case scramCredentials(SASLServer)
        case transaction(SMTPEnvelope)
        case recipient(SMTPForwardPath, SMTPEnvelope)
        /// `chunkSize` is the size of the chunk that follows a BDAT; nil for DATA.
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
    /// The end that waits for what is under way.
    private enum Ending {
        case none
        /// As soon as what is under way has been answered.
        case stopping
        /// As soon as the driver is done: the account may no longer be used.
        case revoked
    }
    private var ending = Ending.none

    init(configuration: SMTPSessionConfiguration, role: SMTPRole, remoteAddress: String, isTLS: Bool) {
        self.configuration = configuration
        self.role = role
        self.remoteAddress = remoteAddress
        self.isTLS = isTLS
    }

    /// Handles the next event. The driver must have no work pending.
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

    /// Handles the outcome of a completing action; one that does not match the pending work is ignored.
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

    /// Ends the session of a client that was idle for too long (RFC 5321 section 4.5.3.2).
    mutating func timeOut() -> [SMTPSessionAction] {
        guard !isClosed else { return [] }
        return end(with: .timedOut(configuration.hostname))
    }

    /// Stops the session: at once if it is idle, otherwise after the current message.
    mutating func stop() -> [SMTPSessionAction] {
        guard !isClosed else { return [] }
        if case .none = ending { ending = .stopping }
        return finished([])
    }

    /// The account may no longer be used: the session ends now, and a message under way is given up.
    mutating func revoke() -> [SMTPSessionAction] {
        guard !isClosed else { return [] }
        ending = .revoked
        return finished([])
    }

    /// Whether a transaction is under way.
    var isInTransaction: Bool {
        switch state {
        case .envelope, .droppingChunk, .content: true
        case .waiting(.tls), .waiting(.authentication), .waiting(.scramCredentials): false
        case .waiting: true
        case .idle, .authenticating, .closed: false
        }
    }

    // MARK: - Endings

    private var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Refuses a command, and ends the session after too many refusals.
    mutating func refuse(_ reply: SMTPReply) -> [SMTPSessionAction] {
        errorCount += 1
        guard errorCount < configuration.maxErrors else { return [.reply(reply)] + end(with: .tooManyErrors) }
        return [.reply(reply)]
    }

    /// Refuses a command after which the decoder waits for a directive.
    mutating func refuseWaiting(_ reply: SMTPReply) -> [SMTPSessionAction] {
        let actions = refuse(reply)
        return isClosed ? actions : actions + [.directive(.readCommands)]
    }

    /// Sends the last reply, discarding an open message.
    mutating func end(with reply: SMTPReply, draining: Bool = true) -> [SMTPSessionAction] {
        let discard = endTransaction()
        state = .closed
        return discard + [.reply(reply), .close(draining: draining)]
    }

    /// Ends the transaction; returns the action that discards an open message, if any.
    mutating func endTransaction() -> [SMTPSessionAction] {
        defer { state = .idle }
        switch state {
        case .content(_, let content): return content.isOpen ? [.discardMessage] : []
        case .waiting(.append), .waiting(.lastAppend): return [.discardMessage]
        case .idle, .authenticating, .envelope, .droppingChunk, .waiting, .closed: return []
        }
    }

    /// Appends the end of the session if it is stopping and nothing is pending.
    private mutating func finished(_ actions: [SMTPSessionAction]) -> [SMTPSessionAction] {
        switch (ending, state) {
        case (.none, _), (_, .waiting), (_, .closed): return actions
        case (.revoked, _): return actions + end(with: .accountDisabled)
        case (.stopping, .droppingChunk), (.stopping, .content): return actions
        case (.stopping, _): return actions + end(with: .shuttingDown(configuration.hostname))
        }
    }

    private mutating func handle(_ error: SMTPSyntaxError) -> [SMTPSessionAction] {
        guard !error.endsSession else { return end(with: error.reply) }
        if let size = error.chunkSize { return malformedChunk(size, error.reply) }
        guard case .authenticating = state else { return refuse(error.reply) }
        state = .idle
        return refuseWaiting(error.reply)
    }
}
