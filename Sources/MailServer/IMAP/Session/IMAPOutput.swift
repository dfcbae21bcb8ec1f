import NIOCore

/// Where a session's answers go.
protocol IMAPOutput: Sendable {
    /// Hands bytes to the client and returns when there is room for more: a client that does not read waits here.
    ///
    /// - Throws: `disconnected` when the client is gone.
    func send(_ bytes: ByteBuffer) async throws(IMAPFailure)
}
