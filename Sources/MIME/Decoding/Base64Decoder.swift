/// Decodes base64 piece by piece (RFC 2045 section 6.8); bytes outside the alphabet are skipped.
///
/// Padding ends a group, and what follows it begins a new one, as in bodies put together from several.
struct Base64Decoder {
    private var bits: UInt32 = 0
    private var count = 0

    mutating func decode(_ bytes: Span<UInt8>, _ range: Range<Int>, into output: inout [UInt8]) {
        for index in range {
            let byte = bytes[index]
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            case ASCII.equals:
                finish(into: &output)
                continue
            default: continue
            }
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
    }

    /// Writes the whole bytes of an unfinished group.
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
