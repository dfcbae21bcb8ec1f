import NIOCore
import Primitives
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Accepts all output of a session, at once or when the test releases it.
final class CollectedOutput: IMAPOutput {
    private struct State {
        var bytes = ByteBuffer()
        var isOpen = true
        var isHeld = false
        var waiter: CheckedContinuation<Void, Never>?
        var onPiece: @Sendable (_ size: Int) -> Void = { _ in }
    }

    private let state = Locked(State())

    var isOpen: Bool { state.withLock { $0.isOpen } }

    /// Simulates a client that hangs up.
    func hangUp() { state.withLock { $0.isOpen = false } }

    /// Calls `body` with the size of each piece.
    func onPiece(_ body: @escaping @Sendable (_ size: Int) -> Void) { state.withLock { $0.onPiece = body } }

    /// Simulates a client that stops reading: from then on a writer waits after handing over a piece.
    func hold() { state.withLock { $0.isHeld = true } }

    /// Whether the session is waiting for the client to read.
    var isAwaited: Bool { state.withLock { $0.waiter != nil } }

    /// Simulates a client that reads again.
    func release() {
        let waiter = state.withLock { state in
            state.isHeld = false
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    func send(_ piece: ByteBuffer) async -> Bool {
        let (isOpen, onPiece) = state.withLock { state in
            if state.isOpen { state.bytes.writeImmutableBuffer(piece) }
            return (state.isOpen, state.onPiece)
        }
        guard isOpen else { return false }
        onPiece(piece.readableBytes)
        await withCheckedContinuation { continuation in
            let waits = state.withLock { state in
                if state.isHeld { state.waiter = continuation }
                return state.isHeld
            }
            if !waits { continuation.resume() }
        }
        return true
    }

    func post(_ bytes: ByteBuffer) { state.withLock { $0.bytes.writeImmutableBuffer(bytes) } }

    func take() -> [String] {
        let text = state.withLock { state in
            defer { state.bytes = ByteBuffer() }
            return String(buffer: state.bytes)
        }
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.last == "", "the last line has no end: \(text)")
        lines.removeLast()
        return lines
    }
}
