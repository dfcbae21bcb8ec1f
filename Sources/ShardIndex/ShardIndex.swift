import Primitives
public import ShardFS

/// The node-local read cache over a store: results of parsing messages, kept in LMDB, one environment for each account,
/// in a directory outside the store.
///
/// It holds nothing that the store does not hold. With a cache that is off, deleted, old, damaged or another machine's,
/// every answer is the same, only slower: any fault looks like an empty cache, and nothing here throws.
///
/// Several processes may use one directory. One process must not make two of these for the same directory.
///
///     let index = ShardIndex(path: "/var/lib/rmail/cache")
///     let alice = index.account(storeID: store.id, address)
///     alice?.put(MailboxKey(id: inbox.id, uidValidity: 7), uid: 42, summary)
///
/// On disk, for each account `{path}/{store id}/{domain}/{user}/`:
///
///     data.mdb, lock.mdb   LMDB's files
///     state                the owner, and the stamp of data.mdb after the last commit (`StateRecord`)
///     presence             locked by each process that has the cache open
///
/// A summary outlives the expunge of its message until `remove` names it, the cache is full, or the cache is dropped.
public final class ShardIndex: Sendable {
    let core: IndexCore
    private struct WeakAccount {
        weak let account: AccountIndex?
    }
    private let accounts = Monitor<[StateRecord.Owner: WeakAccount]>([:])

    /// - Parameters:
    ///   - path: created if missing; not below a store's root.
    ///   - log: receives one sentence for each event that may interest an operator. Called from any thread.
    public init(
        path: String, options: IndexOptions = IndexOptions(), log: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        core = IndexCore(path: path, options: options, log: log)
    }

    deinit { core.shutdown() }

    /// The name of the network file system that makes a cache in `path` unsafe; nil if it is safe.
    public static func networkFileSystem(of path: String) -> String? { NetworkFileSystem.name(of: path) }

    /// The cache of an account; nil if its name cannot be a directory's.
    public func account(storeID: String, _ address: AccountAddress) -> AccountIndex? {
        let owner = StateRecord.Owner(storeID: storeID, account: address.description)
        guard let files = IndexDirectory.files(in: core.path, owner) else { return nil }
        return accounts.withLock { table in
            if let known = table[owner]?.account { return known }
            if table.count > 1000 { table = table.filter { $0.value.account != nil } }
            let made = AccountIndex(core: core, files: files, owner: owner)
            table[owner] = WeakAccount(account: made)
            return made
        }
    }

    /// Waits until everything put before is written.
    public func flush() { core.writer.wait {} }

    /// Writes queued changes and closes every cache cleanly. Later changes are dropped.
    public func close() { core.shutdown() }
}
