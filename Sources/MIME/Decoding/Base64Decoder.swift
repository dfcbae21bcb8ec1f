/// Decodes base64 piece by piece (RFC 2045 section 6.8); bytes outside the alphabet are skipped.
///
/// Padding ends a group, and a new group begins after it, as in bodies concatenated from several.
struct Base64Decoder {
    private var bits: UInt32 = 0
    private var count = 0

    mutating func decode(_ bytes: Span<UInt8>, _ range: Range<Int>, into output: inout [UInt8]) {
        output.reserve(range.count / 4 * 3 + 3)
        Self.values.withUnsafeBufferPointer { values in
            var index = range.lowerBound
            while index < range.upperBound {
                // Fast path for complete groups, the common case.
                while count == 0, index + 4 <= range.upperBound {
                    let first = values[Int(bytes[index])]
                    let second = values[Int(bytes[index + 1])]
                    let third = values[Int(bytes[index + 2])]
                    let fourth = values[Int(bytes[index + 3])]
                    guard first | second | third | fourth < 64 else { break }
                    output.append(first << 2 | second >> 4)
                    output.append(second << 4 | third >> 2)
                    output.append(third << 6 | fourth)
                    index += 4
                }
                guard index < range.upperBound else { return }
                take(bytes[index], values, into: &output)
                index += 1
            }
        }
    }

    private mutating func take(_ byte: UInt8, _ values: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) {
        if byte == ASCII.equals { return finish(into: &output) }
        let value = values[Int(byte)]
        guard value < 64 else { return }
        bits = bits << 6 | UInt32(value)
        count += 1
        if count == 4 {
            output.append(UInt8(truncatingIfNeeded: bits >> 16))
            output.append(UInt8(truncatingIfNeeded: bits >> 8))
            output.append(UInt8(truncatingIfNeeded: bits))
            bits = 0
            count = 0
        }
    }

    /// The value of each byte; 255 for bytes outside the alphabet.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, byte) in alphabet.utf8.enumerated() { values[Int(byte)] = UInt8(value) }
        return values
    }()

    /// Writes the complete bytes of an unfinished group.
    mutating func finish(into output: inout [UInt8]) {
        if count == 3 {
            output.append(UInt8(truncatingIfNeeded: bits >> 10))
            output.append(UInt8(truncatingIfNeeded: bits >> 2))
        } else if count == 2 {
            output.append(UInt8(truncatingIfNeeded: bits >> 4))
        }
        bits = 0
        count = 0
    }
}
