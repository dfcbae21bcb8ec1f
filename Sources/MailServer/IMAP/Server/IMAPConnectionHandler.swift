import IMAPCodec
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL

/// Runs one session on its event loop: bytes through the decoder into the session, one input at a time.
///
/// While the session works, and while the client does not take its answers, no event is taken from the decoder and
/// nothing is read from the socket: that is the whole of the back-pressure. STARTTLS is safe for the same reason: its
/// handler is put in place before another byte is read.
final class IMAPConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Environment: Sendable {
        var configuration: IMAPServerConfiguration
        var backend: any IMAPBackend
        var pool: BlockingPool
        /// The certificate of the moment; asked for each handshake.
        var tls: ConnectionServer.TLSProvider?
        /// Seconds since 1970 UTC.
        var now: @Sendable () -> Int64
    }

    private enum Life {
        case open
        /// The last answer is written; what still comes is dropped.
        case closing
        case closed
    }

    private let environment: Environment
    private let arrival: ConnectionServer.Arrival
    private let output: IMAPChannelOutput
    private var decoder: IMAPFrameDecoder
    /// Nil once the connection is done with.
    private var session: IMAPSession?
    private var context: ChannelHandlerContext?
    private var life = Life.open
    private var isStarted = false
    private var isBusy = false
    private var isAdvancing = false
    private var isReading = false
    private var isInputClosed = false
    private var isLoggedIn = false
    private var isIdling = false
    /// Changes are handed to the session as they come: while the client idles, and between commands with NOTIFY.
    private var isListening = false
    /// What comes in front of the client's next event.
    private var urgent: IMAPSessionInput?
    /// Something that the session listens for may have changed.
    private var isWoken = false
    private var isPolling = false
    private var lastActivity = NIODeadline.now()
    private var lastSign = NIODeadline.now()
    private var idleTimer: Scheduled<Void>?
    private var pollTimer: Scheduled<Void>?
    private var closeTimer: Scheduled<Void>?

    init(environment: Environment, arrival: ConnectionServer.Arrival) {
        self.environment = environment
        self.arrival = arrival
        output = IMAPChannelOutput(arrival.channel)
        let configuration = environment.configuration.session
        decoder = IMAPFrameDecoder(options: configuration.decoderOptions(authenticated: false))
        session = IMAPSession(
            configuration: configuration, remoteAddress: arrival.remoteAddress, isTLS: arrival.isTLS,
            backend: environment.backend, pool: environment.pool, output: output, eventLoop: arrival.channel.eventLoop,
            now: environment.now)
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start() }
    }

    func channelActive(context: ChannelHandlerContext) {
        start()
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
        lastActivity = .now()
        output.writabilityChanged()
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ConnectionStopEvent:
            guard life == .open else { return }
            urgent = .stop
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
        leave()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        self.context = nil
    }

    // MARK: - The loop

    private func start() {
        guard !isStarted, let context else { return }
        isStarted = true
        let wake = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let isPending = NIOLockedValueBox(false)
        session?.assumeIsolated { session in
            session.setChangeHandler {
                let wasPending = isPending.withLockedValue { pending in
                    defer { pending = true }
                    return pending
                }
                guard !wasPending else { return }
                eventLoop.execute {
                    isPending.withLockedValue { $0 = false }
                    wake.value.wake()
                }
            }
        }
        lastActivity = .now()
        scheduleIdleTimer(in: environment.configuration.loginTimeout)
        urgent = .start
        advance()
    }

    /// Goes on as far as the session, the client and the bytes at hand allow.
    private func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        while life == .open, !isBusy, let input = nextInput() { begin(input) }
        readMore()
    }

    private func nextInput() -> IMAPSessionInput? {
        if let input = urgent {
            urgent = nil
            return input
        }
        if let event = decoder.next() {
            if case .idleDone = event { isIdling = false }
            return .event(event)
        }
        if isInputClosed { return .disconnected }
        guard isListening else { return nil }
        if isWoken || isPolling {
            defer { (isWoken, isPolling) = (false, false) }
            return isPolling ? .poll : .wake
        }
        if isIdling, NIODeadline.now() - lastSign >= environment.configuration.keepAlive {
            lastSign = .now()
            return .keepAlive
        }
        return nil
    }

    private func readMore() {
        guard let context, !isReading, !isInputClosed else { return }
        switch life {
        case .open: guard !isBusy else { return }
        case .closing: break
        case .closed: return
        }
        isReading = true
        context.read()
    }

    private func begin(_ input: IMAPSessionInput) {
        guard let session, let eventLoop = context?.eventLoop else { return }
        isBusy = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        // Looks at the mailbox of a client that idles are no activity of the client's.
        let isActivity = if case .event = input { true } else { false }
        session.assumeIsolated { session in
            session.begin(input) { step in bound.value.finished(step, isActivity: isActivity) }
        }
    }

    private func finished(_ step: IMAPSessionStep, isActivity: Bool) {
        isBusy = false
        if isActivity { lastActivity = .now() }
        guard life != .closed else { return leave() }
        switch step {
        case .proceed: break
        case .resolve(let resolution, let options):
            if let options {
                decoder.options = options
                isLoggedIn = true
            }
            decoder.resolve(resolution)
            if resolution == .beginIdle { (isIdling, lastSign) = (true, .now()) }
        case .startTLS: startTLS()
        case .compress: startCompression()
        case .close: close()
        }
        listen()
        advance()
    }

    /// The OK is written in clear, in front of the handler that is put in place now.
    private func startTLS() {
        guard let context else { return }
        // Whatever came in clear behind the command was not sent by somebody who waited for the answer.
        guard decoder.bufferedByteCount == 0, let tlsContext = try? environment.tls?() else {
            return context.close(promise: nil)
        }
        do {
            try context.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tlsContext), position: .first)
            decoder.resolve(.discardBuffered)
        } catch {
            context.close(promise: nil)
        }
    }

    /// The OK is written as it is, in front of the handler that is put in place now.
    private func startCompression() {
        guard let context else { return }
        do {
            let handler = try CompressionHandler()
            try context.pipeline.syncOperations.addHandler(handler, position: .before(self))
            // Whoever did not wait for the OK must have compressed what came behind the command.
            handler.take(decoder.takeBufferedBytes())
            decoder.resolve(.resume)
        } catch {
            context.close(promise: nil)
        }
    }

    // MARK: - Listening

    private func wake() {
        isWoken = true
        advance()
    }

    /// Begins or ends to hand over changes, as the session wants it.
    private func listen() {
        let wants = life == .open && session?.assumeIsolated { $0.isListening } ?? false
        guard wants != isListening else { return }
        isListening = wants
        isPolling = false
        pollTimer?.cancel()
        if wants { schedulePoll() }
    }

    private func stopListening() {
        (isListening, isIdling) = (false, false)
        pollTimer?.cancel()
    }

    private func schedulePoll() {
        guard let eventLoop = context?.eventLoop else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        pollTimer = eventLoop.scheduleTask(in: environment.configuration.pollInterval) {
            let handler = bound.value
            guard handler.life == .open, handler.isListening else { return }
            handler.schedulePoll()
            handler.poll()
        }
    }

    private func poll() {
        // A session that is busy is about to look anyhow.
        guard !isBusy, let session else { return }
        if session.assumeIsolated({ $0.needsPoll() }) { isPolling = true }
        advance()
    }

    // MARK: - Time

    private func scheduleIdleTimer(in delay: TimeAmount) {
        guard let eventLoop = context?.eventLoop else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        // A client that stops reading must be noticed soon, whatever the time it may be silent for.
        let delay = min(delay, environment.configuration.sendTimeout)
        idleTimer = eventLoop.scheduleTask(in: delay) { bound.value.checkIdleTime() }
    }

    private func checkIdleTime() {
        guard life == .open else { return }
        let configuration = environment.configuration
        let isStuck = output.isWaiting
        let timeout =
            isStuck ? configuration.sendTimeout : isLoggedIn ? configuration.idleTimeout : configuration.loginTimeout
        let idle = NIODeadline.now() - lastActivity
        if idle >= timeout, isStuck {
            context?.close(promise: nil)
        } else if idle >= timeout, !isBusy {
            urgent = .timeOut
            advance()
        } else {
            scheduleIdleTimer(in: isBusy ? timeout : max(timeout - idle, .milliseconds(1)))
        }
    }

    // MARK: - The end

    /// The last answer is written: the client is given time to read it, as closing a socket with unread input would
    /// reset the connection and take the answer along.
    private func close() {
        guard life == .open, let context else { return }
        life = .closing
        idleTimer?.cancel()
        stopListening()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        closeTimer = context.eventLoop.scheduleTask(in: environment.configuration.closeTimeout) {
            bound.value.close(promise: nil)
        }
        let (isInputClosed, isDead) = (isInputClosed, decoder.isDead)
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        written.futureResult.whenComplete { result in
            if case .success = result, !isInputClosed, !isDead {
                // A TLS session cannot always be half closed; then the timer or the client closes.
                bound.value.close(mode: .output, promise: nil)
            } else {
                bound.value.close(promise: nil)
            }
        }
    }

    /// The connection is gone; once the session is done with what it was at, it lets go and the server is told.
    private func leave() {
        life = .closed
        idleTimer?.cancel()
        closeTimer?.cancel()
        stopListening()
        output.close()
        guard !isBusy, let session else { return }
        self.session = nil
        let onFinish = arrival.onFinish
        session.assumeIsolated { session in
            session.setChangeHandler {}
            session.begin(.disconnected) { _ in onFinish() }
        }
    }
}
