import CZlib
package import NIOCore

/// A decompressor for a raw DEFLATE stream, one bounded piece at a time.
///
/// Uses about 40 KiB from the first byte on, 32 KiB of it for the largest window a client may choose.
package struct Inflater: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>
    private var isAtEnd = false
    /// The last piece was full, so zlib may hold more output for input already consumed.
    package private(set) var holdsMore = false

    package init() throws(CompressionError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            stream.deallocate()
            throw .outOfMemory
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Returns up to `limit` decompressed bytes, consuming `input`; empty if more input is needed.
    package mutating func next(from input: inout ByteBuffer, limit: Int) throws(CompressionError) -> ByteBuffer {
        guard input.readableBytes > 0 || holdsMore else { return ByteBuffer() }
        // Data after the end of the stream is an error.
        if isAtEnd { throw .corrupt }
        var output = ByteBuffer()
        var result = Z_OK
        let stream = stream
        input.readWithUnsafeReadableBytes { bytes in
            let count = UInt32(clamping: bytes.count)
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.pointee.avail_in = count
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: limit) { space in
                let room = UInt32(clamping: min(limit, space.count))
                stream.pointee.next_out = space.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = room
                result = inflate(stream, Z_SYNC_FLUSH)
                stream.pointee.next_out = nil
                return Int(room - stream.pointee.avail_out)
            }
            stream.pointee.next_in = nil
            return Int(count - stream.pointee.avail_in)
        }
        switch result {
        case Z_OK, Z_BUF_ERROR: holdsMore = stream.pointee.avail_out == 0
        case Z_STREAM_END:
            isAtEnd = true
            holdsMore = false
        case Z_MEM_ERROR: throw .outOfMemory
        default: throw .corrupt
        }
        return output
    }
}
