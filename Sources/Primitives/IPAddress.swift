import Glibc

/// An IPv4 or IPv6 address. An IPv4 address mapped into IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// 4 or 16 bytes in network order.
    public let bytes: [UInt8]

    /// Parses the usual text form; nil for anything else. Drops a zone (`%eth0`).
    public init?(_ text: String) {
        guard !text.utf8.contains(0) else { return nil }
        let address = text.firstIndex(of: "%").map { String(text[..<$0]) } ?? text
        // Bytes rather than in_addr and in6_addr: several C modules claim those types, and which one wins depends on the
        // order of compilation.
        var v4 = [UInt8](repeating: 0, count: 4)
        if inet_pton(AF_INET, address, &v4) == 1 {
            bytes = v4
            return
        }
        var all = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, address, &all) == 1 else { return nil }
        let isMapped = all[..<10].allSatisfy { $0 == 0 } && all[10] == 0xFF && all[11] == 0xFF
        bytes = isMapped ? Array(all[12...]) : all
    }

    fileprivate init(bytes: [UInt8]) { self.bytes = bytes }

    /// The key of per-client limits: an IPv4 address, or the /64 network of an IPv6 address, since one customer holds a
    /// whole /64.
    package var limitKey: IPAddress {
        bytes.count == 4 ? self : IPAddress(bytes: Array(bytes[..<8]) + [UInt8](repeating: 0, count: 8))
    }

    public var description: String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        var text = [UInt8](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let done = text.withUnsafeMutableBytes { buffer in
            inet_ntop(
                AF_INET6, bytes, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), socklen_t(buffer.count))
        }
        guard done != nil else { return "" }
        return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
}
