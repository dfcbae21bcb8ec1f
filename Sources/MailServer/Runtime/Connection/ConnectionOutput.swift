package import NIOCore
import Primitives

/// Writes a session's answers to its channel no faster than the client reads them.
///
/// The channel never queues more than its high watermark plus one piece.
package final class ConnectionOutput: Sendable {
    private struct State {
        var isOpen = true
        var waiter: CheckedContinuation<Bool, Never>?
    }

    /// The time a client may go without reading before it is disconnected.
    package let timeout: TimeAmount
    private let channel: any Channel
    private let state = Locked(State())

    package init(_ channel: any Channel, timeout: TimeAmount) {
        self.channel = channel
        self.timeout = timeout
    }

    /// Writes bytes and returns once there is room for more, so a session suspends here while its client does not read.
    /// One call at a time.
    /// - Returns: False if the client is gone.
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

    /// Hands bytes to the client whether it reads or not.
    package func post(_ bytes: ByteBuffer) { channel.writeAndFlush(bytes, promise: nil) }

    package var isOpen: Bool { state.withLock { $0.isOpen } }

    /// True while a session waits for its client to read.
    package var isWaiting: Bool { state.withLock { $0.waiter != nil } }

    /// Resumes a waiting session after the client has read some data.
    package func writabilityChanged() {
        guard channel.isWritable else { return }
        take()?.resume(returning: true)
    }

    /// Marks the client as gone and resumes a waiting session.
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
