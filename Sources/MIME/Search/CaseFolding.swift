/// Case folding of single characters for searches, in the spirit of i;unicode-casemap (RFC 5051).
///
/// Upper-cased, then lower-cased, each character by itself: "ß" is found by "SS" and "ς" by "σ". Composed and
/// decomposed forms stay different.
enum CaseFolding {
    static func folded(_ scalar: Unicode.Scalar) -> [UInt8] {
        let value = scalar.value
        if value < UInt32(small.count) { return small[Int(value)] }
        // Ideographs and kana have no case, and are most of the rest.
        if (0x2E80..<0xA640).contains(value) || (0xAC00..<0xD7A4).contains(value) {
            return Array(String(Character(scalar)).utf8)
        }
        return mapped(scalar)
    }

    /// The characters of one and two bytes, computed once: all of Latin, Greek, Cyrillic, Hebrew and Arabic mail.
    private static let small: [[UInt8]] = (0..<0x800).map { value in
        Unicode.Scalar(value as UInt32).map(mapped) ?? []
    }

    private static func mapped(_ scalar: Unicode.Scalar) -> [UInt8] {
        var result: [UInt8] = []
        for upper in scalar.properties.uppercaseMapping.unicodeScalars {
            result += Array(upper.properties.lowercaseMapping.utf8)
        }
        return result
    }
}
