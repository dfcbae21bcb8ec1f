import NIOConcurrencyHelpers
import NIOCore

/// A session's answers, written to its channel no faster than the client takes them.
final class IMAPChannelOutput: IMAPOutput {
    private struct State {
        var isOpen = true
        var waiter: CheckedContinuation<Bool, Never>?
    }

    private let channel: any Channel
    private let state = NIOLockedValueBox(State())

    init(_ channel: any Channel) { self.channel = channel }

    func send(_ bytes: ByteBuffer) async throws(IMAPFailure) {
        channel.writeAndFlush(bytes, promise: nil)
        let isOpen = await withCheckedContinuation { continuation in
            let isOpen: Bool? = state.withLockedValue { state in
                if !state.isOpen { return false }
                if channel.isWritable { return true }
                state.waiter = continuation
                return nil
            }
            if let isOpen { continuation.resume(returning: isOpen) }
        }
        guard isOpen else { throw .disconnected }
    }

    /// True while a session waits for its client to read.
    var isWaiting: Bool { state.withLockedValue { $0.waiter != nil } }

    /// The client has taken some of it.
    func writabilityChanged() {
        guard channel.isWritable else { return }
        take()?.resume(returning: true)
    }

    /// The client is gone.
    func close() {
        state.withLockedValue { $0.isOpen = false }
        take()?.resume(returning: false)
    }

    private func take() -> CheckedContinuation<Bool, Never>? {
        state.withLockedValue { state in
            defer { state.waiter = nil }
            return state.waiter
        }
    }
}
