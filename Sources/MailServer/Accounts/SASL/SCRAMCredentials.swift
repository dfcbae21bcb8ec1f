import Crypto

/// What a server must know of a password for SCRAM-SHA-256. RFC 5802 section 3, RFC 7677.
package struct SCRAMCredentials: Sendable, Equatable {
    /// SHA-256's; the salted password must have as many bytes.
    package static let keyLength = 32

    package let salt: [UInt8]
    package let iterations: Int
    package let storedKey: [UInt8]
    package let serverKey: [UInt8]

    /// From a password's hash: PBKDF2 with HMAC-SHA256 is RFC 5802's Hi, over the same salt and count, as long as it has
    /// at least one whole block of SHA-256. Further blocks of a longer hash do not matter.
    ///
    /// Nil for a shorter one, which cannot serve.
    package init?(_ hash: PasswordHash) {
        guard hash.hash.count >= Self.keyLength else { return nil }
        let salted = SymmetricKey(data: hash.hash.prefix(Self.keyLength))
        salt = hash.salt
        iterations = hash.iterations
        let clientKey = HMAC<SHA256>.authenticationCode(for: Array("Client Key".utf8), using: salted)
        storedKey = Array(SHA256.hash(data: Array(clientKey)))
        serverKey = Array(HMAC<SHA256>.authenticationCode(for: Array("Server Key".utf8), using: salted))
    }

    /// For a name that nobody has: always the same salt for the same name, as a real account would show, and keys that
    /// no password leads to.
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
