/// One message of a mailbox's view.
public struct MessageEntry: Hashable, Sendable {
    public var uid: UID
    public var flags: MessageFlags
    public var modSeq: ModSeq
    /// RFC822.SIZE: the file's size in bytes.
    public var size: UInt32
    @usableFromInline var record: UInt32
    @usableFromInline var date: UInt32

    @inlinable
    init(uid: UID, flags: MessageFlags, modSeq: ModSeq, size: UInt32, record: UInt32, date: UInt32) {
        self.uid = uid
        self.flags = flags
        self.modSeq = modSeq
        self.size = size
        self.record = record
        self.date = date
    }

    /// INTERNALDATE, seconds since 1970 UTC, if known without a lookup; otherwise use ``Mailbox/internalDate(of:)``.
    public var knownInternalDate: Int64? { date == ShardColumns.unknownDate ? nil : Int64(date) }

    /// Whether the date is known is not a property of the message.
    public static func == (a: MessageEntry, b: MessageEntry) -> Bool {
        a.uid == b.uid && a.flags == b.flags && a.modSeq == b.modSeq && a.size == b.size && a.record == b.record
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(uid)
        hasher.combine(modSeq)
    }
}

/// Totals over messages.
public struct MessageTotals: Hashable, Sendable {
    /// Messages without `\Seen`.
    public private(set) var unseen = 0
    /// Messages with `\Deleted`.
    public private(set) var deleted = 0
    /// Octets of all messages.
    public private(set) var octets: UInt64 = 0
    /// Octets of messages with `\Deleted`.
    public private(set) var deletedOctets: UInt64 = 0

    mutating func add(_ flags: UInt64, _ size: UInt32) { change(flags, size, 1, &+) }
    mutating func remove(_ flags: UInt64, _ size: UInt32) { change(flags, size, -1, &-) }

    @inline(__always)
    private mutating func change(_ flags: UInt64, _ size: UInt32, _ by: Int, _ op: (UInt64, UInt64) -> UInt64) {
        octets = op(octets, UInt64(size))
        if flags & MessageFlags.seen.rawValue == 0 { unseen += by }
        if flags & MessageFlags.deleted.rawValue != 0 {
            deleted += by
            deletedOctets = op(deletedOctets, UInt64(size))
        }
    }

    mutating func add(_ other: MessageTotals) {
        unseen += other.unseen
        deleted += other.deleted
        octets += other.octets
        deletedOctets += other.deletedOctets
    }
}
