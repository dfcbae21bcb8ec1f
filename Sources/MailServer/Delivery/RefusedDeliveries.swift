import Primitives
import SMTPCodec
import ShardFS

/// The accounts that caused a message for several recipients to be refused as a whole, since SMTP has one reply for all.
///
/// When the sender tries again, such a recipient is refused at RCPT, and the others receive the message. Otherwise the
/// next attempt would fail like the first: clients need not declare a size, and an account with some room left passes
/// RCPT. The table is small and its entries expire; a lost entry costs one more attempt.
final class RefusedDeliveries: Sendable {
    private static let lifetime: Int64 = 24 * 3_600_000_000_000
    private static let capacity = 1000

    private struct Key: Hashable {
        var sender: SMTPReversePath
        var account: AccountAddress
    }

    private struct Entry {
        var size: UInt64
        var expires: Int64
    }

    private let entries = Locked<[Key: Entry]>([:])
    private let now: @Sendable () -> Int64

    /// - Parameter now: monotonic nanoseconds.
    init(now: @escaping @Sendable () -> Int64) { self.now = now }

    /// Records that a message of `size` octets was refused for everybody because of `account`.
    func note(_ sender: SMTPReversePath, _ account: AccountAddress, size: UInt64) {
        let entry = Entry(size: size, expires: now() &+ Self.lifetime)
        entries.withLock { entries in
            let key = Key(sender: sender, account: account)
            if entries[key] == nil, entries.count >= Self.capacity,
                let oldest = entries.min(by: { $0.value.expires < $1.value.expires })?.key
            {
                entries[oldest] = nil
            }
            entries[key] = entry
        }
    }

    /// The size of the message that `sender` is likely to retry, or nil.
    func size(from sender: SMTPReversePath, to account: AccountAddress) -> UInt64? {
        let now = now()
        return entries.withLock { entries in
            let key = Key(sender: sender, account: account)
            guard let entry = entries[key], entry.expires > now else {
                entries[key] = nil
                return nil
            }
            return entry.size
        }
    }

    /// Removes an account that can take the message now.
    func clear(_ sender: SMTPReversePath, _ account: AccountAddress) {
        entries.withLock { $0[Key(sender: sender, account: account)] = nil }
    }
}
