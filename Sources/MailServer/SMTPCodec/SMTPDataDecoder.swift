import NIOCore

/// Removes dot-stuffing from the content of DATA and finds its end (RFC 5321 section 4.5.2).
///
/// Only CRLF.CRLF is the end; the CRLF of the DATA command counts as the first one. The search continues after a fault.
struct SMTPDataDecoder: Sendable {
    private enum State {
        case lineStart
        case inLine
        case afterCR
        /// After a dot at the start of a line, which was dropped.
        case afterDot
        case afterDotCR
    }

    private var state = State.lineStart
    private(set) var fault: SMTPContentFault?

    enum Output {
        /// All input was consumed; the content may be empty.
        case content(ByteBuffer)
        /// The end was found; input after it remains in the buffer.
        case end(ByteBuffer)
    }

    /// Consumes `input` up to the end of the content.
    mutating func decode(_ input: inout ByteBuffer) -> Output {
        var runs = ContentRuns()
        let (consumed, atEnd) = input.withUnsafeReadableBytes { bytes in scan(bytes, into: &runs) }
        let slice = input.readSlice(length: consumed) ?? ByteBuffer()
        let content = runs.content(of: slice)
        return atEnd ? .end(content) : .content(content)
    }

    private mutating func scan(_ bytes: UnsafeRawBufferPointer, into runs: inout ContentRuns) -> (Int, Bool) {
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            switch state {
            case .lineStart where byte == UInt8(ascii: "."):
                state = .afterDot
                runs.drop(position)
                position += 1
            case .lineStart, .inLine:
                position = bytes.nextSpecial(from: position)
                state = .inLine
                guard position < bytes.count else { break }
                takeSpecial(bytes[position])
                position += 1
            case .afterCR:
                if byte == UInt8(ascii: "\n") {
                    state = .lineStart
                    position += 1
                } else {
                    note(.bareCR)
                    state = .inLine
                }
            case .afterDot:
                if byte == UInt8(ascii: "\r") {
                    // The CR may belong to the end marker; otherwise it is bare, and the message is refused anyway.
                    state = .afterDotCR
                    runs.drop(position)
                    position += 1
                } else {
                    state = .inLine
                }
            case .afterDotCR:
                if byte == UInt8(ascii: "\n") {
                    runs.drop(position)
                    state = .lineStart
                    return (position + 1, true)
                }
                note(.bareCR)
                state = .inLine
            }
        }
        return (position, false)
    }

    private mutating func takeSpecial(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\r"): state = .afterCR
        case UInt8(ascii: "\n"): note(.bareLF)
        default: note(.nul)
        }
    }

    private mutating func note(_ fault: SMTPContentFault) {
        if self.fault == nil { self.fault = fault }
    }
}

/// The ranges of one piece of input that are content.
private struct ContentRuns {
    private var ranges: [Range<Int>] = []
    private var start = 0

    /// Excludes the byte at `position`. Positions must be ascending.
    mutating func drop(_ position: Int) {
        if start < position { ranges.append(start..<position) }
        start = position + 1
    }

    /// Returns the content as one buffer, without copying if it is a single range.
    func content(of slice: ByteBuffer) -> ByteBuffer {
        var ranges = ranges
        if start < slice.readableBytes { ranges.append(start..<slice.readableBytes) }
        guard ranges.count != 1, let first = ranges.first else {
            return ranges.first.flatMap { slice.getSlice(at: slice.readerIndex + $0.lowerBound, length: $0.count) }
                ?? ByteBuffer()
        }
        var content = ByteBuffer()
        content.reserveCapacity(slice.readableBytes - first.lowerBound)
        for range in ranges {
            content.writeImmutableBuffer(
                slice.getSlice(at: slice.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer())
        }
        return content
    }
}
