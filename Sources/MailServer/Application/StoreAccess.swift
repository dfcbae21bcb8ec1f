public import ShardFS

/// Opens the engine's store as a configuration says, for the server and for commands alike.
public struct StoreAccess: Sendable {
    public typealias Accounts = AccountStore<LocalAccountFiles>

    public let store: Store
    public let accounts: Accounts

    /// Opens the store, made when it is missing, and makes missing domains. Blocks.
    /// - Parameter configuration: resolved.
    /// - Returns: The access, and the domains that were made.
    public static func open(
        _ configuration: Configuration, now: @escaping @Sendable () -> Int64
    ) throws(StartError) -> (access: StoreAccess, madeDomains: [String]) {
        let files = LocalAccountFiles()
        do throws(AccountFileError) {
            try files.makeDirectory(configuration.mailRoot)
        } catch {
            throw StartError("\(error); look at mail_root")
        }
        var options = StoreOptions()
        options.durability = StoreOptions.Durability(rawValue: configuration.storage.durability.rawValue) ?? .messages
        options.lockWait = configuration.limits.lockWait
        options.lockWaiters = configuration.limits.lockWaiters
        options.expungeRetentionHours = configuration.storage.expungeRetentionHours
        options.shared = configuration.storage.shared
        options.node = try node(configuration, files)
        let store: Store
        do throws(StoreError) {
            store = try Store.open(configuration.mailRoot, options: options)
        } catch {
            throw StartError("could not open the store \(configuration.mailRoot): \(error)")
        }
        let accounts = Accounts(
            mailRoot: configuration.mailRoot, files: files, mailboxes: EngineMailboxes(store: store), now: now)
        do throws(AccountError) {
            let made = try accounts.createMissingDomains(configuration.domains)
            return (StoreAccess(store: store, accounts: accounts), made)
        } catch {
            throw StartError("\(error)")
        }
    }

    /// The node's name: configured, or a random one made once and kept in the state directory.
    private static func node(_ configuration: Configuration, _ files: LocalAccountFiles) throws(StartError) -> String {
        if let node = configuration.storage.node { return node }
        guard let state = configuration.storage.statePath else {
            throw StartError("storage.state_path is not known", isConfiguration: true)
        }
        let path = state + "/node"
        do throws(AccountFileError) {
            if let node = try stored(path, files) { return node }
            try files.makeDirectory(state)
            do throws(AccountFileError) {
                try files.publish(Array((Hex.encode(SecureRandom.bytes(16)) + "\n").utf8), at: path, replacing: false)
            } catch {
                guard error.code == .exists else { throw error }
            }
            if let node = try stored(path, files) { return node }
        } catch {
            throw StartError("\(error); set storage.state_path to a directory that this user may write")
        }
        throw StartError("\(path) is empty; delete it")
    }

    private static func stored(_ path: String, _ files: LocalAccountFiles) throws(AccountFileError) -> String? {
        let text = try files.read(path).map { String(decoding: $0, as: UTF8.self).trimmingASCIISpace() }
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// The engine as the maker of an account's mailboxes.
struct EngineMailboxes: MailboxProvisioning {
    let store: Store

    func makeDefaultMailboxes(for address: AccountAddress) throws(AccountError) {
        do throws(StoreError) {
            try store.createAccount(address).createDefaults()
        } catch {
            throw AccountError(.files, "could not make the mailboxes of \(address): \(error)")
        }
    }

    func accountRemoved(_ address: AccountAddress) { store.forget(address) }
}
