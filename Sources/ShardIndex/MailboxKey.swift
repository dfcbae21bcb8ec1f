/// The mailbox whose messages a value describes. Together with a UID it identifies one message for ever: neither is
/// reused.
public struct MailboxKey: Hashable, Sendable {
    /// The engine's MAILBOXID.
    public let id: String
    public let uidValidity: UInt32

    public init(id: String, uidValidity: UInt32) {
        self.id = id
        self.uidValidity = uidValidity
    }
}

/// Database keys: a kind, the mailbox, and numbers in big-endian, so that a cursor visits them in numeric order.
struct IndexKey {
    enum Kind: UInt8 {
        case summary = 0x53
        case extract = 0x46
        case view = 0x56
    }

    /// LMDB limits keys to 511 bytes.
    static let maximumID = 255

    /// The common prefix of all keys of one kind in a mailbox; nil for an id that does not fit into a key.
    static func prefix(_ kind: Kind, _ id: String, uidValidity: UInt32?) -> [UInt8]? {
        let bytes = id.utf8
        guard !bytes.isEmpty, bytes.count <= maximumID else { return nil }
        var key = [kind.rawValue, UInt8(bytes.count)]
        key.reserveCapacity(bytes.count + 10)
        key += bytes
        if let uidValidity { append(uidValidity, to: &key) }
        return key
    }

    static func append(_ number: UInt32, to key: inout [UInt8]) {
        withUnsafeBytes(of: number.bigEndian) { key += $0 }
    }

    /// Overwrites the number at `offset`.
    static func set(_ number: UInt32, at offset: Int, in key: inout [UInt8]) {
        key[offset] = UInt8(truncatingIfNeeded: number >> 24)
        key[offset + 1] = UInt8(truncatingIfNeeded: number >> 16)
        key[offset + 2] = UInt8(truncatingIfNeeded: number >> 8)
        key[offset + 3] = UInt8(truncatingIfNeeded: number)
    }
}
