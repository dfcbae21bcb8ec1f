public import DurableFiles
import Glibc
import Primitives

/// Options for opening a store. Plain values with working defaults.
public struct StoreOptions: Sendable {
    /// The data on stable storage before an operation returns.
    public enum Durability: String, Sendable, CaseIterable {
        /// Flag changes are synced too.
        case full
        /// Messages and UIDs are synced; flags wait for the file system's next commit.
        case messages
        /// Bulk import: one syncfs at close; ceilings and keywords are still synced.
        case none
    }

    public var durability: Durability = .messages
    /// Seconds that a caller waits for a mailbox's lock before `busy`.
    public var lockWait: Double = 10
    /// The maximum number of callers in this process waiting for one mailbox.
    public var lockWaiters = 64
    /// Hours for which expunged messages and deleted mailboxes are kept.
    public var expungeRetentionHours = 24
    /// The id of this node, generated once and stored outside the store; distinguishes a reboot of this machine from
    /// one of another.
    public var node = "local"
    /// Changes with each reboot; nil uses the kernel's boot id.
    public var bootID: String?
    /// Opens without writing: nothing is recovered, locked or settled.
    public var readOnly = false
    /// Treats the store as one that other machines write to, as on a distributed file system: no view cache, no kernel
    /// watches. Nil means false.
    public var shared: Bool?
    /// The maximum number of idle mailboxes kept open per account.
    public var idleMailboxes = 256
    /// The maximum number of mailboxes of an account, levels without messages included; as many deleted ones are kept.
    public var maximumMailboxes = 10_000
    /// The maximum number of names that an account is subscribed to.
    public var maximumSubscriptions = 10_000
    /// The maximum number of annotations of an account and its mailboxes together.
    public var maximumAnnotations = 10_000
    /// The cache of views between two openings; nil for none. Not for a store written by other machines, where a
    /// directory's times prove nothing.
    public var viewCache: (any ViewCache)?
    /// Called before each system call; for tests.
    public var hook: (any SystemHook)?
    /// Capabilities to do without, for testing the fallbacks.
    public var withoutCapabilities: Set<Capability> = []
    /// Seconds since 1970 UTC; nil uses the machine's clock.
    public var clock: (@Sendable () -> Int64)?
    /// Below this room on the store's file system (or a fiftieth of it, if that is less) no new mail is taken, and what
    /// is kept for restoring is purged early; 0 for no floor.
    public var minimumFreeBytes: UInt64 = 0
    /// The same for files (inodes).
    public var minimumFreeFiles: UInt64 = 0
    /// The room on the file system, for tests; nil asks it.
    public var space: (@Sendable () -> DiskSpace)?
    /// Called with a sentence for the operator: a mailbox that cannot be opened, a store that takes no writes. On any
    /// thread, also with locks held: it must not use the store.
    public var notice: (@Sendable (String) -> Void)?

    public init() {}
}

/// A mail store: a directory of domains, accounts and mailboxes in which every message is a plain file.
///
/// Several processes may have one store open. Thread-safe; every method blocks for its system calls.
///
///     let store = try Store.open("/var/mail/rmail")
///     let alice = try store.account(AccountAddress(parsing: "alice@example.com"))
///     let inbox = try alice.mailbox(MailboxName("INBOX"))
public final class Store: Sendable {
    /// The version of the layout that this program reads and writes.
    public static let formatVersion: UInt64 = 1
    static let formatName = "format.json"
    /// The maximum number of idle accounts kept open.
    private static let recentAccounts = 128

    public let root: String
    /// 128 random bits as 32 hexadecimal digits, generated with the store.
    public let id: String
    public let capabilities: Set<Capability>
    /// Whether the store is read-only, by request or because its file system has no working locks.
    public var isReadOnly: Bool { options.readOnly }

    let system: SystemCalls
    let options: StoreOptions
    let rootDirectory: RootDirectory
    let room: DiskRoom
    var directory: Int32 { rootDirectory.descriptor }
    private let bootID: String
    private let tokens = TokenSource()

    private struct WeakAccount {
        weak let account: Account?
    }
    private struct Open {
        var known: [AccountAddress: WeakAccount] = [:]
        var recent: [Account] = []
    }
    private let open = Locked(Open())

    /// Opens the store in `root`, creating it if it is missing; a store of the old program is used as it is.
    /// - Throws: `newerVersion`, `damaged`, `readOnly`, `system`.
    public static func open(_ root: String, options: StoreOptions = StoreOptions()) throws(StoreError) -> Store {
        let system = SystemCalls(hook: options.hook)
        var options = options
        if !options.readOnly { try makeRoot(root, system) }
        let directory = try doing("open the store \(root)") { () throws(Errno) in
            try system.open(SystemCalls.currentDirectory, root, O_RDONLY | O_DIRECTORY)
        }
        do throws(StoreError) {
            let capabilities = try capabilities(root, system, directory, &options)
            if !capabilities.contains(.locks) { options.readOnly = true }
            let id = try format(system, directory, readOnly: options.readOnly)
            if options.shared == true { options.viewCache = nil }
            return Store(
                root: root, id: id, capabilities: capabilities, system: system, options: options, directory: directory,
                bootID: options.bootID ?? BootID.now(system, directory))
        } catch {
            system.close(directory)
            throw error
        }
    }

    private init(
        root: String, id: String, capabilities: Set<Capability>, system: SystemCalls, options: StoreOptions,
        directory: Int32, bootID: String
    ) {
        self.root = root
        self.id = id
        self.capabilities = capabilities
        self.system = system
        self.options = options
        rootDirectory = RootDirectory(system, directory)
        room = DiskRoom(system: system, root: rootDirectory, options: options)
        self.bootID = bootID
        room.onLowRoom { [weak self] in self?.purgeForRoom() }
    }

    /// The capabilities of the store's file system. One that takes no writes is opened read-only; a full one is opened
    /// all the same, so that it can be read and emptied.
    private static func capabilities(
        _ root: String, _ system: SystemCalls, _ directory: Int32, _ options: inout StoreOptions
    ) throws(StoreError) -> Set<Capability> {
        if options.readOnly { return [.locks] }
        do throws(StoreError) {
            return try Capability.probe(system, directory, without: options.withoutCapabilities)
        } catch {
            switch error.code {
            case .readOnly:
                // Asked twice: one call that fails must not make a whole store read-only.
                if let found = try? Capability.probe(system, directory, without: options.withoutCapabilities) {
                    return found
                }
                options.notice?("the store \(root) is on a read-only file system: it can only be read")
                options.readOnly = true
                return [.locks]
            case .noSpace:
                options.notice?("the file system of the store \(root) is full: \(error.message)")
                return try Capability.assumed(system, directory).subtracting(options.withoutCapabilities)
            default: throw error
            }
        }
    }

    private static func makeRoot(_ root: String, _ system: SystemCalls) throws(StoreError) {
        do { try system.makeDirectory(SystemCalls.currentDirectory, root) } catch .exists {} catch .readOnly {
        } catch .noSpace {} catch .quota {} catch {
            throw StoreError.system(error, "create the store \(root)")
        }
    }

    /// Returns the store's id from format.json, writing that file if it is missing; a newer layout is refused.
    private static func format(_ system: SystemCalls, _ directory: Int32, readOnly: Bool) throws(StoreError) -> String {
        let files = system.files
        if let bytes = try files.read(formatName, in: directory) {
            let json = try JSONValue.stored(bytes, name: formatName)
            guard let version = json["version"]?.unsignedInteger, let id = json["store_id"]?.string else {
                throw StoreError(.damaged, "\(formatName) lacks version or store_id")
            }
            guard version <= formatVersion else {
                throw StoreError(
                    .newerVersion,
                    "the store has layout \(version); this program supports layouts up to \(formatVersion)")
            }
            return id
        }
        let id = MailboxStatus.randomID()
        if readOnly { return id }
        let json = JSONValue.object([
            "version": .uint(formatVersion), "store_id": .string(id), "starts": .integer(0),
        ])
        do {
            try files.publish(json.storable(), as: formatName, in: directory, replacing: false)
        } catch {
            // Another process created it at the same time.
            guard error.code == .exists else { throw error }
            return try format(system, directory, readOnly: true)
        }
        return id
    }

    // MARK: accounts

    static func path(_ address: AccountAddress) -> String {
        "domains/\(address.domain)/users/\(address.local)"
    }

    /// Returns the account of an address.
    /// - Throws: `notFound` if it has no directory.
    public func account(_ address: AccountAddress) throws(StoreError) -> Account {
        if let known = open.withLock({ $0.known[address]?.account }) {
            if options.readOnly { return known }
            if try known.context.isInPlace { return known }
            // Its directory was removed or replaced: nothing may be stored there.
            forget(address)
        }
        let fd: Int32
        do {
            fd = try system.openDirectory(directory, Self.path(address))
        } catch .notFound {
            throw StoreError(.notFound, "there is no account \(address)")
        } catch {
            throw StoreError.system(error, "open the account \(address)")
        }
        let context = AccountContext(
            system: system, options: options, capabilities: capabilities, root: rootDirectory,
            room: room, path: Self.path(address), directory: fd, name: address.description, storeID: id, bootID: bootID,
            tokens: tokens)
        let account = Account(address: address, context: context)
        return open.withLock { open in
            if let other = open.known[address]?.account { return other }
            open.known = open.known.filter { $0.value.account != nil }
            open.known[address] = WeakAccount(account: account)
            open.recent.append(account)
            if open.recent.count > Self.recentAccounts { open.recent.removeFirst() }
            return account
        }
    }

    /// Creates an account's directories, durably, if they are missing. Its mailboxes are created by `Account`.
    public func createAccount(_ address: AccountAddress) throws(StoreError) -> Account {
        try checkWritable()
        var path = ""
        for component in ["domains", address.domain, "users", address.local] {
            let parent = path.isEmpty ? "." : path
            path = path.isEmpty ? component : "\(path)/\(component)"
            // Its creator may have died before the sync.
            do { try system.makeDirectory(directory, path) } catch .exists {} catch {
                throw StoreError.system(error, "create \(path)")
            }
            let fd = try doing("open \(parent)") { () throws(Errno) in try system.openDirectory(directory, parent) }
            defer { system.close(fd) }
            try doing("sync \(parent)") { () throws(Errno) in try system.sync(fd) }
        }
        return try account(address)
    }

    func checkWritable() throws(StoreError) {
        if options.readOnly { throw StoreError(.readOnly, "the store was opened read-only") }
    }

    /// Returns every account that has a directory, sorted by domain and name.
    public func accounts() throws(StoreError) -> [AccountAddress] {
        var found: [AccountAddress] = []
        for domain in try system.files.names(directory, "domains").sorted() {
            for user in try system.files.names(directory, "domains/\(domain)/users").sorted() {
                if let address = try? AccountAddress(local: user, domain: domain), address.local == user,
                    address.domain == domain
                {
                    found.append(address)
                }
            }
        }
        return found
    }

    /// Releases an account after its directory was removed or renamed.
    public func forget(_ address: AccountAddress) {
        open.withLock { open in
            open.known[address] = nil
            open.recent.removeAll { $0.address == address }
        }
    }

    /// Closes the mailboxes that nobody uses, as far as that frees descriptors; they are opened again when needed.
    public func releaseIdle() {
        for account in open.withLock({ $0.known.values.compactMap(\.account) }) { account.releaseIdle() }
    }

    /// Marks open accounts and mailboxes as cleanly closed. The store remains usable.
    public func close() throws(StoreError) {
        let accounts = open.withLock { $0.known.values.compactMap(\.account) }
        var failure: StoreError?
        for account in accounts {
            do { try account.close() } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
