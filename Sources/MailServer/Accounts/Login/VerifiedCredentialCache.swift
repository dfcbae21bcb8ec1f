import Crypto
package import DurableFiles
import Primitives
package import ShardFS

/// Recently verified passwords, so that a client opening many connections pays for one hash.
///
/// An entry is a digest of account and password under a random per-process key: memory holds no password, and nothing
/// that supports a dictionary attack elsewhere. An entry is valid only while user.json is unchanged.
package final class VerifiedCredentialCache: Sendable {
    private struct Entry {
        var digest: [UInt8]
        var stamp: FileStamp
        var expires: Int64
    }

    private let key = SymmetricKey(size: .bits256)
    private let lifetime: Int64
    private let capacity: Int
    private let entries = Locked<[AccountAddress: Entry]>([:])

    /// - Parameters:
    ///   - lifetime: nanoseconds from the verification; a hit does not extend it.
    ///   - capacity: the number of accounts kept, with one password each.
    package init(lifetime: Int64 = 60_000_000_000, capacity: Int = 10_000) {
        self.lifetime = lifetime
        self.capacity = capacity
    }

    /// - Parameter now: monotonic nanoseconds.
    package func contains(_ address: AccountAddress, _ password: [UInt8], _ stamp: FileStamp, now: Int64) -> Bool {
        let digest = digest(address, password)
        return entries.withLock { entries in
            guard let entry = entries[address] else { return false }
            guard entry.expires > now, entry.stamp == stamp else {
                entries[address] = nil
                return false
            }
            return PasswordHash.equalInConstantTime(entry.digest, digest)
        }
    }

    package func insert(_ address: AccountAddress, _ password: [UInt8], _ stamp: FileStamp, now: Int64) {
        let entry = Entry(digest: digest(address, password), stamp: stamp, expires: now &+ lifetime)
        entries.withLock { entries in
            if entries[address] == nil, entries.count >= capacity {
                entries = entries.filter { $0.value.expires > now }
                // None has expired: evict any entry, at the cost of one more hash for its account.
                if entries.count >= capacity, let victim = entries.first?.key { entries[victim] = nil }
            }
            entries[address] = entry
        }
    }

    package var count: Int { entries.withLock { $0.count } }

    private func digest(_ address: AccountAddress, _ password: [UInt8]) -> [UInt8] {
        // An address contains no NUL, so the two parts cannot be confused.
        var message = Array(address.description.utf8)
        message.append(0)
        message += password
        return Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
    }
}
