import IMAPCodec
import MailAccess
import NIOCore
import ServerRuntime
import ShardFS

/// The dialogue with one client: the codec's events in, answers out, one input at a time. RFC 3501, RFC 9051.
///
/// It runs on the connection's event loop. Whatever blocks goes to the pool; while it is there the driver gives the
/// session nothing else. Each family of commands is an extension in a file of its own.
actor IMAPSession {
    /// RFC 9051 section 3.
    enum State {
        case notAuthenticated
        case authenticated(IMAPAccount)
        case selected(IMAPAccount, SelectedMailbox)
        case logout
    }

    let configuration: IMAPSessionConfiguration
    let remoteAddress: String
    let backend: any IMAPBackend
    let pool: BlockingPool
    let output: any IMAPOutput
    /// Seconds since 1970 UTC.
    let now: @Sendable () -> Int64
    private let eventLoop: any EventLoop

    var state = State.notAuthenticated
    var isTLS: Bool
    var isCompressed = false
    var encoder = IMAPResponseEncoder()
    var buffer = ByteBuffer()
    /// The command under way: carried out now, or waiting for more of the client's.
    var context: CommandContext?
    /// What the client asked to be told of; nil as long as it never said.
    var notify: NotifyWatch?
    /// Times that the driver has asked whether to look.
    var polls: UInt8 = 0
    /// The result that `$` stands for (RFC 5182).
    var savedSearch: [ClosedRange<UInt32>] = []
    /// What the client has turned on.
    var enabled: IMAPEnabledFeatures = []
    /// Called on any thread when something that is listened for has changed.
    var onChange: @Sendable () -> Void = {}
    /// An input is under way.
    private var isHandling = false
    private var loginFailures = 0
    private var badCommands = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    init(
        configuration: IMAPSessionConfiguration, remoteAddress: String, isTLS: Bool, backend: any IMAPBackend,
        pool: BlockingPool, output: any IMAPOutput, eventLoop: any EventLoop, now: @escaping @Sendable () -> Int64
    ) {
        self.configuration = configuration
        self.remoteAddress = remoteAddress
        self.isTLS = isTLS
        self.backend = backend
        self.pool = pool
        self.output = output
        self.eventLoop = eventLoop
        self.now = now
    }

    /// Sets who is told of changes while the client idles; before the first input.
    func setChangeHandler(_ handler: @escaping @Sendable () -> Void) { onChange = handler }

    /// Begins on an input; `then` is called on the event loop when it is dealt with.
    func begin(_ input: IMAPSessionInput, then: @escaping @Sendable (IMAPSessionStep) -> Void) {
        Task { then(await self.handle(input)) }
    }

    /// Deals with an input; the answers have been handed to the output when it returns.
    ///
    /// - Precondition: No other input is under way. Wherever this actor waits it could be entered again, and two
    ///   commands would work on one state.
    func handle(_ input: IMAPSessionInput) async -> IMAPSessionStep {
        precondition(!isHandling, "An input came while another one was under way")
        isHandling = true
        defer {
            endCommand()
            isHandling = false
        }
        do throws(IMAPFailure) {
            let step = try await step(input)
            if notify != nil { try await watchSelected() }
            try await flush()
            if case .logout = state { return .close }
            return step
        } catch {
            return await end(error)
        }
    }

    private func step(_ input: IMAPSessionInput) async throws(IMAPFailure) -> IMAPSessionStep {
        switch input {
        case .start:
            respond(
                .status(tag: nil, .ok, code: .capability(capabilities), text: "\(configuration.hostname) IMAP rmail"))
        case .event(let event): return try await handle(event)
        case .wake: try await pushChanges()
        case .poll:
            notify?.poll()
            try await pushChanges()
        case .keepAlive: if isIdling { respond(.status(tag: nil, .ok, text: "Still here")) }
        case .timeOut: throw .bye(nil, "Idle for too long")
        case .stop: throw .bye(nil, "The server is shutting down")
        case .disconnected: throw .disconnected
        }
        return .proceed
    }

    private func handle(_ event: IMAPInboundEvent) async throws(IMAPFailure) -> IMAPSessionStep {
        switch event {
        case .command(let command):
            return try await run(command)
        case .continuationNeeded:
            respond(.continuation(text: "OK"))
        case .authenticationResponse(let response):
            return try await continueAuthentication(response)
        case .idleDone(let wellFormed):
            try await endIdle(wellFormed: wellFormed)
        case .appendBegin(let message):
            return try await beginMessage(message)
        case .appendChunk(let chunk):
            await appendChunk(chunk)
        case .appendMessageEnd:
            break
        case .appendEnd(let tag):
            try await answer(tag) { session throws(IMAPFailure) in try await session.finishAppend() }
        case .reject(let rejection):
            context = nil
            respond(rejection.response)
            if rejection.isFatal { state = .logout }
            try countBadCommand()
        }
        return .proceed
    }

    // MARK: Answers

    /// What a command that was carried out is answered with.
    struct Completion {
        var code: IMAPResponseCode?
        var text: String

        init(_ text: String, code: IMAPResponseCode? = nil) {
            self.code = code
            self.text = text
        }
    }

    /// Carries a command out and answers it: with its completion, or with the failure that it met.
    func answer(
        _ tag: String, _ body: (isolated IMAPSession) async throws(IMAPFailure) -> Completion
    ) async throws(IMAPFailure) {
        do throws(IMAPFailure) {
            let completion = try await body(self)
            respond(.status(tag: tag, .ok, code: completion.code, text: completion.text))
        } catch {
            try refuse(tag, error)
        }
    }

    /// Answers a command that was not carried out.
    ///
    /// - Throws: the failure itself when the session cannot go on.
    func refuse(_ tag: String, _ failure: IMAPFailure) throws(IMAPFailure) {
        switch failure.kind {
        case .no: respond(.status(tag: tag, .no, code: failure.code, text: failure.text))
        case .bad:
            respond(.status(tag: tag, .bad, code: failure.code, text: failure.text))
            try countBadCommand()
        case .bye, .disconnected: throw failure
        }
    }

    /// Adds an answer to those on their way out.
    func respond(_ response: IMAPResponse) { encoder.encode(response, into: &buffer) }

    /// Hands over what is gathered when it is more than a piece.
    func flushIfLarge() async throws(IMAPFailure) {
        if buffer.readableBytes >= configuration.outputPiece { try await flush() }
    }

    /// Hands over what is gathered.
    func flush() async throws(IMAPFailure) {
        guard buffer.readableBytes > 0 else { return }
        let bytes = buffer
        buffer = ByteBuffer()
        guard await output.send(bytes) else { throw .disconnected }
    }

    /// Runs a blocking body on the pool.
    func blocking<Value: Sendable>(
        missing: IMAPResponseCode = .nonexistent, _ body: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(IMAPFailure) -> Value {
        do {
            return try await pool.run(body)
        } catch {
            throw IMAPFailure(error, missing: missing)
        }
    }

    // MARK: Limits

    func countBadCommand() throws(IMAPFailure) {
        badCommands += 1
        if badCommands >= configuration.maxBadCommands { throw .bye(.clientBug, "Too many bad commands") }
    }

    func forgiveBadCommands() { badCommands = 0 }

    func countLoginFailure() throws(IMAPFailure) {
        loginFailures += 1
        if loginFailures >= configuration.maxLoginFailures { throw .bye(nil, "Too many failed logins") }
    }

    // MARK: The end

    /// Says why the session ends, if anybody listens, and lets go of everything.
    private func end(_ failure: IMAPFailure) async -> IMAPSessionStep {
        let mayTalk = failure.kind != .disconnected
        if case .logout = state {} else if mayTalk { respond(.bye(code: failure.code, text: failure.text)) }
        context = nil
        notify = nil
        state = .logout
        if mayTalk { try? await flush() }
        buffer = ByteBuffer()
        return .close
    }
}
