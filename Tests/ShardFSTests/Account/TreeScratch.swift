import DurableFiles
import FoundationEssentials
import Glibc
import Primitives
import Testing

@testable import ShardFS

/// A store with one account in a temporary directory, in memory where possible: tests make, copy and break trees by the
/// hundred.
final class TreeScratch {
    let path: String
    private(set) var store: Store
    private let scratch = FastScratch()
    var options: StoreOptions

    init(_ options: StoreOptions = StoreOptions()) throws {
        self.options = options
        path = scratch.next()
        store = try Store.open(path, options: options)
        _ = try account
    }

    /// A copy of a store at rest.
    init(copying other: TreeScratch, _ options: StoreOptions = StoreOptions()) throws {
        self.options = options
        path = scratch.next()
        try FileManager.default.copyItem(atPath: other.path, toPath: path)
        store = try Store.open(path, options: options)
    }

    /// The store described by `image`.
    init(_ image: DiskImage, _ options: StoreOptions) throws {
        self.options = options
        path = scratch.next()
        image.materialise(in: path)
        store = try Store.open(path, options: options)
    }

    static let address = "alice@example.com"

    var account: Account { get throws { try store.createAccount(AccountAddress(parsing: Self.address)) } }
    var directory: String { get throws { try "\(path)/\(Store.path(AccountAddress(parsing: Self.address)))" } }

    /// The account as another process sees it.
    func other(_ change: (inout StoreOptions) -> Void = { _ in }) throws -> Account {
        var options = options
        change(&options)
        return try Store.open(path, options: options).account(AccountAddress(parsing: Self.address))
    }

    /// Reopens the store as the next process would.
    func reopen(_ change: (inout StoreOptions) -> Void = { _ in }) throws {
        change(&options)
        store = try Store.open(path, options: options)
    }

    /// Makes mailboxes, each with the messages given.
    func fill(_ mailboxes: [(String, [String])]) throws {
        for (name, messages) in mailboxes {
            let name = try MailboxName(name)
            do { try account.create(name) } catch let error as StoreError where error.code == .exists {}
            for text in messages { try account.mailbox(name).append(text) }
        }
    }

    func names(_ directory: String) throws -> [String] {
        let path = try "\(self.directory)/\(directory)"
        return try DirectoryListing.names(SystemCalls(), AT_FDCWD, path).sorted()
    }

    /// Every level as `name=messages`, or `name` alone for a level that is not a mailbox.
    func tree() throws -> [String] {
        let account = try account
        return try account.list().map { listing in
            guard listing.isSelectable else {
                #expect(throws: StoreError(.notFound, "")) { try account.mailbox(listing.name) }
                return listing.name.description
            }
            return try "\(listing.name)=\(account.mailbox(listing.name).texts().joined(separator: ","))"
        }
    }

    /// Checks the invariants: every mailbox takes a message, no UIDVALIDITY occurs twice, the quota is exact, and a new
    /// process agrees with this one.
    func checkWhole(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let account = try account
        var validities: Set<UInt32> = []
        var messages: UInt64 = 0
        for listing in try account.list() where listing.isSelectable {
            let mailbox = try account.mailbox(listing.name)
            let uid = try mailbox.append("probe")
            #expect(try mailbox.text(uid) == "probe", sourceLocation: sourceLocation)
            let snapshot = try mailbox.snapshot()
            #expect(validities.insert(snapshot.uidValidity).inserted, sourceLocation: sourceLocation)
            messages += UInt64(snapshot.messages.count)
        }
        #expect(try account.quota().messages == messages, sourceLocation: sourceLocation)
        let before = try tree()
        try reopen()
        #expect(try tree() == before, sourceLocation: sourceLocation)
        ShardFSTests.check(store, sourceLocation: sourceLocation)
    }
}

extension Mailbox {
    /// The messages' contents in UID order.
    func texts() throws -> [String] {
        var uids: [UID] = []
        try snapshot().messages.forEach { uids.append($0.uid) }
        return try uids.map(text)
    }
}

/// Simulates a process killed at its `index`-th system call: that call and all later ones fail, except closing and
/// unlocking, which happen for a dead process too.
final class KillHook: SystemHook {
    private let state = Locked((left: Int.max, killed: false))

    func arm(_ index: Int) { state.withLock { $0 = (index, false) } }
    /// Revives the process, and returns whether the call was reached.
    func disarm() -> Bool {
        state.withLock { s in
            defer { s = (.max, false) }
            return s.killed
        }
    }

    func before(_ call: SystemCall) -> Errno? {
        switch call {
        case .close, .lock(_, operation: LOCK_UN): return nil
        default: break
        }
        return state.withLock { s in
            if s.left == .max { return nil }
            if s.left > 0 {
                s.left -= 1
                return nil
            }
            s.killed = true
            return .io
        }
    }
}

/// Kills `operation` at each of its system calls in turn, on a fresh copy of the store made by `prepare`; `check` sees
/// the store as the next process does, and whether the operation had returned.
func killAtEachCall(
    prepare: (TreeScratch) throws -> Void, operation: (Account) throws -> Void,
    check: (TreeScratch, _ returned: Bool, _ call: Int) throws -> Void
) throws {
    let original = try TreeScratch()
    try prepare(original)
    // A new account's ledger is not exact; it is counted here, so that a wrong count afterwards is a finding.
    _ = try original.account.quota()
    try original.store.close()
    for index in 0..<3000 {
        let hook = KillHook()
        var options = StoreOptions()
        options.hook = hook
        let scratch = try TreeScratch(copying: original, options)
        let account = try scratch.account
        hook.arm(index)
        var returned = false
        do {
            try operation(account)
            returned = true
        } catch is StoreError {}
        let killed = hook.disarm()
        scratch.options.hook = nil
        try scratch.reopen()
        try check(scratch, returned, index)
        if !killed {
            #expect(returned)
            return
        }
    }
    Issue.record("the operation never ended")
}
