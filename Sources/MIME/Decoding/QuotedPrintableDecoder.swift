/// Decodes quoted-printable piece by piece (RFC 2045 section 6.7); malformed input is left unchanged.
struct QuotedPrintableDecoder {
    /// An "=" and the bytes after it, or blanks that are dropped if the line ends after them.
    private var held: [UInt8] = []
    private static let longestHeld = 1024

    mutating func decode(_ bytes: Span<UInt8>, _ range: Range<Int>, into output: inout [UInt8]) {
        output.reserve(range.count + held.count)
        var index = range.lowerBound
        /// The end of the current line or range, and the end of its text without the blanks that may have to be
        /// dropped.
        var lineEnd = index
        var textEnd = index
        while index < range.upperBound {
            guard held.isEmpty else {
                take(bytes[index], into: &output)
                index += 1
                continue
            }
            if index >= lineEnd {
                let feed = bytes.firstIndex(of: ASCII.lf, from: index, to: range.upperBound)
                lineEnd = feed.map { $0 + 1 } ?? range.upperBound
                textEnd = feed ?? range.upperBound
                while textEnd > index, bytes[textEnd - 1].isBlank || bytes[textEnd - 1] == ASCII.cr { textEnd -= 1 }
            }
            if index >= textEnd {
                take(bytes[index], into: &output)
                index += 1
            } else if bytes[index] != ASCII.equals {
                let end = bytes.firstIndex(of: ASCII.equals, from: index, to: textEnd) ?? textEnd
                output.append(bytes, index..<end)
                index = end
            } else if index + 2 < textEnd, let high = bytes[index + 1].hexValue, let low = bytes[index + 2].hexValue {
                output.append(high << 4 | low)
                index += 3
            } else {
                take(bytes[index], into: &output)
                index += 1
            }
        }
    }

    mutating func finish(into output: inout [UInt8]) {
        // A soft line break at the very end is not text.
        if held != [ASCII.equals] { output += held }
        held.removeAll(keepingCapacity: true)
    }

    private mutating func take(_ byte: UInt8, into output: inout [UInt8]) {
        guard let first = held.first else {
            if byte == ASCII.equals || byte.isBlank || byte == ASCII.cr {
                held.append(byte)
            } else {
                output.append(byte)
            }
            return
        }
        if first == ASCII.equals {
            takeEscaped(byte, into: &output)
        } else {
            takeBehindBlanks(byte, into: &output)
        }
    }

    private mutating func takeEscaped(_ byte: UInt8, into output: inout [UInt8]) {
        if byte == ASCII.lf {
            if held.allSatisfy({ $0 == ASCII.equals || $0.isWhitespace }) {
                held.removeAll(keepingCapacity: true)
            } else {
                release(then: byte, into: &output)
            }
            return
        }
        if held.count == 2, let high = held[1].hexValue {
            guard let low = byte.hexValue else {
                release(then: byte, into: &output)
                return
            }
            output.append(high << 4 | low)
            held.removeAll(keepingCapacity: true)
            return
        }
        let isTransportPadding = byte.isBlank || byte == ASCII.cr
        if held.count == 1 ? isTransportPadding || byte.hexValue != nil : isTransportPadding,
            held.count < Self.longestHeld
        {
            held.append(byte)
        } else {
            release(then: byte, into: &output)
        }
    }

    private mutating func takeBehindBlanks(_ byte: UInt8, into output: inout [UInt8]) {
        if byte == ASCII.lf {
            // Blanks before a line end were added in transit.
            if held.last == ASCII.cr { output.append(ASCII.cr) }
            output.append(ASCII.lf)
            held.removeAll(keepingCapacity: true)
        } else if byte.isBlank || byte == ASCII.cr, held.last != ASCII.cr, held.count < Self.longestHeld {
            held.append(byte)
        } else {
            release(then: byte, into: &output)
        }
    }

    private mutating func release(then byte: UInt8, into output: inout [UInt8]) {
        output += held
        held.removeAll(keepingCapacity: true)
        take(byte, into: &output)
    }
}
