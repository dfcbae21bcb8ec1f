/// Case folding of single characters for searches.
///
/// Strings equal under i;unicode-casemap (RFC 5051) are equal here, composed and decomposed forms included. A few more
/// are: the full uppercase form comes first, so that "SS" finds "ß".
enum CaseFolding {
    /// The characters of one and two bytes, computed once: all of Latin, Greek, Cyrillic, Hebrew and Arabic mail.
    ///
    /// Each entry holds the character's bytes from the lowest byte up, their number in the highest byte.
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

    /// Whether a character of three or four bytes is known to be its own folded form: dashes and quotation marks, most
    /// symbols, ideographs, emoji. Kana and hangul are not, because they decompose; all others are looked up.
    static func isCaseless(_ value: UInt32) -> Bool {
        switch value {
        case 0x2012..<0x2017, 0x2018..<0x2024, 0x2027..<0x202F, 0x20A9..<0x2100: true
        case 0x2300..<0x2329, 0x232B..<0x2460, 0x2500..<0x2A00, 0x2B00..<0x2C00: true
        case 0x3400..<0xA640, 0x1F252..<0x1FBF0, 0x2_0000..<0x2_F800: true
        default: false
        }
    }

    static func mapped(_ scalar: Unicode.Scalar) -> [UInt8] {
        var result: [UInt8] = []
        for upper in scalar.properties.uppercaseMapping.unicodeScalars { UnicodeCasemap.append(upper, to: &result) }
        // The stream folds ASCII to lower case.
        return result.asciiLowered
    }
}
