import Glibc
import Primitives

/// The syntax of host and domain names (RFC 1123 section 2.1, RFC 5321 section 4.1.2) and of IP addresses.
package enum HostName {
    /// Returns the name in lower case without a trailing dot, or nil if it is invalid.
    ///
    /// Labels have 1 to 63 ASCII letters, digits and inner hyphens; the whole name has at most 253 bytes. An
    /// internationalized name must be in its `xn--` form.
    package static func normalized(_ name: String) -> String? {
        var bytes = Array(name.utf8)
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard !bytes.isEmpty, bytes.count <= 253 else { return nil }
        for label in bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-"),
                label.allSatisfy({ $0.isASCIILetterOrDigit || $0 == UInt8(ascii: "-") })
            else { return nil }
        }
        return String(decoding: bytes.map { $0.loweredASCII }, as: UTF8.self)
    }

    /// Returns true for an IPv4 or IPv6 address in text form.
    package static func isAddress(_ text: String) -> Bool { IPAddress(text) != nil }

    package static func isHostOrAddress(_ text: String) -> Bool { isAddress(text) || normalized(text) != nil }
}

extension UInt8 {
    package var isASCIILetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    package var loweredASCII: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }
}

extension String {
    /// Removes leading and trailing ASCII white space.
    package func trimmingASCIISpace() -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let view = utf8
        guard let first = view.firstIndex(where: { !isSpace($0) }), let last = view.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(self[first...last])
    }
}
