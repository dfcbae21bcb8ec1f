/// Which mailbox's messages a value is about. With the UID it names one message for ever: neither is given to another.
public struct MailboxKey: Hashable, Sendable {
    /// MAILBOXID, as the engine has it.
    public let id: String
    public let uidValidity: UInt32

    public init(id: String, uidValidity: UInt32) {
        self.id = id
        self.uidValidity = uidValidity
    }
}

/// Keys of the database: a kind, the mailbox, and numbers in big-endian, so that a cursor runs in their order.
struct IndexKey {
    enum Kind: UInt8 {
        case summary = 0x53
        case extract = 0x46
        case view = 0x56
    }

    /// LMDB's limit for keys is 511 bytes.
    static let maximumID = 255

    /// What all keys of a mailbox's kind begin with; nil for an id that no key can hold.
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

    /// Overwrites the number at the end.
    static func set(_ number: UInt32, at offset: Int, in key: inout [UInt8]) {
        key[offset] = UInt8(truncatingIfNeeded: number >> 24)
        key[offset + 1] = UInt8(truncatingIfNeeded: number >> 16)
        key[offset + 2] = UInt8(truncatingIfNeeded: number >> 8)
        key[offset + 3] = UInt8(truncatingIfNeeded: number)
    }
}
