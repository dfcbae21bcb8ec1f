package import DurableFiles
import Primitives
package import ShardFS

/// Creates an account's mailboxes; implemented by the storage engine.
package protocol MailboxProvisioning: Sendable {
    /// Creates INBOX and the special-use mailboxes in an account directory that has no user.json yet.
    func makeDefaultMailboxes(for address: AccountAddress) throws(AccountError)

    /// Called after an account's directory is removed.
    func accountRemoved(_ address: AccountAddress)
}

/// The accounts and domains of a store, read from files on every call, so changes by another process or by hand take
/// effect at once. All methods block: never call one on an event loop.
package struct AccountStore: Sendable {
    package let mailRoot: String
    package let files: PathFiles
    private let mailboxes: any MailboxProvisioning
    /// Seconds since 1970 UTC.
    private let now: @Sendable () -> Int64

    /// - Parameter mailRoot: absolute path of the store.
    package init(
        mailRoot: String, files: PathFiles, mailboxes: any MailboxProvisioning, now: @escaping @Sendable () -> Int64
    ) {
        self.mailRoot = mailRoot
        self.files = files
        self.mailboxes = mailboxes
        self.now = now
    }

    // MARK: domains

    /// The names of existing domains (those with a domain.json), sorted.
    package func domains() throws(AccountError) -> [String] {
        try inFiles { () throws(FileError) in
            try files.directories(in: mailRoot + "/domains").filter { name in
                (try? AccountAddress.domain(name)) == name && files.exists(domainFile(name))
            }
        }
    }

    package func domainExists(_ domain: String) -> Bool {
        (try? AccountAddress.domain(domain)).map { files.exists(domainFile($0)) } ?? false
    }

    /// - Throws: `exists`, `invalidAddress`, `files`.
    package func createDomain(_ name: String) throws(AccountError) {
        let domain = try normalizedDomain(name)
        let document = JSONValue.object(["domain": .string(domain), "created_at": .string(Timestamp.iso8601(now()))])
        guard let bytes = try? document.serialized() else { return }
        do {
            try files.makeDirectory(domainDirectory(domain) + "/users")
            try files.publish(bytes, at: domainFile(domain), replacing: false)
        } catch {
            throw error.code == .exists
                ? AccountError(.exists, "the domain \(domain) already exists") : AccountError(error)
        }
    }

    /// Creates the missing ones among `domains`.
    /// - Returns: The names created.
    @discardableResult
    package func createMissingDomains(_ domains: [String]) throws(AccountError) -> [String] {
        var created: [String] = []
        for domain in domains where !domainExists(domain) {
            do {
                try createDomain(domain)
                created.append(domain)
            } catch {
                // Another process may have created it first.
                guard error.code == .exists else { throw error }
            }
        }
        return created
    }

    /// Removes a domain that has no accounts.
    /// - Throws: `notFound`, `notEmpty`, `files`.
    package func removeDomain(_ name: String) throws(AccountError) {
        let domain = try existingDomain(name)
        try files.withLock(in: domainDirectory(domain), failure: AccountError.init) { () throws(AccountError) in
            try inFiles { () throws(FileError) in
                guard try files.directories(in: usersDirectory(domain)).isEmpty else { throw FileError(.exists, "") }
                try files.removeTree(domainDirectory(domain))
            } mapping: { error in
                error.code == .exists
                    ? AccountError(.notEmpty, "the domain \(domain) still has accounts; remove them first")
                    : AccountError(error)
            }
        }
    }

    // MARK: accounts

    /// Creates an account with its default mailboxes. user.json is written last and makes the account exist, so a
    /// second call completes an interrupted creation.
    /// - Throws: `exists`, `notFound` for the domain, `invalidPassword`, `files`.
    @discardableResult
    package func create(
        _ address: AccountAddress, password: [UInt8], quotaMB: Int = UserAccount.defaultQuotaMB,
        quotaMessages: Int = 0, admin: Bool = false, iterations: Int = PasswordHash.defaultIterations
    ) throws(AccountError) -> UserAccount {
        _ = try existingDomain(address.domain)
        guard !exists(address) else { throw AccountError(.exists, "the account \(address) already exists") }
        let account = UserAccount(
            address: address, password: try PasswordHash(password: password, iterations: iterations),
            quotaMB: quotaMB, quotaMessages: quotaMessages, admin: admin, createdAt: Timestamp.iso8601(now()))
        let json = try account.json()
        _ = try inFiles { () throws(FileError) in try files.makeDirectory(directory(address)) }
        try mailboxes.makeDefaultMailboxes(for: address)
        try inFiles { () throws(FileError) in
            try files.publish(json, at: userFile(address), replacing: false)
        } mapping: { error in
            error.code == .exists
                ? AccountError(.exists, "the account \(address) already exists") : AccountError(error)
        }
        return account
    }

    package func exists(_ address: AccountAddress) -> Bool { files.exists(userFile(address)) }

    /// The account and the stamp of the user.json it was read from, or nil if there is no such account.
    /// - Throws: `damaged`, `files`.
    package func find(_ address: AccountAddress) throws(AccountError) -> (account: UserAccount, stamp: FileStamp)? {
        // Stamp first: if the file is replaced in between, the stamp is too old, never too new.
        let stamp = try stamp(address)
        let json = try inFiles { () throws(FileError) in try files.read(userFile(address)) }
        guard let stamp, let json else { return nil }
        return (try UserAccount(address: address, json: json), stamp)
    }

    /// The state of the account's file, which changes with each change of the account; nil when there is none.
    /// - Throws: `files`.
    package func stamp(_ address: AccountAddress) throws(AccountError) -> FileStamp? {
        try inFiles { () throws(FileError) in try files.stamp(userFile(address)) }
    }

    /// - Throws: `notFound`, `damaged`, `files`.
    package func load(_ address: AccountAddress) throws(AccountError) -> UserAccount {
        guard let found = try find(address) else { throw Self.noAccount(address) }
        return found.account
    }

    /// The addresses of all accounts in one domain, or in all domains, sorted.
    package func list(domain: String? = nil) throws(AccountError) -> [AccountAddress] {
        let domains = if let domain { [try existingDomain(domain)] } else { try self.domains() }
        var found: [AccountAddress] = []
        for domain in domains {
            let names = try inFiles { () throws(FileError) in
                try files.directories(in: usersDirectory(domain))
            }
            for name in names {
                guard let address = try? AccountAddress(local: name, domain: domain), address.local == name,
                    exists(address)
                else { continue }
                found.append(address)
            }
        }
        return found.sorted()
    }

    /// Reads, changes and replaces a user.json under the account's lock.
    /// - Throws: `notFound`, `damaged`, `files`, and any error of `change`; user.json is then unchanged.
    @discardableResult
    package func update(
        _ address: AccountAddress, _ change: (inout UserAccount) throws(AccountError) -> Void
    ) throws(AccountError) -> UserAccount {
        guard exists(address) else { throw Self.noAccount(address) }
        return try files.withLock(in: directory(address), failure: AccountError.init) { () throws(AccountError) in
            var account = try load(address)
            try change(&account)
            let json = try account.json()
            try inFiles { () throws(FileError) in
                try files.publish(json, at: userFile(address), replacing: true)
            }
            return account
        }
    }

    /// - Throws: `invalidPassword`, and the errors of `update`.
    package func setPassword(
        _ address: AccountAddress, _ password: [UInt8], iterations: Int = PasswordHash.defaultIterations
    ) throws(AccountError) {
        // Hashed before taking the lock, because hashing is slow.
        let hash = try PasswordHash(password: password, iterations: iterations)
        try update(address) { $0.password = hash }
    }

    /// Replaces a password's hash by another of the same password, unless the password was changed meanwhile.
    /// - Throws: as `update`.
    package func replaceHash(
        _ address: AccountAddress, _ old: PasswordHash, by new: PasswordHash
    ) throws(AccountError) {
        try update(address) { if $0.password == old { $0.password = new } }
    }

    package func setEnabled(_ address: AccountAddress, _ enabled: Bool) throws(AccountError) {
        try update(address) { $0.enabled = enabled }
    }

    /// Removes an account with all its mail.
    /// - Throws: `notFound`, `files`.
    package func remove(_ address: AccountAddress) throws(AccountError) {
        guard exists(address) else { throw Self.noAccount(address) }
        try files.withLock(in: domainDirectory(address.domain), failure: AccountError.init) { () throws(AccountError) in
            try inFiles { () throws(FileError) in try files.removeTree(directory(address)) }
        }
        mailboxes.accountRemoved(address)
    }

    // MARK: paths

    package func directory(_ address: AccountAddress) -> String {
        usersDirectory(address.domain) + "/" + address.local
    }

    private func userFile(_ address: AccountAddress) -> String { directory(address) + "/user.json" }
    private func domainDirectory(_ domain: String) -> String { mailRoot + "/domains/" + domain }
    private func domainFile(_ domain: String) -> String { domainDirectory(domain) + "/domain.json" }
    private func usersDirectory(_ domain: String) -> String { domainDirectory(domain) + "/users" }

    private func normalizedDomain(_ name: String) throws(AccountError) -> String {
        do {
            return try AccountAddress.domain(name)
        } catch {
            throw AccountError(.invalidAddress, "\"\(name)\" is not a valid mail domain: \(error)")
        }
    }

    private func existingDomain(_ name: String) throws(AccountError) -> String {
        let domain = try normalizedDomain(name)
        guard files.exists(domainFile(domain)) else {
            throw AccountError(.notFound, "there is no domain \(domain); add it with 'rmail domain add \(domain)'")
        }
        return domain
    }

    private static func noAccount(_ address: AccountAddress) -> AccountError {
        AccountError(.notFound, "there is no account \(address)")
    }

    /// Runs a file operation and maps its error to an account error.
    private func inFiles<R>(
        _ body: () throws(FileError) -> R, mapping: (FileError) -> AccountError = AccountError.init
    ) throws(AccountError) -> R {
        do {
            return try body()
        } catch {
            throw mapping(error)
        }
    }
}
