import IMAPCodec
import NIOCore
import Primitives
import ServerRuntime

/// Runs one session: bytes through the decoder into the session, one input at a time.
final class IMAPDriver: ConnectionDriver {
    private let configuration: IMAPServerConfiguration
    private let answers: ConnectionOutput
    private var decoder: IMAPFrameDecoder
    private let session: IMAPSession
    private var isLoggedIn = false
    private var isIdling = false
    /// Changes are handed to the session as they come: while the client idles, and between commands with NOTIFY.
    private var isListening = false
    /// What comes in front of the client's next event.
    private var urgent: IMAPSessionInput?
    /// Something that the session listens for may have changed.
    private var isWoken = false
    private var isPolling = false
    private var lastSign = NIODeadline.now()
    private var pollTimer: Scheduled<Void>?

    init(
        _ configuration: IMAPServerConfiguration, backend: any IMAPBackend, pool: BlockingPool,
        accepted: AcceptedConnection<IMAPRole>
    ) {
        self.configuration = configuration
        answers = ConnectionOutput(accepted.channel, timeout: configuration.sendTimeout)
        var rules = configuration.session
        rules.offersTLS = accepted.offersTLS
        decoder = IMAPFrameDecoder(options: rules.decoderOptions(authenticated: false))
        session = IMAPSession(
            configuration: rules, remoteAddress: accepted.remoteAddress, isTLS: accepted.role.usesImplicitTLS,
            backend: backend, pool: pool, output: answers, eventLoop: accepted.channel.eventLoop, now: Clocks.wall)
    }

    var output: ConnectionOutput? { answers }

    var idleTimeout: TimeAmount { isLoggedIn ? configuration.idleTimeout : configuration.loginTimeout }

    func take(_ bytes: ByteBuffer) { decoder.append(bytes) }

    func note(_ notice: ConnectionNotice, on connection: ConnectionHandler) {
        switch notice {
        case .start:
            expectChanges(on: connection)
            urgent = .start
        case .timeOut: urgent = .timeOut
        case .stop: urgent = .stop
        }
    }

    func end(then: @escaping @Sendable () -> Void) {
        stopListening()
        session.assumeIsolated { session in
            session.setChangeHandler {}
            session.begin(.disconnected) { _ in then() }
        }
    }

    // MARK: - The loop

    func advance(on connection: ConnectionHandler) {
        guard connection.isFree, let input = nextInput(connection) else { return }
        connection.beginWork()
        let bound = NIOLoopBound((self, connection), eventLoop: connection.eventLoop)
        // Looks at the mailbox of a client that idles are no activity of the client's.
        let isActivity = if case .event = input { true } else { false }
        session.assumeIsolated { session in
            session.begin(input) { step in
                let (driver, connection) = bound.value
                connection.endWork(isActivity: isActivity)
                driver.take(step, on: connection)
                connection.advance()
            }
        }
    }

    private func nextInput(_ connection: ConnectionHandler) -> IMAPSessionInput? {
        if let input = urgent {
            urgent = nil
            return input
        }
        if let event = decoder.next() {
            if case .idleDone = event { isIdling = false }
            return .event(event)
        }
        if connection.isInputClosed { return .disconnected }
        guard isListening else { return nil }
        if isWoken || isPolling {
            defer { (isWoken, isPolling) = (false, false) }
            return isPolling ? .poll : .wake
        }
        if isIdling, NIODeadline.now() - lastSign >= configuration.keepAlive {
            lastSign = .now()
            return .keepAlive
        }
        return nil
    }

    private func take(_ step: IMAPSessionStep, on connection: ConnectionHandler) {
        guard connection.isOpen else { return }
        switch step {
        case .proceed: break
        case .resolve(let resolution, let options):
            if let options {
                decoder.options = options
                isLoggedIn = true
            }
            decoder.resolve(resolution)
            if resolution == .beginIdle { (isIdling, lastSign) = (true, .now()) }
        case .startTLS: startTLS(connection)
        case .compress: startCompression(connection)
        case .close: connection.close(draining: !decoder.isDead)
        }
        listen(on: connection)
    }

    /// The OK is written in clear, in front of the handler that is put in place now.
    private func startTLS(_ connection: ConnectionHandler) {
        // Whatever came in clear behind the command was not sent by somebody who waited for the answer.
        guard decoder.bufferedByteCount == 0, connection.prepareTLS() else { return connection.drop() }
        connection.startTLS()
        decoder.resolve(.discardBuffered)
    }

    /// The OK is written as it is, in front of the handler that is put in place now.
    private func startCompression(_ connection: ConnectionHandler) {
        guard let handler = try? CompressionHandler() else { return connection.drop() }
        connection.insert(handler)
        // Whoever did not wait for the OK must have compressed what came behind the command.
        handler.take(decoder.takeBufferedBytes())
        decoder.resolve(.resume)
    }

    // MARK: - Listening

    /// Has the session's changes wake the connection, many together once.
    private func expectChanges(on connection: ConnectionHandler) {
        let bound = NIOLoopBound((self, connection), eventLoop: connection.eventLoop)
        let eventLoop = connection.eventLoop
        let isPending = Locked(false)
        session.assumeIsolated { session in
            session.setChangeHandler {
                let wasPending = isPending.withLock { pending in
                    defer { pending = true }
                    return pending
                }
                guard !wasPending else { return }
                eventLoop.execute {
                    isPending.withLock { $0 = false }
                    let (driver, connection) = bound.value
                    driver.isWoken = true
                    connection.advance()
                }
            }
        }
    }

    /// Begins or ends to hand over changes, as the session wants it.
    private func listen(on connection: ConnectionHandler) {
        let wants = connection.isOpen && session.assumeIsolated { $0.isListening }
        guard wants != isListening else { return }
        stopListening()
        isListening = wants
        if wants { schedulePoll(on: connection) }
    }

    private func stopListening() {
        isListening = false
        isPolling = false
        pollTimer?.cancel()
    }

    private func schedulePoll(on connection: ConnectionHandler) {
        let bound = NIOLoopBound((self, connection), eventLoop: connection.eventLoop)
        pollTimer = connection.eventLoop.scheduleTask(in: configuration.pollInterval) {
            let (driver, connection) = bound.value
            guard connection.isOpen, driver.isListening else { return }
            driver.schedulePoll(on: connection)
            driver.poll(on: connection)
        }
    }

    private func poll(on connection: ConnectionHandler) {
        // A session that is busy is about to look anyhow.
        guard connection.isFree else { return }
        if session.assumeIsolated({ $0.needsPoll() }) { isPolling = true }
        connection.advance()
    }
}
