import NIOCore

/// Where a session's answers go.
protocol IMAPOutput: Sendable {
    /// False when the client is gone.
    var isOpen: Bool { get }

    /// Hands bytes to the client and returns when there is room for more: a client that does not read waits here.
    /// - Returns: false when the client is gone.
    func send(_ bytes: ByteBuffer) async -> Bool
}
