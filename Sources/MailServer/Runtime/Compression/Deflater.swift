import CZlib
package import NIOCore

/// A failure of zlib.
package enum CompressionError: Error, Hashable {
    /// Not a valid DEFLATE stream.
    case corrupt
    case outOfMemory
}

/// A compressor for one direction of a connection: raw DEFLATE (RFC 1951), without zlib's header.
///
/// Uses about 38 KiB: a 4 KiB window is enough for repetitive answers, and zlib allocates four times the window,
/// 2^(memLevel + 9) bytes for its tables, and 6 KiB.
package struct Deflater: ~Copyable {
    package static let windowBits: Int32 = 12
    package static let memoryLevel: Int32 = 5
    /// The best of the fast levels: compression runs on an event loop shared with other connections.
    package static let level: Int32 = 3

    /// On the heap, because zlib keeps a pointer to it.
    private let stream: UnsafeMutablePointer<z_stream>

    package init() throws(CompressionError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = deflateInit2_(
            stream, Self.level, Z_DEFLATED, -Self.windowBits, Self.memoryLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else {
            stream.deallocate()
            throw .outOfMemory
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Compresses `input` and appends finished output to `output`.
    /// - Parameter flush: makes all input so far decodable by the reader.
    package func compress(_ input: ByteBuffer, flush: Bool, into output: inout ByteBuffer) throws(CompressionError) {
        let result = input.withUnsafeReadableBytes { bytes in
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.pointee.avail_in = UInt32(clamping: bytes.count)
            defer { stream.pointee.next_in = nil }
            var result: Int32
            repeat {
                result = step(flush ? Z_SYNC_FLUSH : Z_NO_FLUSH, &output)
            } while result == Z_OK && stream.pointee.avail_out == 0
            return result
        }
        // Z_BUF_ERROR: the last piece was filled exactly, and no output remained.
        guard result == Z_OK || result == Z_BUF_ERROR else { throw .corrupt }
    }

    private func step(_ mode: Int32, _ output: inout ByteBuffer) -> Int32 {
        var result = Z_OK
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: 4096) { space in
            stream.pointee.next_out = space.baseAddress?.assumingMemoryBound(to: UInt8.self)
            let room = UInt32(clamping: space.count)
            stream.pointee.avail_out = room
            result = deflate(stream, mode)
            stream.pointee.next_out = nil
            return Int(room - stream.pointee.avail_out)
        }
        return result
    }
}
