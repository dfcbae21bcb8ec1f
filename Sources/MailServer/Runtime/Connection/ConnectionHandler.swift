package import NIOCore
import NIOSSL
import NIOTLS

/// Asks a connection's handler to come to an end: what is under way is finished first.
package struct ConnectionStopEvent: Sendable {}

/// A connection in a pipeline: when to read, how long to wait, TLS, and how to end. What is said on it is its driver's
/// business.
///
/// One thing happens at a time. While something is under way, and while the client does not take its answers, the
/// driver gets nothing to do and nothing is read from the socket: that is the whole of the back-pressure, and memory is
/// bounded by one read and what the driver keeps. STARTTLS is safe for the same reason: its handler is put in place
/// before another byte is read.
///
/// It serves connections of both directions: those that a ``ConnectionServer`` accepted and those that a
/// ``ConnectionClient`` opened. Everything is called on the channel's event loop.
package final class ConnectionHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum Life {
        case open
        /// The last answer is on its way out; what still comes is dropped.
        case closing
        /// The client has it, and is waited for.
        case draining
        case closed
    }

    package let eventLoop: any EventLoop
    private let driver: any ConnectionDriver
    private let tls: TLSHandlerProvider?
    private let closeTimeout: TimeAmount
    private let onFinish: @Sendable () -> Void
    private var context: ChannelHandlerContext?
    private var life = Life.open
    private var isStarted = false
    private var isBusy = false
    private var isAdvancing = false
    private var isReading = false
    private var hasFinished = false
    /// The client sends no more.
    package private(set) var isInputClosed = false
    private var preparedTLS: NIOSSLHandler?
    private var lastActivity = NIODeadline.now()
    private var idleTimer: Scheduled<Void>?
    /// The idle timeout that the timer was armed with; a login may shorten it.
    private var armedTimeout = TimeAmount.zero
    private var closeTimer: Scheduled<Void>?

    /// - Parameters:
    ///   - tls: makes the handler that ``startTLS()`` puts in place.
    ///   - closeTimeout: what the peer has to take the last answer and to close, before it is cut off.
    ///   - onFinish: called once, when the connection is gone and nothing of it is under way.
    package init(
        eventLoop: any EventLoop, driver: any ConnectionDriver, tls: TLSHandlerProvider?, closeTimeout: TimeAmount,
        onFinish: @escaping @Sendable () -> Void
    ) {
        self.eventLoop = eventLoop
        self.driver = driver
        self.tls = tls
        self.closeTimeout = closeTimeout
        self.onFinish = onFinish
    }

    // MARK: - Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start() }
    }

    package func channelActive(context: ChannelHandlerContext) {
        start()
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard life == .open else { return }
        lastActivity = .now()
        driver.take(unwrapInboundIn(data))
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        advance()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        lastActivity = .now()
        driver.output?.writabilityChanged()
        advance()
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ConnectionStopEvent:
            note(.stop)
        case TLSUserEvent.handshakeCompleted:
            lastActivity = .now()
            driver.tlsEstablished(on: self)
            advance()
        case ChannelEvent.inputClosed:
            isInputClosed = true
            switch life {
            case .open: advance()
            // Closing now would take along what the client has not read yet: the end of the write does it.
            case .closing: break
            case .draining, .closed: context.close(promise: nil)
            }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The peer is gone, or not who it should be: only this side is left to tell.
        if life == .open { driver.connectionFailed(error) }
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        self.context = nil
    }

    // MARK: - The loop

    /// The connection is neither ending nor gone.
    package var isOpen: Bool { life == .open }

    /// Something can be begun on.
    package var isFree: Bool { life == .open && !isBusy }

    /// Answers can be written without piling up in front of a client that does not read.
    package var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Something is under way from here on; until ``endWork(isActivity:)`` nothing else happens on the connection.
    package func beginWork() { isBusy = true }

    /// It is done; ``advance()`` must follow.
    /// - Parameter isActivity: it was the client's doing.
    package func endWork(isActivity: Bool = true) {
        isBusy = false
        if isActivity { lastActivity = .now() }
    }

    /// Lets the driver go on, and reads more when it could do with more.
    package func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        if life == .open { driver.advance(on: self) }
        isAdvancing = false
        if life == .open, driver.idleTimeout < armedTimeout {
            idleTimer?.cancel()
            armIdleTimer(for: driver.idleTimeout)
        }
        readMore()
        if life == .closed { finish() }
    }

    private func start() {
        guard !isStarted else { return }
        isStarted = true
        lastActivity = .now()
        armIdleTimer(for: driver.idleTimeout)
        note(.start)
    }

    private func note(_ notice: ConnectionNotice) {
        guard life == .open else { return }
        driver.note(notice, on: self)
        advance()
    }

    private func readMore() {
        guard let context, !isReading, !isInputClosed else { return }
        switch life {
        case .open: guard !isBusy, context.channel.isWritable else { return }
        case .closing, .draining: break
        case .closed: return
        }
        isReading = true
        context.read()
    }

    // MARK: - For the driver

    /// Writes answers, whether the client takes them or not: see ``isWritable``.
    package func write(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

    /// Gets TLS ready for ``startTLS()``; false when there is none.
    package func prepareTLS() -> Bool {
        preparedTLS = try? tls?()
        return preparedTLS != nil
    }

    /// Begins with TLS: what was written before goes out in clear, and the next byte read is part of the handshake.
    package func startTLS() {
        guard let handler = preparedTLS else { return }
        preparedTLS = nil
        change { pipeline in try pipeline.addHandler(handler, position: .first) }
    }

    /// Puts a handler in front of this one; what was written before does not pass it.
    package func insert(_ handler: any ChannelHandler) {
        change { [self] pipeline in try pipeline.addHandler(handler, position: .before(self)) }
    }

    private func change(_ body: (ChannelPipeline.SynchronousOperations) throws -> Void) {
        guard let context else { return }
        do {
            try body(context.pipeline.syncOperations)
        } catch {
            drop()
        }
    }

    /// Cuts the client off.
    package func drop() { context?.close(promise: nil) }

    /// Writes the last answers and closes. With `draining` the client may still be sending, and is given time to read
    /// them: closing a socket with unread input would reset the connection and take them along.
    package func close(draining: Bool, last: ByteBuffer = ByteBuffer()) {
        guard life == .open, let context else { return }
        life = .closing
        idleTimer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        closeTimer = eventLoop.scheduleTask(in: closeTimeout) { bound.value.drop() }
        let written = eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(last), promise: written)
        written.futureResult.whenComplete { result in
            if case .success = result, draining { bound.value.drain() } else { bound.value.drop() }
        }
    }

    /// The client has the last answers: it may close, and is shown that nothing follows.
    private func drain() {
        guard life == .closing, !isInputClosed else { return drop() }
        life = .draining
        // A TLS session cannot always be half closed; then the timer or the client closes.
        context?.close(mode: .output, promise: nil)
    }

    // MARK: - Idle time

    private func armIdleTimer(for delay: TimeAmount) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        armedTimeout = driver.idleTimeout
        // A client that stops reading must be noticed soon, whatever its idle timeout.
        let delay = min(delay, driver.output?.timeout ?? delay)
        idleTimer = eventLoop.scheduleTask(in: delay) { bound.value.checkIdleTime() }
    }

    private func checkIdleTime() {
        guard life == .open else { return }
        let stuckFor = driver.output.flatMap { $0.isWaiting ? $0.timeout : nil }
        let timeout = stuckFor ?? driver.idleTimeout
        let idleTime = NIODeadline.now() - lastActivity
        if idleTime >= timeout, stuckFor != nil {
            drop()
        } else if idleTime >= timeout, !isBusy {
            note(.timeOut)
        } else {
            armIdleTimer(for: isBusy ? timeout : max(timeout - idleTime, .milliseconds(1)))
        }
    }

    // MARK: - The end

    private func leave() {
        life = .closed
        idleTimer?.cancel()
        closeTimer?.cancel()
        driver.output?.close()
        finish()
    }

    /// Once what was under way is done, the driver lets go and the server is told.
    private func finish() {
        guard !isBusy, !hasFinished else { return }
        hasFinished = true
        driver.end(then: onFinish)
    }
}
