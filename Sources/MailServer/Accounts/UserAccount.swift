import Primitives
package import ShardFS

/// The contents of a user.json. Unknown keys are preserved when the file is rewritten.
package struct UserAccount: Sendable, Equatable {
    package static let defaultQuotaMB = 1024

    package let address: AccountAddress
    package var password: PasswordHash
    /// The limits of the account's mail, as the storage engine reads them.
    package private(set) var quota: QuotaLimits
    /// If false, logins and new mail are refused; stored mail is kept.
    package var enabled: Bool
    /// May manage users and aliases over the API.
    package var admin: Bool
    /// ISO 8601, UTC; verbatim from an old file, or empty if the file has none.
    package var createdAt: String
    /// IMAP capabilities hidden from this account's clients; only ever set by hand.
    package let suppressCapabilities: [String]
    private var document: [String: JSONValue]

    package init(
        address: AccountAddress, password: PasswordHash, quotaMB: Int = defaultQuotaMB, quotaMessages: Int = 0,
        enabled: Bool = true, admin: Bool = false, createdAt: String
    ) {
        self.address = address
        self.password = password
        quota = .none
        self.enabled = enabled
        self.admin = admin
        self.createdAt = createdAt
        suppressCapabilities = []
        document = [:]
        setQuota(megabytes: quotaMB, messages: quotaMessages > 0 ? quotaMessages : nil)
    }

    /// Sets the limits that are given, in MiB and in messages, from 0 (unlimited) to the maxima below.
    package mutating func setQuota(megabytes: Int? = nil, messages: Int? = nil) {
        if let megabytes { document["quota_mb"] = .integer(Int64(megabytes)) }
        if let messages { document["quota_messages"] = .integer(Int64(messages)) }
        // Not negative, so that the engine can read them.
        if let limits = try? QuotaLimits(userDocument: .object(document)) { quota = limits }
    }

    /// Parses a user.json, accepting the variants listed at `init(address:document:)`.
    /// - Parameter address: the address from the path; the file's `username` and `domain` are ignored.
    /// - Throws: `damaged`, naming the key.
    package init(address: AccountAddress, json: [UInt8]) throws(AccountError) {
        let value: JSONValue
        do {
            value = try JSONValue.parse(json, name: "user.json of \(address)")
        } catch {
            throw AccountError(.damaged, "\(error)")
        }
        guard let document = value.object else {
            throw AccountError(.damaged, "user.json of \(address) is not a JSON object")
        }
        try self.init(address: address, document: document)
    }

    /// Reads the keys. The hash is hex or base64; the salt is hex, base64 or, failing both, literal text. Defaults:
    /// `iterations` 300000, `enabled` true, `admin` false. The quota is read by the engine.
    private init(address: AccountAddress, document: [String: JSONValue]) throws(AccountError) {
        func wrong(_ key: String, _ wants: String) -> AccountError {
            AccountError(.damaged, "user.json of \(address): \(key) must be \(wants)")
        }
        guard let hashText = document["password_hash"]?.string,
            let hash = Hex.decode(hashText) ?? Base64.decode(hashText.utf8, allowsStrayBits: true),
            (16...64).contains(hash.count)
        else { throw wrong("password_hash", "16 to 64 bytes in hex or base64") }
        guard let saltText = document["salt"]?.string, !saltText.isEmpty else { throw wrong("salt", "text") }
        let salt = Hex.decode(saltText) ?? Base64.decode(saltText.utf8, allowsStrayBits: true) ?? Array(saltText.utf8)
        var iterations = PasswordHash.defaultIterations
        if let value = document["iterations"], value != .null {
            guard let n = value.unsignedInteger.flatMap({ Int(exactly: $0) }),
                (1...PasswordHash.maximumIterations).contains(n)
            else { throw wrong("iterations", "a whole number from 1 to \(PasswordHash.maximumIterations)") }
            iterations = n
        }
        func flag(_ key: String, _ missing: Bool) throws(AccountError) -> Bool {
            guard let value = document[key], value != .null else { return missing }
            guard let flag = value.bool else { throw wrong(key, "true or false") }
            return flag
        }
        var suppressed: [String] = []
        if let value = document["suppress_capabilities"], value != .null {
            guard let names = value.array?.map(\.string), !names.contains(nil) else {
                throw wrong("suppress_capabilities", "a list of names")
            }
            suppressed = names.compactMap { $0 }
        }
        self.address = address
        self.document = document
        suppressCapabilities = suppressed
        password = PasswordHash(hash: hash, salt: salt, iterations: iterations)
        do throws(StoreError) { quota = try QuotaLimits(userDocument: .object(document)) } catch {
            throw AccountError(.damaged, "user.json of \(address): \(error)")
        }
        enabled = try flag("enabled", true)
        admin = try flag("admin", false)
        createdAt = document["created_at"]?.string ?? ""
    }

    /// The largest quota whose byte count fits a signed 64-bit integer.
    package static let maximumQuotaMB = 8_796_093_022_207
    package static let maximumQuotaMessages = Int.max

    /// The file's bytes: every known key in its exact form, unknown ones and limits as they were.
    package func json() throws(AccountError) -> [UInt8] {
        var result = document
        result["username"] = .string(address.local)
        result["domain"] = .string(address.domain)
        result["password_hash"] = .string(Hex.encode(password.hash))
        result["salt"] = .string(Hex.encode(password.salt))
        result["iterations"] = .integer(Int64(password.iterations))
        result["enabled"] = .bool(enabled)
        result["admin"] = .bool(admin)
        if !createdAt.isEmpty { result["created_at"] = .string(createdAt) }
        do {
            return try JSONValue.object(result).serialized()
        } catch {
            throw AccountError(.damaged, "user.json of \(address) cannot be written: \(error)")
        }
    }
}
