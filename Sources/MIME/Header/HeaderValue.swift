/// Header field values as text.
public enum HeaderValue {
    /// The value on one line: line ends removed, the blank after each replaced by a space, both ends trimmed.
    ///
    /// A NUL becomes "?" and a lone CR a space, so that the result fits into any protocol's string (RFC 5322 section
    /// 2.2.3). Bytes above 127 stay.
    public static func unfolded(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        let range = trimmed(bytes, range)
        guard isFolded(bytes, range) else { return bytes.array(range) }
        return Array(unsafeUninitializedCapacity: range.count) { output, count in
            var index = range.lowerBound
            while index < range.upperBound {
                var byte = bytes[index]
                index += 1
                switch byte {
                case ASCII.lf:
                    guard index < range.upperBound, bytes[index] == ASCII.tab else { continue }
                    byte = ASCII.space
                    index += 1
                case ASCII.cr:
                    if index < range.upperBound, bytes[index] == ASCII.lf { continue }
                    byte = ASCII.space
                case ASCII.nul:
                    byte = ASCII.question
                default:
                    break
                }
                output[count] = byte
                count += 1
            }
        }
    }

    /// The trimmed value if `text` would return it unchanged: on one line, ASCII and without encoded words.
    static func plain(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        let range = trimmed(bytes, range)
        let isAllPlain = bytes.withUnsafeBytes { bytes in
            var index = range.lowerBound
            while index < range.upperBound {
                if index + 8 <= range.upperBound {
                    let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    if isPlain(word) {
                        index += 8
                        continue
                    }
                }
                for index in index..<min(index + 8, range.upperBound) {
                    let byte = bytes[index]
                    if byte &- 1 >= 0x7F || byte == ASCII.lf || byte == ASCII.cr { return false }
                    if byte == ASCII.question, index > range.lowerBound, bytes[index - 1] == ASCII.equals {
                        return false
                    }
                }
                index += 8
            }
            return true
        }
        return isAllPlain ? range : nil
    }

    /// Whether none of the eight bytes is above 127, below 16 or a question mark.
    @inline(__always)
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let question = word ^ (ones &* UInt64(ASCII.question))
        let isLow = (word &- (ones &* 16)) & ~word
        return (word | isLow | (question &- ones) & ~question) & (ones &* 0x80) == 0
    }

    private static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var range = range.clamped(to: 0..<bytes.count)
        while let first = range.first, bytes[first].isWhitespace { range = first + 1..<range.upperBound }
        while let last = range.last, bytes[last].isWhitespace { range = range.lowerBound..<last }
        return range
    }

    /// Whether the range contains CR, LF or NUL.
    private static func isFolded(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        for index in range {
            let byte = bytes[index]
            if byte <= ASCII.cr, byte == ASCII.lf || byte == ASCII.cr || byte == ASCII.nul { return true }
        }
        return false
    }

    /// The value as UTF-8 text for display and searches: unfolded, encoded words of RFC 2047 decoded.
    public static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        EncodedWord.decode(unfolded(bytes, range))
    }
}
