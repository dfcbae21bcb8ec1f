/// Case folding of single characters for searches.
///
/// What i;unicode-casemap (RFC 5051) holds for equal is equal here, composed and decomposed forms among it. A little
/// more is: the full uppercase form comes first, so that "ß" is found by "SS".
enum CaseFolding {
    /// The characters of one and two bytes, computed once: all of Latin, Greek, Cyrillic, Hebrew and Arabic mail.
    ///
    /// The bytes of each from the lowest byte up, their number in the highest.
    private static let small: [UInt64] = (0..<0x800).map { value in
        let bytes = Unicode.Scalar(UInt32(value)).map(mapped) ?? []
        var packed = UInt64(bytes.count) << 56
        for (index, byte) in bytes.prefix(7).enumerated() { packed |= UInt64(byte) << (8 * UInt64(index)) }
        return packed
    }

    /// Emits the folded form of a character below U+0800.
    @inline(__always)
    static func foldSmall(_ value: UInt32, _ emit: (UInt8) -> Void) {
        var packed = small[Int(value & 0x7FF)]
        for _ in 0..<Int(packed >> 56) {
            emit(UInt8(truncatingIfNeeded: packed))
            packed >>= 8
        }
    }

    /// Whether a character of three or four bytes is its own folded form, as most are: punctuation and symbols,
    /// ideographs, emoji. Kana and hangul are not, because they decompose.
    static func isCaseless(_ value: UInt32) -> Bool {
        switch value {
        case 0x2000..<0x2100, 0x2190..<0x2460, 0x2500..<0x2C00, 0x2E80..<0x3040, 0x3100..<0xA640, 0x1F000...: true
        default: false
        }
    }

    static func mapped(_ scalar: Unicode.Scalar) -> [UInt8] {
        var result: [UInt8] = []
        for upper in scalar.properties.uppercaseMapping.unicodeScalars { UnicodeCasemap.append(upper, to: &result) }
        // ASCII is folded to lower case by the stream.
        return result.asciiLowered
    }
}
