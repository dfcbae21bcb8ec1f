import NIOCore

/// The destination of a session's responses.
protocol IMAPOutput: Sendable {
    /// False when the client is gone.
    var isOpen: Bool { get }

    /// Sends bytes to the client and returns when there is room for more: a session waits here for a client that does
    /// not read.
    ///
    /// - Returns: false when the client is gone.
    func send(_ bytes: ByteBuffer) async -> Bool

    /// Hands bytes to the client whether it reads or not. Not in the middle of a response.
    func post(_ bytes: ByteBuffer)
}
