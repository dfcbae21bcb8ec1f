import DurableFiles
package import MailAccounts
import Primitives
package import ServerConfiguration
package import ServerRuntime
package import ShardFS
package import ShardIndex

/// A store opened according to a configuration, for the server and for commands.
package struct StoreAccess: Sendable {
    package let store: Store
    package let accounts: AccountStore
    /// The read cache; nil if it is off, was not requested, or cannot be trusted on its file system.
    package let index: ShardIndex?

    /// Opens the store, creating it and its configured domains if missing. Blocks.
    /// - Parameters:
    ///   - configuration: the resolved configuration.
    ///   - now: the time in seconds since 1970 UTC.
    ///   - notice: receives the store's messages for the operator.
    ///   - indexLog: receives the read cache's messages for the operator; nil leaves the cache closed.
    /// - Returns: The access, and the domains created.
    package static func open(
        _ configuration: Configuration, now: @escaping @Sendable () -> Int64,
        notice: (@Sendable (String) -> Void)? = nil, indexLog: (@Sendable (String) -> Void)? = nil
    ) throws(StartError) -> (access: StoreAccess, madeDomains: [String]) {
        let files = PathFiles()
        do throws(FileError) {
            try files.makeDirectory(configuration.mailRoot)
        } catch {
            throw StartError("\(error); check mail_root")
        }
        var options = StoreOptions()
        options.durability = StoreOptions.Durability(rawValue: configuration.storage.durability.rawValue) ?? .messages
        options.lockWait = configuration.limits.lockWait
        options.lockWaiters = configuration.limits.lockWaiters
        options.expungeRetentionHours = configuration.storage.expungeRetentionHours
        options.shared = configuration.storage.shared
        options.node = try node(configuration, files)
        options.minimumFreeBytes = UInt64(configuration.storage.minimumFreeMB) << 20
        options.minimumFreeFiles = UInt64(configuration.storage.minimumFreeFiles)
        options.idleMailboxes = min(options.idleMailboxes, OpenFiles.idleMailboxes(OpenFiles.raiseLimit()))
        options.maximumMailboxes = configuration.limits.mailboxes
        options.maximumSubscriptions = configuration.limits.subscriptions
        options.maximumAnnotations = configuration.limits.annotations
        options.notice = notice
        let index = indexLog.flatMap { makeIndex(configuration, log: $0) }
        // Cached views rely on directory timestamps, which prove nothing if other machines write too.
        if ShardIndex.networkFileSystem(of: configuration.mailRoot) == nil { options.viewCache = index }
        let store: Store
        do throws(StoreError) {
            store = try Store.open(configuration.mailRoot, options: options)
        } catch {
            throw StartError("could not open the store \(configuration.mailRoot): \(error)")
        }
        let accounts = AccountStore(
            mailRoot: configuration.mailRoot, files: files, mailboxes: EngineMailboxes(store: store), now: now)
        do throws(AccountError) {
            let made = try accounts.createMissingDomains(configuration.domains)
            return (StoreAccess(store: store, accounts: accounts, index: index), made)
        } catch {
            throw StartError("\(error)")
        }
    }

    /// Opens the read cache as configured; nil if it is off or its path is on a network file system.
    private static func makeIndex(_ configuration: Configuration, log: @escaping @Sendable (String) -> Void)
        -> ShardIndex?
    {
        guard configuration.index.enabled, let path = configuration.index.path else { return nil }
        if let kind = ShardIndex.networkFileSystem(of: path) {
            log("no read cache: \(path) is on \(kind), but index.path must be on a local disk")
            return nil
        }
        return ShardIndex(path: path, options: indexOptions(configuration), log: log)
    }

    /// The cache options of a configuration.
    package static func indexOptions(_ configuration: Configuration) -> IndexOptions {
        var options = IndexOptions()
        options.maximumBytes = UInt64(max(1, configuration.index.maxSizeMB)) << 20
        // One account may use at most a quarter.
        options.maximumAccountBytes = options.maximumBytes / 4
        return options
    }

    /// The configured node name, or a random one kept in the state directory.
    private static func node(_ configuration: Configuration, _ files: PathFiles) throws(StartError) -> String {
        if let node = configuration.storage.node { return node }
        return try kept("node", bytes: 16, configuration, files)
    }

    /// The key for the fake SCRAM credentials of unknown names: node-local, created once.
    static func loginSecret(_ configuration: Configuration) throws(StartError) -> [UInt8] {
        Array(try kept("login_secret", bytes: 32, configuration, PathFiles()).utf8)
    }

    /// The account that logins read in place of one that is not there: node-local, made at each start.
    static func loginDecoy(_ configuration: Configuration) throws(StartError) -> DecoyAccount {
        let files = PathFiles()
        let state = try statePath(configuration)
        do throws(FileError) { try files.makeDirectory(state) } catch { throw unwritableState(error) }
        do throws(AccountError) {
            return try DecoyAccount(at: "\(state)/login_decoy.json", files: files)
        } catch {
            throw unwritableState(error)
        }
    }

    private static func statePath(_ configuration: Configuration) throws(StartError) -> String {
        guard let state = configuration.storage.statePath else {
            throw StartError("storage.state_path is not set", isConfiguration: true)
        }
        return state
    }

    private static func unwritableState(_ error: any Error) -> StartError {
        StartError("\(error); set storage.state_path to a directory that this user can write to")
    }

    /// The text of a file in the state directory, created with random bytes in hex if missing.
    private static func kept(
        _ name: String, bytes: Int, _ configuration: Configuration, _ files: PathFiles
    ) throws(StartError) -> String {
        let state = try statePath(configuration)
        let path = "\(state)/\(name)"
        do throws(FileError) {
            if let text = try stored(path, files) { return text }
            try files.makeDirectory(state)
            let text = Hex.encode(SecureRandom.bytes(bytes)) + "\n"
            do throws(FileError) {
                try files.publish(Array(text.utf8), at: path, replacing: false)
            } catch {
                guard error.code == .exists else { throw error }
            }
            if let text = try stored(path, files) { return text }
        } catch {
            throw unwritableState(error)
        }
        throw StartError("\(path) is empty; delete it")
    }

    private static func stored(_ path: String, _ files: PathFiles) throws(FileError) -> String? {
        let text = try files.read(path).map { String(decoding: $0, as: UTF8.self).trimmingASCIISpace() }
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// Creates an account's mailboxes with the storage engine.
struct EngineMailboxes: MailboxProvisioning {
    let store: Store

    func makeDefaultMailboxes(for address: AccountAddress) throws(AccountError) {
        do throws(StoreError) {
            try store.createAccount(address).createDefaults()
        } catch {
            throw AccountError(.files, "could not create the mailboxes of \(address): \(error)")
        }
    }

    func accountRemoved(_ address: AccountAddress) { store.forget(address) }
}
