/// Decodes windows-1252 the way browsers do (WHATWG Encoding Standard): each byte is a character; the five that the
/// page does not define are the control characters of the same number.
enum Windows1252 {
    /// Code points of the bytes from 0x80 to 0x9F.
    private static let specials: [UInt32] = [
        0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,
        0x017D,
        0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153,
        0x9D,
        0x017E, 0x0178,
    ]

    static func append(_ byte: UInt8, to output: inout [UInt8]) {
        guard byte >= 0x80 else { return output.append(byte) }
        let point = byte < 0xA0 ? specials[Int(byte) - 0x80] : UInt32(byte)
        if point < 0x800 {
            output.append(UInt8(0xC0 | point >> 6))
        } else {
            output.append(UInt8(0xE0 | point >> 12))
            output.append(UInt8(0x80 | point >> 6 & 0x3F))
        }
        output.append(UInt8(0x80 | point & 0x3F))
    }
}
