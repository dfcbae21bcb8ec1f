package import NIOCore

/// Buffers for what connections receive, none of which a connection keeps while it waits.
///
/// SwiftNIO pools a connection's buffers at the size that they had when it was busy, which is most of what an idle
/// session would cost. With no hint of the next size, the promise of growth and one message for each read
/// (`maxMessagesPerRead`), it keeps but the first buffer, the smallest, and takes a fresh one for each read.
package struct ReceiveAllocator: RecvByteBufferAllocator {
    package static let minimum = 512
    /// Also bounds the buffer that NIOSSL keeps for what it has deciphered.
    package static let maximum = 32_768

    package private(set) var size = Self.minimum

    package func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { allocator.buffer(capacity: size) }

    package func nextBufferSize() -> Int? { nil }

    package mutating func record(actualReadBytes: Int) -> Bool {
        if actualReadBytes >= size {
            size = min(size * 4, Self.maximum)
        } else if actualReadBytes < size / 2 {
            size = max(size / 2, Self.minimum)
        }
        return true
    }
}
