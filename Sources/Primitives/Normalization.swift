import CUnistring

/// Unicode's Normalization Form C (UAX 15): one spelling for names that look the same.
package enum Normalization {
    /// The canonical composition of `text`.
    package static func nfc(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        let bytes = Array(text.utf8)
        // No code point's canonical composition is longer than three times its UTF-8 form (UAX 15, table 1).
        let composed = [UInt8](unsafeUninitializedCapacity: bytes.count * 3) { out, count in
            let length = cunistring_nfc(bytes, bytes.count, out.baseAddress, out.count)
            count = max(0, Int(length))
        }
        return composed.isEmpty ? text : String(decoding: composed, as: UTF8.self)
    }
}
