public import DurableFiles
import Glibc
import Primitives

/// Options of an open store. Plain values with working defaults.
public struct StoreOptions: Sendable {
    /// How much is on stable storage before an operation returns.
    public enum Durability: String, Sendable, CaseIterable {
        /// Flag changes are synced too.
        case full
        /// Messages and UIDs are synced; flags wait for the file system's next commit.
        case messages
        /// Bulk import: one syncfs at the end; ceilings and keywords are synced all the same.
        case none
    }

    public var durability: Durability = .messages
    /// Seconds that one caller waits for a mailbox's lock before `busy`.
    public var lockWait: Double = 10
    /// Callers of this process that may queue for one mailbox.
    public var lockWaiters = 64
    /// Hours for which expunged messages can be brought back.
    public var expungeRetentionHours = 24
    /// Random id of this node, made once and kept outside the store; tells a restart of this machine from another's.
    public var node = "local"
    /// Changes with each start of the machine; nil reads the kernel's.
    public var bootID: String?
    /// Opens without writing: nothing is recovered, locked or settled.
    public var readOnly = false
    /// Treats the store as one on a distributed file system, whatever statfs says.
    public var shared: Bool?
    /// Mailboxes kept open when nobody uses them.
    public var idleMailboxes = 256
    /// Where views are kept between two openings; nil for nowhere. Not for a store that other machines write to: a
    /// directory's times prove nothing there.
    public var viewCache: (any ViewCache)?
    /// Asked before each system call; for tests.
    public var hook: (any SystemHook)?
    /// Capabilities to do without, for tests of the fall-backs.
    public var withoutCapabilities: Set<Capability> = []
    /// Seconds since 1970 UTC; nil uses the machine's clock.
    public var clock: (@Sendable () -> Int64)?

    public init() {}
}

/// A mail store: a directory of domains, accounts and mailboxes in which every message is a plain file.
///
/// Several processes may have one store open. Thread-safe; every method blocks for the time of its system calls.
///
///     let store = try Store.open("/var/mail/rmail")
///     let alice = try store.account(AccountAddress(parsing: "alice@example.com"))
///     let inbox = try alice.mailbox(MailboxName("INBOX"))
public final class Store: Sendable {
    /// The layout that this program reads and writes.
    public static let formatVersion: UInt64 = 1
    static let formatName = "format.json"
    /// Accounts kept open though nobody uses them.
    private static let recentAccounts = 128

    public let root: String
    /// 128 random bits as 32 hexadecimal digits, made with the store.
    public let id: String
    public let capabilities: Set<Capability>
    /// Whether nothing is written: asked for, or all that the file system allows.
    public var isReadOnly: Bool { options.readOnly }

    let system: SystemCalls
    let options: StoreOptions
    let directory: Int32
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

    /// Opens the store in `root`, made when it is missing; a store of the old program is taken over as it is.
    /// - Throws: `newerVersion`, `damaged`, `readOnly`, `system`.
    public static func open(_ root: String, options: StoreOptions = StoreOptions()) throws(StoreError) -> Store {
        let system = SystemCalls(hook: options.hook)
        var options = options
        if !options.readOnly { try makeRoot(root, system) }
        let directory = try doing("open the store \(root)") { () throws(Errno) in
            try system.open(SystemCalls.currentDirectory, root, O_RDONLY | O_DIRECTORY)
        }
        do throws(StoreError) {
            let capabilities =
                options.readOnly
                ? [.locks] : try Capability.probe(system, directory, without: options.withoutCapabilities)
            if !capabilities.contains(.locks) { options.readOnly = true }
            let id = try format(system, directory, readOnly: options.readOnly)
            if options.shared == true { options.viewCache = nil }
            return Store(
                root: root, id: id, capabilities: capabilities, system: system, options: options, directory: directory,
                bootID: options.bootID ?? kernelBootID(system))
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
        self.directory = directory
        self.bootID = bootID
    }

    deinit { system.close(directory) }

    private static func makeRoot(_ root: String, _ system: SystemCalls) throws(StoreError) {
        do { try system.makeDirectory(SystemCalls.currentDirectory, root) } catch .exists {} catch .readOnly {} catch {
            throw StoreError.system(error, "make the store \(root)")
        }
    }

    /// The store's id, from format.json; a newer layout is refused, not guessed at.
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
                    "the store has layout \(version); this program knows layouts up to \(formatVersion)")
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
            // Another process made it at the same moment.
            guard error.code == .exists else { throw error }
            return try format(system, directory, readOnly: true)
        }
        return id
    }

    private static func kernelBootID(_ system: SystemCalls) -> String {
        guard let fd = try? system.open(SystemCalls.currentDirectory, "/proc/sys/kernel/random/boot_id", O_RDONLY)
        else {
            // Without one every open looks like a restart: slower, never wrong.
            return Hex.encode(SystemCalls.random(UInt64.self))
        }
        defer { system.close(fd) }
        var bytes = [UInt8](repeating: 0, count: 36)
        let count = bytes.withUnsafeMutableBytes { (try? system.read(fd, $0, at: 0)) ?? 0 }
        return String(decoding: bytes[0..<count], as: UTF8.self)
    }

    // MARK: accounts

    static func path(_ address: AccountAddress) -> String {
        "domains/\(address.domain)/users/\(address.local)"
    }

    /// The account of an address.
    /// - Throws: `notFound` when it has no directory.
    public func account(_ address: AccountAddress) throws(StoreError) -> Account {
        if let known = open.withLock({ $0.known[address]?.account }) { return known }
        let fd: Int32
        do {
            fd = try system.openDirectory(directory, Self.path(address))
        } catch .notFound {
            throw StoreError(.notFound, "there is no account \(address)")
        } catch {
            throw StoreError.system(error, "open the account \(address)")
        }
        let context = AccountContext(
            system: system, options: options, capabilities: capabilities, directory: fd, name: address.description,
            storeID: id, bootID: bootID, tokens: tokens)
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

    /// Makes an account's directories, durably, when they are missing. Mailboxes are made by `Account`.
    public func createAccount(_ address: AccountAddress) throws(StoreError) -> Account {
        try checkWritable()
        var path = ""
        for component in ["domains", address.domain, "users", address.local] {
            let parent = path.isEmpty ? "." : path
            path = path.isEmpty ? component : "\(path)/\(component)"
            // Whoever made it may have died before its sync.
            do { try system.makeDirectory(directory, path) } catch .exists {} catch {
                throw StoreError.system(error, "make \(path)")
            }
            let fd = try doing("open \(parent)") { () throws(Errno) in try system.openDirectory(directory, parent) }
            defer { system.close(fd) }
            try doing("sync \(parent)") { () throws(Errno) in try system.sync(fd) }
        }
        return try account(address)
    }

    func checkWritable() throws(StoreError) {
        if options.readOnly { throw StoreError(.readOnly, "the store was opened for reading only") }
    }

    /// Every account that has a directory, in order of domain and name.
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

    /// Lets go of an account, after its directory was removed or renamed.
    public func forget(_ address: AccountAddress) {
        open.withLock { open in
            open.known[address] = nil
            open.recent.removeAll { $0.address == address }
        }
    }

    /// Marks what is open as closed in good order. The store may be used on.
    public func close() throws(StoreError) {
        let accounts = open.withLock { $0.known.values.compactMap(\.account) }
        var failure: StoreError?
        for account in accounts {
            do { try account.close() } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
