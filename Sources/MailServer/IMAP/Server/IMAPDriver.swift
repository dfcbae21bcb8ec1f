import IMAPCodec
import NIOCore
import Primitives
import ServerRuntime

/// Runs one session: feeds bytes through the decoder into the session, one input at a time.
final class IMAPDriver: ConnectionDriver {
    private let configuration: IMAPServerConfiguration
    private let answers: ConnectionOutput
    private var decoder: IMAPFrameDecoder
    private let session: IMAPSession
    private let start: NIODeadline
    private var isLoggedIn = false
    private var isIdling = false
    /// True while changes are passed to the session as they happen: during IDLE, and between commands with NOTIFY.
    private var isListening = false
    /// The input that goes ahead of the client's next event.
    private var urgent: IMAPSessionInput?
    /// True when something that the session listens for may have changed.
    private var isWoken = false
    private var isPolling = false
    private var lastSign = NIODeadline.now()
    private var pollTimer: Scheduled<Void>?

    init(
        _ configuration: IMAPServerConfiguration, backend: any IMAPBackend, pool: BlockingPool,
        accepted: AcceptedConnection<IMAPRole>
    ) {
        self.configuration = configuration
        start = accepted.channel.eventLoop.now
        answers = ConnectionOutput(accepted.channel, timeout: configuration.sendTimeout)
        var rules = configuration.session
        rules.offersTLS = accepted.offersTLS
        decoder = IMAPFrameDecoder(options: rules.decoderOptions(authenticated: false))
        session = IMAPSession(
            configuration: rules, remoteAddress: accepted.remoteAddress, isTLS: accepted.role.usesImplicitTLS,
            backend: backend, pool: pool, place: accepted.place, output: answers,
            eventLoop: accepted.channel.eventLoop, now: Clocks.wall)
    }

    var output: ConnectionOutput? { answers }

    var idleTimeout: TimeAmount { isLoggedIn ? configuration.idleTimeout : configuration.loginTimeout }

    var loginDeadline: NIODeadline? { isLoggedIn ? nil : start + configuration.loginTimeout }

    func take(_ bytes: ByteBuffer) { decoder.append(bytes) }

    func note(_ notice: ConnectionNotice, on connection: ConnectionHandler) {
        switch notice {
        case .start:
            expectChanges(on: connection)
            urgent = .start
        case .timeOut: urgent = .timeOut
        case .stop:
            urgent = .stop
            // A long command ends; a short one is finished.
            session.owner.stop()
        case .revoked:
            urgent = .revoked
            session.revoke()
        }
    }

    func inputClosed(on connection: ConnectionHandler) { probe(on: connection) }

    /// Finds out whether the client is still there, for as long as something is under way for it.
    private func probe(on connection: ConnectionHandler) {
        let bound = NIOLoopBound((self, connection), eventLoop: connection.eventLoop)
        connection.eventLoop.scheduleTask(in: Self.probeInterval) {
            let (driver, connection) = bound.value
            guard connection.isOpen, !connection.isFree else { return }
            driver.session.assumeIsolated { $0.probe() }
            driver.probe(on: connection)
        }
    }

    private static let probeInterval = TimeAmount.seconds(1)

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
        // Polling for an idle client does not count as client activity.
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

    /// Starts TLS. The OK has already been written in clear, ahead of the new handler.
    private func startTLS(_ connection: ConnectionHandler) {
        // Plaintext after the command may be injected: a correct client waits for the OK before it sends more.
        guard decoder.bufferedByteCount == 0, connection.prepareTLS() else { return connection.drop() }
        connection.startTLS()
        decoder.resolve(.discardBuffered)
    }

    /// Starts compression. The OK has already been written uncompressed, ahead of the new handler.
    private func startCompression(_ connection: ConnectionHandler) {
        guard let handler = try? CompressionHandler() else { return connection.drop() }
        connection.insert(handler)
        // A client that did not wait for the OK must have compressed everything after the command.
        handler.take(decoder.takeBufferedBytes())
        decoder.resolve(.resume)
    }

    // MARK: - Listening

    /// Makes the session's changes wake the connection, once for many that arrive together.
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

    /// Starts or stops passing on changes, as the session asks.
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
        // A busy session is about to check for changes anyway.
        guard connection.isFree else { return }
        if session.assumeIsolated({ $0.needsPoll() }) { isPolling = true }
        connection.advance()
    }
}
