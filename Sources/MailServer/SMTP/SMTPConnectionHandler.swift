import NIOCore
import NIOSSL
import SMTPCodec

/// Runs one session on its event loop: bytes through the decoder into the session, and the session's actions out to the
/// client and the backend.
///
/// One thing happens at a time. While the backend works, and while the client does not take its replies, no event is
/// taken from the decoder and nothing is read from the socket: that is the whole of the back-pressure. STARTTLS is safe
/// for the same reason: its handler is put in place before another byte is read.
final class SMTPConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Environment: Sendable {
        var configuration: SMTPServerConfiguration
        var backend: any SMTPBackend
        /// The certificate of the moment; asked for each handshake.
        var tls: ConnectionServer.TLSProvider?
        var makeStamp: @Sendable () -> SMTPMessageStamp
        /// Told once the connection is gone and nothing of it is under way.
        var onFinish: @Sendable () -> Void
    }

    private enum Life {
        case open
        /// The last reply is written; what still comes is dropped.
        case closing
        case closed
    }

    let environment: Environment
    private let remoteAddress: String
    private var session: SMTPSession
    private var decoder: SMTPFrameDecoder
    private var context: ChannelHandlerContext?
    private var life = Life.open
    private var actions: ArraySlice<SMTPSessionAction> = []
    private var output = ByteBuffer()
    private var message: (any SMTPIncomingMessage)?
    private var tlsContext: NIOSSLContext?
    private var isBusy = false
    private var isAdvancing = false
    private var isReading = false
    private var isInputClosed = false
    private var hasFinished = false
    private var lastActivity = NIODeadline.now()
    private var idleTimer: Scheduled<Void>?
    private var closeTimer: Scheduled<Void>?

    init(environment: Environment, role: SMTPRole, remoteAddress: String, isTLS: Bool) {
        self.environment = environment
        self.remoteAddress = remoteAddress
        session = SMTPSession(
            configuration: environment.configuration.session, role: role, remoteAddress: remoteAddress, isTLS: isTLS)
        var limits = SMTPFrameDecoder.Limits()
        limits.lineLength = environment.configuration.maxLineLength
        decoder = SMTPFrameDecoder(limits: limits)
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin() }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard life == .open else { return }
        lastActivity = .now()
        decoder.append(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        advance()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        advance()
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ConnectionStopEvent:
            guard life == .open else { return }
            actions += session.stop()
            advance()
        case ChannelEvent.inputClosed:
            isInputClosed = true
            guard life == .open else { return context.close(promise: nil) }
            advance()
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A broken connection or TLS session: there is nobody left to tell.
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        life = .closed
        idleTimer?.cancel()
        closeTimer?.cancel()
        finishIfGone()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        life = .closed
        finishIfGone()
        self.context = nil
    }

    // MARK: - The loop

    private func begin() {
        guard idleTimer == nil else { return }
        lastActivity = .now()
        scheduleIdleTimer(in: environment.configuration.idleTimeout)
        actions += session.start()
        advance()
    }

    /// Goes on as far as the backend, the client and the bytes at hand allow.
    private func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        while life == .open, !isBusy {
            if let action = actions.popFirst() {
                perform(action)
            } else if context?.channel.isWritable == true, let event = decoder.next() {
                actions = session.handle(event)[...]
            } else {
                break
            }
            // Replies of a long pipeline go out in pieces, so that writability can tell of a client that does not read.
            if output.readableBytes > 16384 { flushOutput() }
        }
        flushOutput()
        if life == .open, !isBusy, isInputClosed, context?.channel.isWritable == true {
            close(draining: false)
        }
        readMore()
    }

    private func readMore() {
        guard let context, !isReading, !isInputClosed else { return }
        switch life {
        case .open:
            guard !isBusy, context.channel.isWritable else { return }
        case .closing:
            break
        case .closed:
            return
        }
        isReading = true
        context.read()
    }

    private func flushOutput() {
        guard output.readableBytes > 0, let context else { return }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        output = ByteBuffer()
    }

    // MARK: - Actions

    private func perform(_ action: SMTPSessionAction) {
        switch action {
        case .reply(let reply):
            reply.encode(into: &output)
        case .directive(let directive):
            decoder.apply(directive)
        case .close(let draining):
            close(draining: draining)
        case .prepareTLS:
            actions = session.complete(.tlsPrepared(prepareTLS()))[...] + actions
        case .startTLS:
            startTLS()
        case .authenticate(let user, let password):
            let (backend, remoteAddress) = (environment.backend, remoteAddress)
            work { .authenticated(await backend.authenticate(user: user, password: password, from: remoteAddress)) }
        case .findSCRAMCredentials(let user):
            let (backend, remoteAddress) = (environment.backend, remoteAddress)
            work { .scramCredentials(await backend.scramCredentials(user: user, from: remoteAddress)) }
        case .endSCRAM(let user, let isProven):
            let (backend, remoteAddress) = (environment.backend, remoteAddress)
            work { .authenticated(await backend.scramLogin(user: user, isProven: isProven, from: remoteAddress)) }
        case .checkRecipient(let path, let envelope):
            let backend = environment.backend
            work { .recipient(await backend.recipient(path, in: envelope)) }
        case .beginMessage(let envelope):
            beginMessage(envelope)
        case .append(let bytes):
            guard let message else { return complete(.appended(.unavailable)) }
            work { .appended(await Self.failure { () throws(SMTPStoreFailure) in try await message.append(bytes) }) }
        case .commit(let envelope):
            guard let message else { return complete(.committed(.unavailable)) }
            self.message = nil
            work {
                .committed(await Self.failure { () throws(SMTPStoreFailure) in try await message.commit(envelope) })
            }
        case .discardMessage:
            discardMessage()
        }
    }

    private func prepareTLS() -> SMTPTLSReadiness {
        guard decoder.bufferedBytes == 0 else { return .plaintextBehind }
        tlsContext = try? environment.tls?()
        return tlsContext == nil ? .unavailable : .ready
    }

    private func startTLS() {
        // The 220 goes out in clear, in front of the handler that is put in place now.
        flushOutput()
        guard let context, let tlsContext else { return }
        self.tlsContext = nil
        do {
            try context.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tlsContext), position: .first)
        } catch {
            context.close(promise: nil)
        }
    }

    private func beginMessage(_ envelope: SMTPEnvelope) {
        let (backend, makeStamp) = (environment.backend, environment.makeStamp)
        run { () async -> Result<any SMTPIncomingMessage, SMTPStoreFailure> in
            do throws(SMTPStoreFailure) {
                return .success(try await backend.beginMessage(envelope))
            } catch {
                return .failure(error)
            }
        } then: { handler, result in
            handler.message = try? result.get()
            handler.complete(.messageBegun(result.map { _ in makeStamp() }))
        }
    }

    private func discardMessage() {
        guard let message else { return }
        self.message = nil
        run {
            await message.discard()
        } then: { _, _ in
        }
    }

    private static func failure(
        of work: () async throws(SMTPStoreFailure) -> Void
    ) async -> SMTPStoreFailure? {
        do throws(SMTPStoreFailure) {
            try await work()
            return nil
        } catch {
            return error
        }
    }

    /// Lets the backend work and hands the outcome to the session.
    private func work(_ body: @escaping @Sendable () async -> SMTPSessionCompletion) {
        run(body) { handler, completion in handler.complete(completion) }
    }

    private func complete(_ completion: SMTPSessionCompletion) {
        actions = session.complete(completion)[...] + actions
    }

    /// Runs `body` off the event loop and `next` back on it; nothing else of this connection happens meanwhile.
    private func run<Outcome: Sendable>(
        _ body: @escaping @Sendable () async -> Outcome,
        then next: @escaping @Sendable (SMTPConnectionHandler, Outcome) -> Void
    ) {
        guard let eventLoop = context?.eventLoop else { return }
        isBusy = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        Task {
            let outcome = await body()
            eventLoop.execute {
                let handler = bound.value
                handler.isBusy = false
                handler.lastActivity = .now()
                next(handler, outcome)
                handler.finishIfGone()
                handler.advance()
            }
        }
    }

    // MARK: - Time

    private func scheduleIdleTimer(in delay: TimeAmount) {
        guard let eventLoop = context?.eventLoop else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        idleTimer = eventLoop.scheduleTask(in: delay) { bound.value.checkIdleTime() }
    }

    private func checkIdleTime() {
        guard life == .open else { return }
        let timeout = environment.configuration.idleTimeout
        let idle = NIODeadline.now() - lastActivity
        guard !isBusy, idle >= timeout else {
            return scheduleIdleTimer(in: isBusy ? timeout : max(timeout - idle, .milliseconds(1)))
        }
        actions += session.timeOut()
        advance()
    }

    // MARK: - The end

    /// Writes what is left and closes. With `draining` the client is given time to read the reply: closing a
    /// socket with unread input would reset the connection and take the reply along.
    private func close(draining: Bool) {
        guard life == .open, let context else { return }
        life = .closing
        actions = []
        idleTimer?.cancel()
        discardMessage()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        closeTimer = context.eventLoop.scheduleTask(in: environment.configuration.closeTimeout) {
            bound.value.close(promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(output), promise: written)
        output = ByteBuffer()
        written.futureResult.whenComplete { result in
            if case .success = result, draining {
                // A TLS session cannot always be half closed; then the timer or the client closes.
                bound.value.close(mode: .output, promise: nil)
            } else {
                bound.value.close(promise: nil)
            }
        }
    }

    /// Once the connection is gone and the backend is done with it, gives an open message up and reports.
    private func finishIfGone() {
        guard life == .closed, !isBusy, !hasFinished else { return }
        actions = []
        if let message {
            self.message = nil
            hasFinished = true
            let environment = environment
            Task {
                await message.discard()
                environment.onFinish()
            }
            return
        }
        hasFinished = true
        environment.onFinish()
    }
}
