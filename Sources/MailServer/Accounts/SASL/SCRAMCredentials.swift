import Crypto

/// A server's SCRAM-SHA-256 credentials for one password (RFC 5802 section 3, RFC 7677).
package struct SCRAMCredentials: Sendable, Equatable {
    /// The output length of SHA-256 in bytes, and the minimum length of the password hash.
    package static let keyLength = 32

    package let salt: [UInt8]
    package let iterations: Int
    package let storedKey: [UInt8]
    package let serverKey: [UInt8]

    /// Derives the credentials from a stored hash. PBKDF2 with HMAC-SHA256 is the Hi function of RFC 5802 over the same
    /// salt and count, provided that the hash has at least one whole block of SHA-256; further blocks are ignored.
    ///
    /// Returns nil for a shorter hash.
    package init?(_ hash: PasswordHash) {
        guard hash.hash.count >= Self.keyLength else { return nil }
        let salted = SymmetricKey(data: hash.hash.prefix(Self.keyLength))
        salt = hash.salt
        iterations = hash.iterations
        let clientKey = HMAC<SHA256>.authenticationCode(for: Array("Client Key".utf8), using: salted)
        storedKey = Array(SHA256.hash(data: Array(clientKey)))
        serverKey = Array(HMAC<SHA256>.authenticationCode(for: Array("Server Key".utf8), using: salted))
    }

    /// Makes fake credentials for an unknown name: the salt is the same each time, as a real account's would be, and no
    /// password matches the keys.
    package init(unknown name: String, secret: [UInt8], iterations: Int) {
        func derive(_ purpose: String) -> [UInt8] {
            let text = Array("\(purpose)\0\(name)".utf8)
            return Array(HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: secret)))
        }
        salt = Array(derive("salt").prefix(16))
        self.iterations = iterations
        storedKey = derive("stored key")
        serverKey = derive("server key")
    }
}
