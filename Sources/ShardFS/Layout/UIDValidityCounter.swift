import DurableFiles

/// The account's counter of UIDVALIDITY values, the file `uidvalidity`: a decimal number and a newline, the last
/// assigned value.
///
/// Every mailbox that ever existed in an account has a unique value, higher than all before it, so that no name ever
/// shows an old value with other content (RFC 9051, 2.3.1.1).
struct UIDValidityCounter: Sendable {
    static let fileName = "uidvalidity"
    static let lockName = ".lock"

    let system: SystemCalls
    /// The account's directory.
    let directory: Int32
    /// Seconds since 1970 UTC.
    let clock: @Sendable () -> Int64

    /// Takes the account's lock and assigns the next value, 1 to 4,294,967,295; durable on return.
    ///
    /// - Parameters:
    ///   - deadline: for the lock, monotonic nanoseconds.
    ///   - above: the value is higher than this.
    ///   - highestInUse: returns the highest UIDVALIDITY found anywhere in the account, deleted mailboxes and snapshots
    ///     included, 0 for none; called only if the file is missing or unreadable.
    /// - Throws: `exhausted` after the last value, `busy` at the deadline.
    func next(
        until deadline: Int64, above: UInt32 = 0, highestInUse: () throws(StoreError) -> UInt32
    ) throws(StoreError) -> UInt32 {
        try system.files.hold(Self.lockName, in: directory, until: deadline) { () throws(StoreError) in
            try nextUnderLock(above: above, highestInUse: highestInUse)
        }
    }

    /// Like `next(until:highestInUse:)`, for a caller that holds the account's lock.
    func nextUnderLock(above: UInt32 = 0, highestInUse: () throws(StoreError) -> UInt32) throws(StoreError) -> UInt32 {
        let files = system.files
        // A clock before 1970 or after 2106 is ignored; counting continues.
        let now = UInt32(exactly: clock()) ?? 0
        let value: UInt32
        if let last = try stored(files) {
            value = max(now, try successor(max(last, above)))
        } else {
            value = try successor(max(now, above, try highestInUse()))
        }
        try files.publish(Array("\(value)\n".utf8), as: Self.fileName, in: directory)
        return value
    }

    /// The last value given out; nil if the file is missing or holds none.
    func last() throws(StoreError) -> UInt32? { try stored(system.files) }

    private func successor(_ value: UInt32) throws(StoreError) -> UInt32 {
        guard value < .max else { throw StoreError(.exhausted, "the account has no UIDVALIDITY left") }
        return value + 1
    }

    /// The last value; nil if the file is missing or invalid.
    private func stored(_ files: StoreFiles) throws(StoreError) -> UInt32? {
        do {
            return try files.read(Self.fileName, in: directory, limit: 64).flatMap(Self.parse)
        } catch {
            // Far too large, or not a regular file; the latter fails again, finally, when it is to be replaced.
            if error.code == .damaged { return nil }
            throw error
        }
    }

    /// Parses digits with optional trailing white space; nil for anything else, including 0.
    static func parse(_ bytes: [UInt8]) -> UInt32? {
        var value: UInt64 = 0
        var digits = 0
        while digits < bytes.count, (0x30...0x39).contains(bytes[digits]) {
            value = value * 10 + UInt64(bytes[digits] - 0x30)
            digits += 1
            if value > UInt64(UInt32.max) { return nil }
        }
        guard value > 0, bytes[digits...].allSatisfy({ [0x20, 0x09, 0x0A, 0x0D].contains($0) }) else { return nil }
        return UInt32(value)
    }
}
