package import NIOCore
import Primitives

/// A session's answers, written to its channel no faster than the client takes them.
///
/// What waits in the channel is its high watermark and one piece at the most.
package final class ConnectionOutput: Sendable {
    private struct State {
        var isOpen = true
        var waiter: CheckedContinuation<Bool, Never>?
    }

    /// Time that the client may take nothing before it is cut off.
    package let timeout: TimeAmount
    private let channel: any Channel
    private let state = Locked(State())

    package init(_ channel: any Channel, timeout: TimeAmount) {
        self.channel = channel
        self.timeout = timeout
    }

    /// Hands bytes to the client and returns when there is room for more: a client that does not read waits here.
    /// One call at a time.
    /// - Returns: false when the client is gone.
    package func send(_ bytes: ByteBuffer) async -> Bool {
        channel.writeAndFlush(bytes, promise: nil)
        return await withCheckedContinuation { continuation in
            let isOpen: Bool? = state.withLock { state in
                if !state.isOpen { return false }
                if channel.isWritable { return true }
                state.waiter = continuation
                return nil
            }
            if let isOpen { continuation.resume(returning: isOpen) }
        }
    }

    package var isOpen: Bool { state.withLock { $0.isOpen } }

    /// True while a session waits for its client to read.
    package var isWaiting: Bool { state.withLock { $0.waiter != nil } }

    /// The client has taken some of it.
    package func writabilityChanged() {
        guard channel.isWritable else { return }
        take()?.resume(returning: true)
    }

    /// The client is gone.
    package func close() {
        state.withLock { $0.isOpen = false }
        take()?.resume(returning: false)
    }

    private func take() -> CheckedContinuation<Bool, Never>? {
        state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
    }
}
