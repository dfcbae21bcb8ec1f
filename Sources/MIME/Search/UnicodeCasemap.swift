import CUnistring

/// The collation i;unicode-casemap (RFC 5051), with which SORT and THREAD compare strings (RFC 5255 section 4.2).
public enum UnicodeCasemap {
    /// A key whose octets compare as the UTF-8 text collates: each character in titlecase, then decomposed.
    public static func key(_ text: [UInt8]) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(text.count)
        if text.allSatisfy({ $0 < 0x80 }) {
            for byte in text { key.append(byte &- 0x61 < 26 ? byte - 0x20 : byte) }
            return key
        }
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars { append(scalar, to: &key) }
        return key
    }

    /// Appends the character's mapping as UTF-8.
    static func append(_ scalar: Unicode.Scalar, to key: inout [UInt8]) {
        let value = scalar.value
        if value < 0x80 {
            let byte = UInt8(value)
            key.append(byte &- 0x61 < 26 ? byte - 0x20 : byte)
            return
        }
        // Ideographs map to themselves.
        if (0x4E00..<0xA000).contains(value) { return key.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: cunistring_casemap_maximum) { mapped in
            guard let base = mapped.baseAddress else { return }
            for value in mapped[..<cunistring_casemap(value, base)] {
                if let scalar = Unicode.Scalar(value) { key.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
            }
        }
    }
}
