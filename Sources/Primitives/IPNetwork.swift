/// An address, or all addresses that share its first bits: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`.
public struct IPNetwork: Sendable, Hashable {
    private let address: IPAddress
    private let bits: Int

    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = IPAddress(String(parts[0])) else { return nil }
        let width = address.bytes.count * 8
        self.address = address
        guard parts.count == 2 else {
            bits = width
            return
        }
        guard let bits = Int(parts[1]), (0...width).contains(bits), parts[1].allSatisfy(\.isNumber) else { return nil }
        self.bits = bits
    }

    public func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        let whole = bits / 8
        guard other.bytes[..<whole] == address.bytes[..<whole] else { return false }
        guard bits % 8 != 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> (bits % 8))
        return other.bytes[whole] & mask == address.bytes[whole] & mask
    }
}
