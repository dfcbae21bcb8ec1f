package import NIOCore
import NIOSSL
import NIOTLS

/// Asks a connection's handler to end once work in progress is finished.
package struct ConnectionStopEvent: Sendable {}

/// Tells a connection's handler that the account its client is logged in to may no longer be used.
package struct ConnectionRevocation: Sendable {}

/// The channel handler of one connection: reading, timeouts, TLS and closing. The protocol itself is up to its driver.
///
/// Operations run one at a time. While one is in progress, or the client does not read its answers, the driver is not
/// called and the socket is not read. This is the only back-pressure needed: memory is bounded by one read and the
/// driver's own buffers. It also makes STARTTLS safe, because the TLS handler is in place before another byte is read.
///
/// Used for connections accepted by a ``ConnectionServer`` and for those opened by a ``ConnectionClient``. All methods
/// run on the channel's event loop.
package final class ConnectionHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum Life {
        case open
        /// The last answer is being written; further input is dropped.
        case closing
        /// The last answer is written; waiting for the client to close.
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
    /// The client has closed its side.
    package private(set) var isInputClosed = false
    private var preparedTLS: NIOSSLHandler?
    private var lastActivity: NIODeadline
    private var idleTimer: Scheduled<Void>?
    /// The idle timeout when the timer was armed; a login may shorten it.
    private var armedTimeout = TimeAmount.zero
    private var closeTimer: Scheduled<Void>?

    /// Time that a session whose account may no longer be used has to come to its end by itself.
    private static let revocationGrace = TimeAmount.seconds(1)
    /// Time between two looks at a login that is late and under way.
    private static let lateLogin = TimeAmount.seconds(1)

    /// - Parameters:
    ///   - tls: makes the handler for ``startTLS()``; nil without TLS.
    ///   - closeTimeout: the time the peer gets to read the last answer and close, before it is disconnected.
    ///   - onFinish: called once, when the connection is closed and its work has finished.
    package init(
        eventLoop: any EventLoop, driver: any ConnectionDriver, tls: TLSHandlerProvider?, closeTimeout: TimeAmount,
        onFinish: @escaping @Sendable () -> Void
    ) {
        self.eventLoop = eventLoop
        lastActivity = eventLoop.now
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
        lastActivity = eventLoop.now
        driver.take(unwrapInboundIn(data))
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        advance()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        lastActivity = eventLoop.now
        driver.output?.writabilityChanged()
        advance()
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ConnectionStopEvent:
            note(.stop)
        case is ConnectionRevocation:
            revoke()
        case TLSUserEvent.handshakeCompleted:
            lastActivity = eventLoop.now
            driver.tlsEstablished(on: self)
            advance()
        case ChannelEvent.inputClosed:
            isInputClosed = true
            switch life {
            case .open:
                driver.inputClosed(on: self)
                advance()
            // Closing now would discard unread answers; the write completion closes instead.
            case .closing: break
            case .draining, .closed: context.close(promise: nil)
            }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The peer is gone or failed authentication, so only the driver is informed.
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

    /// True until the connection starts to close.
    package var isOpen: Bool { life == .open }

    /// True if new work may begin.
    package var isFree: Bool { life == .open && !isBusy }

    /// False while too many answers are queued for a client that does not read.
    package var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Marks the start of work; until ``endWork(isActivity:)`` nothing else happens on the connection.
    package func beginWork() { isBusy = true }

    /// Marks the end of work; the caller must call ``advance()`` next.
    /// - Parameter isActivity: true if the work counts as client activity and restarts the idle time.
    package func endWork(isActivity: Bool = true) {
        isBusy = false
        if isActivity { lastActivity = eventLoop.now }
    }

    /// Lets the driver proceed, then reads more if it is ready for more.
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
        lastActivity = eventLoop.now
        armIdleTimer(for: driver.idleTimeout)
        note(.start)
    }

    private func note(_ notice: ConnectionNotice) {
        guard life == .open else { return }
        driver.note(notice, on: self)
        advance()
    }

    private func revoke() {
        guard life == .open else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        // What is under way may take long, above all when the client does not read.
        eventLoop.scheduleTask(in: Self.revocationGrace) {
            if bound.value.life == .open { bound.value.drop() }
        }
        note(.revoked)
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

    /// Writes answers even if the client does not read; see ``isWritable``.
    package func write(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

    /// Prepares TLS for ``startTLS()``; returns false if it is unavailable.
    package func prepareTLS() -> Bool {
        preparedTLS = try? tls?()
        return preparedTLS != nil
    }

    /// Starts TLS: earlier writes go out in clear, and the next byte read belongs to the handshake.
    package func startTLS() {
        guard let handler = preparedTLS else { return }
        preparedTLS = nil
        change { pipeline in try pipeline.addHandler(handler, position: .first) }
    }

    /// Inserts a handler between the socket and this one; earlier writes bypass it.
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

    /// Closes the connection at once.
    package func drop() { context?.close(promise: nil) }

    /// Writes the last answers and closes. With `draining`, a client that is still sending gets time to read them:
    /// closing a socket with unread input would reset the connection and lose them.
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

    /// Closes the output after the last answers and waits for the client to close.
    private func drain() {
        guard life == .closing, !isInputClosed else { return drop() }
        life = .draining
        // TLS cannot always be half-closed; then the timer or the client closes the connection.
        context?.close(mode: .output, promise: nil)
    }

    // MARK: - Idle time

    private func armIdleTimer(for delay: TimeAmount) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        armedTimeout = driver.idleTimeout
        // A client that stops reading must be noticed soon, whatever its idle timeout.
        var delay = min(delay, driver.output?.timeout ?? delay)
        if let deadline = driver.loginDeadline {
            let left = deadline - eventLoop.now
            delay = min(delay, left > .zero ? left : Self.lateLogin)
        }
        idleTimer = eventLoop.scheduleTask(in: delay) { bound.value.checkIdleTime() }
    }

    private func checkIdleTime() {
        guard life == .open else { return }
        let stuckFor = driver.output.flatMap { $0.isWaiting ? $0.timeout : nil }
        let timeout = stuckFor ?? driver.idleTimeout
        let now = eventLoop.now
        let idleTime = now - lastActivity
        let isLate = driver.loginDeadline.map { $0 <= now } ?? false
        if idleTime >= timeout, stuckFor != nil {
            drop()
        } else if idleTime >= timeout || isLate, !isBusy {
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

    /// Ends the driver and then calls `onFinish`, once work in progress is done.
    private func finish() {
        guard !isBusy, !hasFinished else { return }
        hasFinished = true
        driver.end(then: onFinish)
    }
}
