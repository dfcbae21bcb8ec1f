import Primitives
public import ShardFS

/// The node-local read cache over a store: what was worked out about messages once, kept in LMDB, one environment for
/// each account, under a directory outside of the store.
///
/// It holds nothing that the store does not hold. With the cache off, deleted, old, damaged or another machine's, every
/// answer is the same, only slower: whatever goes wrong looks like an empty cache, and nothing here throws.
///
/// Several processes may use one directory. One process must not make two of these for one directory.
///
///     let index = ShardIndex(path: "/var/lib/rmail/cache")
///     let alice = index.account(storeID: store.id, address)
///     alice?.put(MailboxKey(id: inbox.id, uidValidity: 7), uid: 42, summary)
///
/// On disk, for each account `{path}/{store id}/{domain}/{user}/`:
///
///     data.mdb, lock.mdb   LMDB's
///     state                whose it is, and what data.mdb looked like after the last commit (`StateRecord`)
///     presence             held by whoever has it open
///
/// A summary outlives the expunge of its message until `remove` names it, the cache is full, or somebody drops it.
public final class ShardIndex: Sendable {
    let core: IndexCore
    private struct WeakAccount {
        weak let account: AccountIndex?
    }
    private let accounts = Monitor<[StateRecord.Owner: WeakAccount]>([:])

    /// - Parameters:
    ///   - path: made when it is missing; not below a store's root.
    ///   - log: told one sentence for each thing that an operator may want to know. Called from any thread.
    public init(
        path: String, options: IndexOptions = IndexOptions(), log: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        core = IndexCore(path: path, options: options, log: log)
    }

    deinit { core.shutdown() }

    /// Why a cache in `path` would not be safe: the network file system that holds it. Nil when it is fine.
    public static func networkFileSystem(of path: String) -> String? { NetworkFileSystem.name(of: path) }

    /// The cache of an account; nil when its name cannot be one of a directory.
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

    /// Waits until all that was put before is written.
    public func flush() { core.writer.wait {} }

    /// Writes what waits and closes every cache in good order. What is put later is dropped.
    public func close() { core.shutdown() }
}
