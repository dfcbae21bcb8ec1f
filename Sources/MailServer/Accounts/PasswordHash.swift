import Crypto
import CryptoExtras

/// A password hash as stored in user.json: PBKDF2 with HMAC-SHA256 (RFC 8018 section 5.2).
package struct PasswordHash: Sendable, Equatable {
    package static let defaultIterations = 300_000
    /// The highest count accepted from a user.json, which may have been edited by hand.
    package static let maximumIterations = 10_000_000
    package static let defaultLength = 32
    package static let longestPassword = 1024

    /// 16 to 64 bytes.
    package let hash: [UInt8]
    package let salt: [UInt8]
    package let iterations: Int

    package init(hash: [UInt8], salt: [UInt8], iterations: Int) {
        self.hash = hash
        self.salt = salt
        self.iterations = iterations
    }

    /// Hashes a new password in its prepared form. Takes about 50 ms of one core at the default count.
    /// - Parameter salt: 16 random bytes.
    /// - Throws: `invalidPassword` if the password is empty, is longer than 1024 bytes or contains NUL, or if the count
    ///   is out of range.
    package init(
        password: [UInt8], salt: [UInt8] = SecureRandom.bytes(16), iterations: Int = defaultIterations
    ) throws(AccountError) {
        guard !password.isEmpty else { throw AccountError(.invalidPassword, "a password must not be empty") }
        guard password.count <= Self.longestPassword else {
            throw AccountError(.invalidPassword, "a password may have at most \(Self.longestPassword) bytes")
        }
        guard !password.contains(0) else {
            throw AccountError(.invalidPassword, "a password must not contain a NUL byte")
        }
        let prepared = StringPreparation.password(password)
        guard let hash = Self.derive(prepared, salt, iterations, Self.defaultLength) else {
            throw AccountError(.invalidPassword, "the iteration count \(iterations) is out of range")
        }
        self.init(hash: hash, salt: salt, iterations: iterations)
    }

    /// The result of verifying a password.
    package enum Verification: Sendable, Equatable {
        case wrong
        /// The prepared password matches.
        case right
        /// The octets as sent match, the prepared password does not: the hash predates preparation. SCRAM fails with such
        /// a hash, since its clients prepare the password.
        case rightUnprepared
    }

    /// Checks `password` in its prepared form, then as sent. A wrong password takes the same time for every account.
    package func verification(of password: [UInt8]) -> Verification {
        guard password.count <= Self.longestPassword else { return .wrong }
        let prepared = StringPreparation.password(password)
        if isHash(of: prepared) { return .right }
        return prepared != password && isHash(of: password) ? .rightUnprepared : .wrong
    }

    package func verifies(_ password: [UInt8]) -> Bool { verification(of: password) != .wrong }

    private func isHash(of password: [UInt8]) -> Bool {
        guard let candidate = Self.derive(password, salt, iterations, hash.count) else { return false }
        return Self.equalInConstantTime(candidate, hash)
    }

    /// Compares two byte strings in a time that does not depend on where they differ.
    package static func equalInConstantTime(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// The key of a password without preparation, or nil if the iteration count is out of range.
    static func derived(_ password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8]? {
        derive(password, salt, iterations, defaultLength)
    }

    private static func derive(_ password: [UInt8], _ salt: [UInt8], _ iterations: Int, _ length: Int) -> [UInt8]? {
        guard (1...maximumIterations).contains(iterations) else { return nil }
        // The checked variant rejects the low counts of old files and of tests.
        let key = try? KDF.Insecure.PBKDF2.deriveKey(
            from: password, salt: salt, using: .sha256, outputByteCount: length, unsafeUncheckedRounds: iterations)
        return key?.withUnsafeBytes { Array($0) }
    }
}
