import IMAPCodec
import MailAccess
import NIOCore
import Primitives
import ServerRuntime
import ShardFS

/// The session with one client: takes the codec's events one at a time and produces responses. RFC 3501, RFC 9051.
///
/// It runs on the connection's event loop. Blocking work goes to the pool; until it returns, the driver passes the
/// session no other input. Each family of commands is an extension in a separate file.
actor IMAPSession {
    /// The state of a session. RFC 9051 section 3.
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
    /// In whose name the session has turns on the pool.
    nonisolated let owner: WorkOwner
    /// The connection's place, which a login makes its account's; nil in tests.
    let place: ConnectionPlace?
    let output: any IMAPOutput
    /// The current time in seconds since 1970 UTC.
    let now: @Sendable () -> Int64
    private let eventLoop: any EventLoop

    var state = State.notAuthenticated
    var isTLS: Bool
    var isCompressed = false
    var encoder = IMAPResponseEncoder()
    var buffer = ByteBuffer()
    /// The current command: running, or waiting for more input.
    var context: CommandContext?
    /// The client's NOTIFY state; nil before its first NOTIFY.
    var notify: NotifyWatch?
    /// Number of times the driver has asked whether to poll.
    var polls: UInt8 = 0
    /// The result that `$` stands for (RFC 5182).
    var savedSearch: [ClosedRange<UInt32>] = []
    /// The features that the client has enabled.
    var enabled: IMAPEnabledFeatures = []
    /// The handler called on any thread when something observed has changed.
    var onChange: @Sendable () -> Void = {}
    /// The account may no longer be used.
    private nonisolated let isRevoked = Locked(false)
    /// An input is being handled.
    private var isHandling = false
    private var loginFailures = 0
    private var badCommands = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    init(
        configuration: IMAPSessionConfiguration, remoteAddress: String, isTLS: Bool, backend: any IMAPBackend,
        pool: BlockingPool, place: ConnectionPlace? = nil, output: any IMAPOutput, eventLoop: any EventLoop,
        now: @escaping @Sendable () -> Int64
    ) {
        self.configuration = configuration
        self.remoteAddress = remoteAddress
        self.isTLS = isTLS
        self.backend = backend
        self.pool = pool
        self.place = place
        self.output = output
        owner = WorkOwner { output.isOpen }
        self.eventLoop = eventLoop
        self.now = now
    }

    /// Sets the handler for changes during IDLE and with NOTIFY; called before the first input.
    func setChangeHandler(_ handler: @escaping @Sendable () -> Void) { onChange = handler }

    /// Ends the long command under way, if there is one: the account may no longer be used.
    nonisolated func revoke() {
        isRevoked.withLock { $0 = true }
        owner.stop()
    }

    /// Starts handling an input; `then` is called on the event loop when it is done.
    func begin(_ input: IMAPSessionInput, then: @escaping @Sendable (IMAPSessionStep) -> Void) {
        Task { then(await self.handle(input)) }
    }

    /// Handles an input; its responses have been passed to the output on return.
    ///
    /// - Precondition: No other input is being handled. The actor can be re-entered wherever it awaits, and then two
    ///   commands would work on one state.
    func handle(_ input: IMAPSessionInput) async -> IMAPSessionStep {
        precondition(!isHandling, "Input received while another one is being handled")
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
        case .timeOut:
            if case .notAuthenticated = state { throw .bye(nil, "Too long without a login") }
            throw .bye(nil, "Idle for too long")
        case .stop: throw .bye(nil, "The server is shutting down")
        case .revoked: throw .accountDisabled
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
            if case .limit = rejection.reason { break }
            try countBadCommand()
        }
        return .proceed
    }

    // MARK: Answers

    /// The code and text that complete a successful command.
    struct Completion {
        var code: IMAPResponseCode?
        var text: String

        init(_ text: String, code: IMAPResponseCode? = nil) {
            self.code = code
            self.text = text
        }
    }

    /// Executes a command and sends its completion or its failure.
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

    /// Sends the failure of a command.
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

    /// Adds a response to the buffer.
    func respond(_ response: IMAPResponse) { encoder.encode(response, into: &buffer) }

    /// As ``respond(_:)``, encoding a response of very many numbers on the pool: this event loop has other sessions.
    func respond(_ response: IMAPResponse, ofNumbers count: Int) async throws(IMAPFailure) {
        guard count > 10_000 else { return respond(response) }
        let encoder = encoder
        let bytes = try await blocking { () throws(StoreError) in
            var bytes = ByteBuffer()
            encoder.encode(response, into: &bytes)
            return bytes
        }
        buffer.writeImmutableBuffer(bytes)
    }

    /// Sends the buffered responses if they fill a piece.
    func flushIfLarge() async throws(IMAPFailure) {
        if buffer.readableBytes >= configuration.outputPiece { try await flush() }
    }

    /// Sends the buffered responses.
    func flush() async throws(IMAPFailure) {
        guard buffer.readableBytes > 0 else { return }
        let bytes = buffer
        buffer = ByteBuffer()
        guard await output.send(bytes) else { throw .disconnected }
    }

    /// Runs a blocking body on the pool.
    /// - Parameter inline: short work, which is done here if it turns out not to wait; see ``InlineWork``.
    func blocking<Value: Sendable>(
        missing: IMAPResponseCode = .nonexistent, inline: InlineWork.Kind? = nil,
        _ body: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(IMAPFailure) -> Value {
        do {
            return try await pool.run(for: owner, inline: inline, body)
        } catch {
            if case .work(let failure) = error { report(failure) }
            throw IMAPFailure(error, missing: missing)
        }
    }

    /// Reports a store error to the backend, for the operator.
    func report(_ error: StoreError) {
        let account: IMAPAccount? =
            switch state {
            case .authenticated(let account), .selected(let account, _): account
            case .notAuthenticated, .logout: nil
            }
        backend.storeFailed(error, for: account?.address, client: remoteAddress)
    }

    /// Reports messages that a command could not read.
    func report(_ unreadable: UnreadableMessages, _ command: String, in view: SelectedMailbox) {
        report(StoreError(.damaged, "\(command), mailbox \(view.mailbox.path): \(unreadable.description)"))
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

    /// Reports why the session ends, if the client is still connected, and releases everything.
    private func end(_ failure: IMAPFailure) async -> IMAPSessionStep {
        let mayTalk = failure.kind != .disconnected
        // The command ended because of it.
        let failure = mayTalk && isRevoked.withLock { $0 } ? .accountDisabled : failure
        if case .logout = state {} else if mayTalk { respond(.bye(code: failure.code, text: failure.text)) }
        context = nil
        notify = nil
        state = .logout
        if mayTalk { try? await flush() }
        buffer = ByteBuffer()
        return .close
    }
}
