import CUnistring

/// SASLprep (RFC 4013), a profile of stringprep (RFC 3454): one spelling of a password for all keyboards and programs.
package enum StringPreparation {
    /// The prepared form of a password. A password outside the profile (control characters, characters added after Unicode
    /// 3.2, octets that are not UTF-8) stays unchanged, as with other servers and clients.
    package static func password(_ octets: [UInt8]) -> [UInt8] {
        if octets.allSatisfy({ (0x20...0x7E).contains($0) }) { return octets }
        guard let prepared = prepared(octets), !prepared.isEmpty else { return octets }
        return prepared
    }

    /// The prepared form, or nil if the profile does not allow the text.
    private static func prepared(_ octets: [UInt8]) -> [UInt8]? {
        guard let text = String(validating: octets, as: UTF8.self) else { return nil }
        var mapped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !isMappedToNothing(scalar.value) {
            guard !contains(StringPreparationTables.unassigned, scalar.value) else { return nil }
            mapped.append(isSpace(scalar.value) ? " " : scalar)
        }
        guard let normalized = nfkc(Array(String(mapped).utf8)) else { return nil }
        let scalars = String(decoding: normalized, as: UTF8.self).unicodeScalars.map(\.value)
        let isForbidden = { contains(prohibited, $0) || contains(StringPreparationTables.unassigned, $0) }
        guard !scalars.contains(where: isForbidden), isBidirectionallySound(scalars) else { return nil }
        return normalized
    }

    /// RFC 3454 section 6: a text with right-to-left characters has no left-to-right ones, and begins and ends with
    /// one.
    private static func isBidirectionallySound(_ scalars: [UInt32]) -> Bool {
        let rightToLeft = StringPreparationTables.rightToLeft
        guard let first = scalars.first, let last = scalars.last,
            scalars.contains(where: { contains(rightToLeft, $0) })
        else { return true }
        return contains(rightToLeft, first) && contains(rightToLeft, last)
            && !scalars.contains { contains(StringPreparationTables.leftToRight, $0) }
    }

    /// Normalization form KC; one character becomes at most 18.
    private static func nfkc(_ bytes: [UInt8]) -> [UInt8]? {
        let result = [UInt8](unsafeUninitializedCapacity: 18 * bytes.count + 16) { out, count in
            count = Int(max(cunistring_nfkc(bytes, bytes.count, out.baseAddress, out.count), 0))
        }
        return result.isEmpty && !bytes.isEmpty ? nil : result
    }

    /// Table C.1.2 without the zero-width space, which is in table B.1 too and falls away.
    private static func isSpace(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0xA0, 0x1680, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// Table B.1.
    private static func isMappedToNothing(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0xAD, 0x34F, 0x1806, 0x180B...0x180D, 0x200B...0x200D, 0x2060, 0xFE00...0xFE0F, 0xFEFF: true
        default: false
        }
    }

    /// Tables C.1.2, C.2.1, C.2.2 and C.3 to C.9: first and last code points one after the other.
    private static let prohibited: [UInt32] = [
        0x00, 0x1F, 0x7F, 0xA0, 0x340, 0x341, 0x6DD, 0x6DD, 0x70F, 0x70F, 0x1680, 0x1680, 0x180E, 0x180E, 0x2000,
        0x200F,
        0x2028, 0x202F, 0x205F, 0x2063, 0x206A, 0x206F, 0x2FF0, 0x2FFB, 0x3000, 0x3000, 0xD800, 0xF8FF, 0xFDD0, 0xFDEF,
        0xFEFF, 0xFEFF, 0xFFF9, 0xFFFF, 0x1D173, 0x1D17A, 0x1FFFE, 0x1FFFF, 0x2FFFE, 0x2FFFF, 0x3FFFE, 0x3FFFF, 0x4FFFE,
        0x4FFFF, 0x5FFFE, 0x5FFFF, 0x6FFFE, 0x6FFFF, 0x7FFFE, 0x7FFFF, 0x8FFFE, 0x8FFFF, 0x9FFFE, 0x9FFFF, 0xAFFFE,
        0xAFFFF, 0xBFFFE, 0xBFFFF, 0xCFFFE, 0xCFFFF, 0xDFFFE, 0xDFFFF, 0xE0001, 0xE0001, 0xE0020, 0xE007F, 0xEFFFE,
        0x10FFFF,
    ]

    /// Whether one of the ranges holds the scalar.
    private static func contains(_ ranges: [UInt32], _ scalar: UInt32) -> Bool {
        var low = 0
        var high = ranges.count / 2
        while low < high {
            let middle = (low + high) / 2
            if scalar < ranges[2 * middle] {
                high = middle
            } else if scalar > ranges[2 * middle + 1] {
                low = middle + 1
            } else {
                return true
            }
        }
        return false
    }
}
