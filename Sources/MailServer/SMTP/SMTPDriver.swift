import MailAccounts
import MailDelivery
import NIOCore
import SMTPCodec
import ServerRuntime
import ShardFS

/// Runs one session: feeds bytes through the decoder into the session, and performs its actions on the client and the
/// backend.
final class SMTPDriver: ConnectionDriver {
    /// The size at which batched replies are flushed, so that channel writability reveals a client that does not read.
    private static let piece = 16_384

    private let backend: any SMTPBackend
    private let remoteAddress: String
    private var session: SMTPSession
    private var decoder: SMTPFrameDecoder
    private var actions: ArraySlice<SMTPSessionAction> = []
    private var replies = ByteBuffer()
    private var transaction: (any SMTPTransaction)?
    private var message: (any SMTPIncomingMessage)?
    let idleTimeout: TimeAmount
    private let loginTimeout: TimeAmount
    private let place: ConnectionPlace
    private let eventLoop: any EventLoop
    /// The start of the connection or the end of its last transaction.
    private var quietSince: NIODeadline

    init(
        _ configuration: SMTPServerConfiguration, backend: any SMTPBackend, accepted: AcceptedConnection<SMTPRole>
    ) {
        self.backend = backend
        remoteAddress = accepted.remoteAddress
        idleTimeout = configuration.idleTimeout
        // A host with mail has five minutes to begin with it (RFC 5321 section 4.5.3.2).
        loginTimeout =
            accepted.role.requiresAuthentication
            ? configuration.loginTimeout : max(configuration.loginTimeout, configuration.idleTimeout)
        place = accepted.place
        eventLoop = accepted.channel.eventLoop
        quietSince = eventLoop.now
        var rules = configuration.session
        rules.offersTLS = accepted.offersTLS
        session = SMTPSession(
            configuration: rules, role: accepted.role, remoteAddress: accepted.remoteAddress,
            isTLS: accepted.role.usesImplicitTLS)
        var limits = SMTPFrameDecoder.Limits()
        limits.lineLength = configuration.maxLineLength
        limits.pathLength = configuration.maxPathLength
        decoder = SMTPFrameDecoder(limits: limits)
    }

    var loginDeadline: NIODeadline? {
        session.user != nil || session.isInTransaction ? nil : quietSince + loginTimeout
    }

    func take(_ bytes: ByteBuffer) { decoder.append(bytes) }

    func note(_ notice: ConnectionNotice, on connection: ConnectionHandler) {
        switch notice {
        case .start: actions += session.start()
        case .timeOut: actions += session.timeOut()
        case .stop: actions += session.stop()
        case .revoked: actions += session.revoke()
        }
    }

    func advance(on connection: ConnectionHandler) {
        while connection.isFree {
            if let action = actions.popFirst() {
                perform(action, on: connection)
            } else if connection.isWritable, let event = decoder.next() {
                if session.isInTransaction { quietSince = eventLoop.now }
                actions = session.handle(event)[...]
            } else {
                break
            }
            if replies.readableBytes > Self.piece { flushReplies(to: connection) }
        }
        flushReplies(to: connection)
        if connection.isFree, connection.isInputClosed, connection.isWritable {
            close(connection, draining: false)
        }
    }

    func end(then: @escaping @Sendable () -> Void) {
        actions = []
        guard let message else { return then() }
        self.message = nil
        Task {
            await message.discard()
            then()
        }
    }

    private func flushReplies(to connection: ConnectionHandler) {
        guard replies.readableBytes > 0 else { return }
        connection.write(replies)
        replies = ByteBuffer()
    }

    private func close(_ connection: ConnectionHandler, draining: Bool) {
        actions = []
        discardMessage(on: connection)
        let last = replies
        replies = ByteBuffer()
        connection.close(draining: draining, last: last)
    }

    // MARK: - Actions

    private func perform(_ action: SMTPSessionAction, on connection: ConnectionHandler) {
        switch action {
        case .reply(let reply):
            reply.encode(into: &replies)
        case .directive(let directive):
            decoder.apply(directive)
        case .close(let draining):
            close(connection, draining: draining)
        case .prepareTLS:
            complete(.tlsPrepared(prepareTLS(on: connection)))
        case .startTLS:
            // The 220 reply is sent in clear.
            flushReplies(to: connection)
            connection.startTLS()
        case .authenticate(let attempt):
            let (logins, remoteAddress) = (backend.logins, remoteAddress)
            let place = place
            work(on: connection) {
                let outcome = await logins.decide(attempt, from: remoteAddress)
                guard case .accepted(let account) = outcome, !place.logIn(account.address.description) else {
                    return .authenticated(outcome)
                }
                return .authenticated(.tooManyConnections)
            }
        case .findSCRAMCredentials(let user):
            let (logins, remoteAddress) = (backend.logins, remoteAddress)
            work(on: connection) { .scramCredentials(await logins.scramCredentials(of: user, from: remoteAddress)) }
        case .beginTransaction(let envelope):
            beginTransaction(envelope, on: connection)
        case .checkRecipient(let path, let envelope):
            guard let transaction else { return complete(.recipient(.failure(.cannotCheckRecipient))) }
            work(on: connection) {
                .recipient(
                    await Self.result { () throws(Refusal) in try await transaction.recipient(path, in: envelope) })
            }
        case .beginMessage(let envelope):
            beginMessage(envelope, on: connection)
        case .append(let bytes):
            guard let message else { return complete(.appended(.cannotStore)) }
            work(on: connection) {
                .appended(await Self.result { () throws(Refusal) in try await message.append(bytes) }.refusal)
            }
        case .commit(let envelope):
            guard let message else { return complete(.committed([.refused(.cannotStore)])) }
            self.message = nil
            work(on: connection) { .committed(await message.commit(envelope)) }
        case .discardMessage:
            discardMessage(on: connection)
        }
    }

    private func prepareTLS(on connection: ConnectionHandler) -> SMTPTLSReadiness {
        guard decoder.bufferedBytes == 0 else { return .plaintextBehind }
        return connection.prepareTLS() ? .ready : .unavailable
    }

    private func beginTransaction(_ envelope: SMTPEnvelope, on connection: ConnectionHandler) {
        let backend = backend
        run(on: connection) {
            await Self.result { () throws(Refusal) in try await backend.begin(envelope) }
        } then: { driver, result in
            driver.transaction = try? result.get()
            driver.complete(.transactionBegun(result.refusal))
        }
    }

    private func beginMessage(_ envelope: SMTPEnvelope, on connection: ConnectionHandler) {
        guard let transaction else { return complete(.messageBegun(.failure(.cannotStore))) }
        run(on: connection) {
            await Self.result { () throws(Refusal) in try await transaction.beginMessage(envelope) }
        } then: { driver, result in
            driver.message = try? result.get()
            driver.complete(.messageBegun(result.map { _ in .now() }))
        }
    }

    private func discardMessage(on connection: ConnectionHandler) {
        guard let message else { return }
        self.message = nil
        run(on: connection) {
            await message.discard()
        } then: { _, _ in
        }
    }

    private static func result<Value>(
        of work: () async throws(Refusal) -> Value
    ) async -> Result<Value, Refusal> {
        do throws(Refusal) { return .success(try await work()) } catch { return .failure(error) }
    }

    /// Runs backend work and passes its outcome to the session.
    private func work(on connection: ConnectionHandler, _ body: @escaping @Sendable () async -> SMTPSessionCompletion) {
        run(on: connection, body) { driver, completion in driver.complete(completion) }
    }

    private func complete(_ completion: SMTPSessionCompletion) {
        actions = session.complete(completion)[...] + actions
    }

    /// Runs `body` off the event loop and then `next` on it; the connection does nothing else until then.
    private func run<Outcome: Sendable>(
        on connection: ConnectionHandler, _ body: @escaping @Sendable () async -> Outcome,
        then next: @escaping @Sendable (SMTPDriver, Outcome) -> Void
    ) {
        connection.beginWork()
        let eventLoop = connection.eventLoop
        let bound = NIOLoopBound((self, connection), eventLoop: eventLoop)
        Task {
            let outcome = await body()
            eventLoop.execute {
                let (driver, connection) = bound.value
                connection.endWork()
                next(driver, outcome)
                connection.advance()
            }
        }
    }
}

extension Result where Failure == Refusal {
    fileprivate var refusal: Refusal? {
        guard case .failure(let refusal) = self else { return nil }
        return refusal
    }
}
