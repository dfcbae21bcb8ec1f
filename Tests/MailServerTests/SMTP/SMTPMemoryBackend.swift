import NIOCore
import Primitives
import SMTPCodec

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import MailServer
@testable import ServerRuntime

/// A mail host in memory with the accounts of ``SMTPDialogue``.
final class SMTPMemoryBackend: SMTPBackend {
    struct Delivery: Sendable {
        var envelope: SMTPEnvelope
        var content: ByteBuffer
    }

    private struct State {
        var deliveries: [Delivery] = []
        var openMessages = 0
        var gate: (isClosed: Bool, waiting: [CheckedContinuation<Void, Never>]) = (false, [])
        /// Resumed when an append reaches the gate.
        var watcher: CheckedContinuation<Void, Never>?
    }

    private let state = Locked(State())

    var deliveries: [Delivery] { state.withLock { $0.deliveries } }
    var contents: [String] { deliveries.map { String(buffer: $0.content) } }
    var openMessages: Int { state.withLock { $0.openMessages } }

    /// Holds every append until ``openGate()``.
    func closeGate() { state.withLock { $0.gate.isClosed = true } }

    func openGate() {
        let waiting = state.withLock { state in
            defer { state.gate = (false, []) }
            return state.gate.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns once an append waits at the closed gate.
    func firstAppend() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.gate.waiting.isEmpty { state.watcher = continuation }
                return !state.gate.waiting.isEmpty
            }
            if isThere { continuation.resume() }
        }
    }

    let logins: any LoginChecker = TestLogins(password: "password")

    func begin(_ envelope: SMTPEnvelope) async throws(Refusal) -> any SMTPTransaction {
        if let refusal = SMTPDialogue.refusal(of: envelope) { throw refusal }
        return Transaction(backend: self)
    }

    private struct Transaction: SMTPTransaction {
        let backend: SMTPMemoryBackend

        func recipient(_ path: SMTPForwardPath, in envelope: SMTPEnvelope) async throws(Refusal) -> [Destination] {
            try SMTPDialogue.destinations(of: path).get()
        }

        func beginMessage(_ envelope: SMTPEnvelope) async throws(Refusal) -> any SMTPIncomingMessage {
            backend.state.withLock { $0.openMessages += 1 }
            return Message(backend: backend)
        }
    }

    private func passGate() async {
        await withCheckedContinuation { continuation in
            let (isOpen, watcher) = state.withLock { state in
                guard state.gate.isClosed else { return (true, CheckedContinuation<Void, Never>?.none) }
                state.gate.waiting.append(continuation)
                defer { state.watcher = nil }
                return (false, state.watcher)
            }
            if isOpen { continuation.resume() }
            watcher?.resume()
        }
    }

    private final class Message: SMTPIncomingMessage {
        private let backend: SMTPMemoryBackend
        private let content = Locked(ByteBuffer())

        init(backend: SMTPMemoryBackend) { self.backend = backend }

        func append(_ bytes: ByteBuffer) async throws(Refusal) {
            await backend.passGate()
            _ = content.withLock { $0.writeImmutableBuffer(bytes) }
        }

        func commit(_ envelope: SMTPEnvelope) async -> [RecipientOutcome] {
            let content = content.withLock { $0 }
            backend.state.withLock { state in
                state.deliveries.append(Delivery(envelope: envelope, content: content))
                state.openMessages -= 1
            }
            return envelope.recipients.map { _ in .delivered }
        }

        func discard() async {
            backend.state.withLock { $0.openMessages -= 1 }
        }
    }
}
