package import NIOCore

/// Allocator of receive buffers that an idle connection does not keep.
///
/// SwiftNIO pools a connection's buffers at the size they had when it was busy, which would be most of the memory of an
/// idle session. With no hint of the next size, a promise of growth and one message per read (`maxMessagesPerRead`),
/// it keeps only the first and smallest buffer, and allocates a new one for each read.
package struct ReceiveAllocator: RecvByteBufferAllocator {
    package static let minimum = 512
    /// Also bounds the buffer that NIOSSL keeps for decrypted data.
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
