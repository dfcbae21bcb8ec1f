package import IMAPCodec
package import MIME
package import NIOCore
import ServerRuntime
package import ShardFS

/// The octets of a part without its transfer encoding (RFC 3516), or a window of them. They are counted first, since a
/// literal begins with its size, then decoded again to be written. Only pieces are ever in memory.
package struct DecodedBody: Sendable {
    /// The state of a decoder at one position.
    private struct Place: Sendable {
        var decoder: TransferDecoder
        /// The next byte of the file.
        var position: Int
        /// Octets decoded so far.
        var decoded = 0
        var isAtEnd = false
    }

    private let end: Int
    private let window: Range<Int>
    private var place: Place
    /// The last position before the window; the second pass starts there.
    private var start: Place

    /// Octets in the window; final once counting is complete.
    package private(set) var size = 0
    /// Whether an octet in the window is NUL, which only a literal8 may hold.
    package private(set) var containsNUL = false

    /// Bytes of the file decoded at a time.
    private static let pieceSize = 32 << 10

    /// - Parameter range: the encoded bytes in the file.
    package init(_ range: Range<Int>, _ encoding: TransferEncoding, partial: IMAPPartial?) {
        end = range.upperBound
        // Decoding never produces more bytes than it reads.
        window = IMAPPartial.range(of: partial, in: 0..<range.count)
        place = Place(decoder: TransferDecoder(encoding), position: range.lowerBound)
        start = place
    }

    /// Continues counting, over about `turn` bytes of the file.
    ///
    /// - Returns: True when counting is complete.
    package mutating func count(in file: MessageFile, turn: Int) throws(StoreError) -> Bool {
        let stop = place.position + turn
        while !isThrough {
            guard place.position < stop else { return false }
            let piece = try step(file)
            if place.decoded <= window.lowerBound { start = place }
            size += piece.count
            if !containsNUL { containsNUL = piece.contains(0) }
        }
        place = start
        return true
    }

    /// Writes the next octets of the window.
    ///
    /// - Returns: True when they were the last.
    package mutating func write(from file: MessageFile, into buffer: inout ByteBuffer) throws(StoreError) -> Bool {
        if size == 0 { return true }
        buffer.writeBytes(try step(file))
        return isThrough
    }

    private var isThrough: Bool { place.isAtEnd || place.decoded >= window.upperBound }

    /// Decodes a piece and returns its part inside the window.
    private mutating func step(_ file: MessageFile) throws(StoreError) -> ArraySlice<UInt8> {
        var output: [UInt8] = []
        let count = min(Self.pieceSize, end - place.position)
        if count > 0 {
            try Turn.use(count)
            let bytes = try file.read(at: Int64(place.position), count: count)
            guard bytes.count == count else { throw .shortMessage }
            output.reserveCapacity(count)
            place.decoder.decode(bytes.span, 0..<count, into: &output)
            place.position += count
        }
        if place.position >= end {
            place.decoder.finish(into: &output)
            place.isAtEnd = true
        }
        let decoded = place.decoded..<place.decoded + output.count
        place.decoded = decoded.upperBound
        let wanted = window.clamped(to: decoded)
        return output[wanted.lowerBound - decoded.lowerBound..<wanted.upperBound - decoded.lowerBound]
    }
}
