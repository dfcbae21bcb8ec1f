import Primitives

/// Modified UTF-7, the spelling of mailbox names in IMAP4rev1. RFC 3501 section 5.1.3.
enum MailboxNameCoding {
    /// Returns a name in raw UTF-8; nil when it is not UTF-8 or has control characters.
    static func validated(_ bytes: [UInt8]) -> String? {
        guard let name = String(validating: bytes, as: UTF8.self), !hasControls(name) else { return nil }
        return name
    }

    /// Whether a name has control characters, DEL, or line or paragraph separators; none may (RFC 9755 section 3).
    private static func hasControls(_ name: String) -> Bool {
        name.unicodeScalars.contains { scalar in
            switch scalar.value {
            case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029: true
            default: false
            }
        }
    }

    /// Decodes strictly: accepts only the one spelling that `encode` produces, and no control characters; else nil.
    static func decode(_ bytes: [UInt8]) -> String? {
        guard bytes.contains(.ampersand) else {
            guard bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
        var units: [UInt16] = []
        units.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            guard (0x20...0x7E).contains(byte) else { return nil }
            index += 1
            if byte == .ampersand {
                guard let end = bytes[index...].firstIndex(of: .minus) else { return nil }
                guard end == index || decodeShift(bytes[index..<end], into: &units) else { return nil }
                if end == index { units.append(UInt16(UInt8.ampersand)) }
                index = end + 1
            } else {
                units.append(UInt16(byte))
            }
        }
        guard let name = String(validating: units, as: UTF16.self), !hasControls(name), encode(name) == bytes
        else { return nil }
        return name
    }

    /// Returns the modified UTF-7 of a name: printable ASCII only.
    static func encode(_ name: String) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(name.utf8.count + 8)
        var accumulator: UInt32 = 0
        var bits = 0
        var isShifted = false
        func character(_ index: UInt32) -> UInt8 { alphabet[Int(index & 63)] }
        for unit in name.utf16 {
            let isDirect = (0x20...0x7E).contains(unit)
            if isDirect, isShifted {
                if bits > 0 { result.append(character(accumulator << UInt32(6 - bits))) }
                result.append(.minus)
                isShifted = false
            }
            if isDirect {
                result.append(UInt8(truncatingIfNeeded: unit))
                if unit == UInt16(UInt8.ampersand) { result.append(.minus) }
                continue
            }
            if !isShifted {
                result.append(.ampersand)
                (isShifted, accumulator, bits) = (true, 0, 0)
            }
            // At most 5 bits wait here, so 21 bits fit.
            accumulator = (accumulator & 63) << 16 | UInt32(unit)
            bits += 16
            while bits >= 6 {
                bits -= 6
                result.append(character(accumulator >> UInt32(bits)))
            }
        }
        if isShifted {
            if bits > 0 { result.append(character(accumulator << UInt32(6 - bits))) }
            result.append(.minus)
        }
        return result
    }

    private static func decodeShift(_ encoded: ArraySlice<UInt8>, into units: inout [UInt16]) -> Bool {
        var accumulator: UInt32 = 0
        var bits = 0
        for byte in encoded {
            guard let value = Base64.value(of: byte == .comma ? .slash : byte), byte != .slash else { return false }
            accumulator = (accumulator & 0x3FFF) << 6 | UInt32(value)
            bits += 6
            if bits >= 16 {
                bits -= 16
                units.append(UInt16(truncatingIfNeeded: accumulator >> UInt32(bits)))
            }
        }
        return bits < 6
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)
}
