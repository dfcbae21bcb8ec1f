/// Header field values as text.
public enum HeaderValue {
    /// The value on one line: line ends taken out, the blank after each made a space, both ends trimmed.
    ///
    /// A NUL becomes "?" and a lone CR a space, so that the result fits into any protocol's string (RFC 5322
    /// section 2.2.3). Bytes above 127 stay.
    public static func unfolded(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        let range = range.clamped(to: 0..<bytes.count)
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes[index]
            index += 1
            switch byte {
            case ASCII.lf:
                if index < range.upperBound, bytes[index] == ASCII.tab {
                    result.append(ASCII.space)
                    index += 1
                }
            case ASCII.cr:
                if index == range.upperBound || bytes[index] != ASCII.lf { result.append(ASCII.space) }
            case ASCII.nul:
                result.append(ASCII.question)
            default:
                result.append(byte)
            }
        }
        return result.trimmed
    }

    /// The value as UTF-8 text for people and searches: unfolded, encoded words of RFC 2047 decoded.
    public static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        EncodedWord.decode(unfolded(bytes, range))
    }
}
