import NIOCore

/// Takes the dots out of the content of DATA and finds its end (RFC 5321 section 4.5.2).
///
/// The end is CRLF.CRLF, where the command's own CRLF counts as the first one, and nothing else. After a fault the
/// search for the true end goes on.
struct SMTPDataDecoder: Sendable {
    private enum State {
        case lineStart
        case inLine
        case afterCR
        /// A dot stood at the start of the line; it is content's only when another one follows.
        case afterDot
        case afterDotCR
    }

    private var state = State.lineStart
    private(set) var fault: SMTPContentFault?

    enum Output {
        /// All input was consumed; the content it held may be empty.
        case content(ByteBuffer)
        /// The end was found; input behind it is left in the buffer.
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
                    // The CR may belong to the end; should it not, it is bare, and the message is refused without it.
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

/// The stretches of one piece of input that are content, when some bytes of it are not.
private struct ContentRuns {
    private var ranges: [Range<Int>] = []
    private var start = 0

    /// Leaves out the byte at `position`; positions come in ascending order.
    mutating func drop(_ position: Int) {
        if start < position { ranges.append(start..<position) }
        start = position + 1
    }

    /// The content as one buffer, without a copy when it is one stretch.
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
