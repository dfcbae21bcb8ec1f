// Observers of changes to the mailbox tree, subscriptions and annotations.
import DurableFiles
import Primitives

/// A change of an account outside its messages.
public enum AccountEvent: Sendable, Equatable {
    /// Mailboxes were created, renamed or deleted, or subscriptions changed; ``Account/tree(maximumAge:)`` returns the
    /// result.
    case tree
    /// Annotations (RFC 5464) of a mailbox, or of the server if it is nil, were set or removed. `origin` is the number
    /// passed by whoever changed them.
    case metadata(mailbox: MailboxName?, entries: [String], origin: UInt64?)
}

/// A snapshot of an account's mailboxes and subscriptions.
public struct AccountTree: Sendable, Equatable {
    public struct Level: Sendable, Equatable {
        public var listing: MailboxListing
        /// Unchanged when the mailbox is renamed.
        public var identity: Identity?
    }

    /// The identity of a directory for as long as it exists.
    public struct Identity: Sendable, Hashable {
        let file: FileIdentity
    }

    public init() {}

    /// In the order of ``Account/list()``.
    public internal(set) var levels: [Level] = []
    public internal(set) var subscriptions: Set<MailboxName> = []
}

struct AccountObservers {
    var bodies: [UInt64: @Sendable (AccountEvent) -> Void] = [:]
    /// The tree as last read while observed, and the time of reading (monotonic nanoseconds).
    var tree: (AccountTree, readAt: Int64)?
    /// Counts this process's changes, so that a tree read before a change is not kept after it.
    var changes: UInt64 = 0
}

extension Account {
    /// Calls `body` after every change by this process, on the thread that made it and without any lock; it must not
    /// block. The observation ends when the returned token is released. Changes by other processes show only in
    /// ``tree(maximumAge:)``.
    public func observe(_ body: @escaping @Sendable (AccountEvent) -> Void) -> Observation {
        let key = SystemCalls.random(UInt64.self)
        observers.withLock { $0.bodies[key] = body }
        return Observation { self.stopObserving(key) }
    }

    private func stopObserving(_ key: UInt64) {
        observers.withLock { o in
            o.bodies[key] = nil
            if o.bodies.isEmpty { o.tree = nil }
        }
    }

    /// Returns the tree. Changes by other processes may be missing for up to `maximumAge` nanoseconds; this process's
    /// own are always included.
    /// - Throws: the errors of ``list()``; subscriptions that cannot be read count as none.
    public func tree(maximumAge: UInt64) throws(StoreError) -> AccountTree {
        let now = Clocks.monotonic()
        let (known, changes) = observers.withLock { ($0.tree, $0.changes) }
        if let (tree, readAt) = known, now - readAt < Int64(clamping: maximumAge) { return tree }
        var tree = AccountTree()
        for listing in try list() {
            let status = try? context.system.status(context.directory, listing.name.relativePath)
            tree.levels.append(.init(listing: listing, identity: status.map { .init(file: $0.identity) }))
        }
        tree.subscriptions = Set((try? subscriptions()) ?? [])
        let made = tree
        observers.withLock { o in
            if !o.bodies.isEmpty, o.changes == changes { o.tree = (made, now) }
        }
        return made
    }

    /// Reports changed annotations to observers; for the code that stores them.
    public func metadataChanged(mailbox: MailboxName?, entries: [String], by origin: UInt64? = nil) {
        notify(.metadata(mailbox: mailbox, entries: entries, origin: origin))
    }

    func treeChanged() {
        observers.withLock { o in
            o.tree = nil
            o.changes += 1
        }
        notify(.tree)
    }

    private func notify(_ event: AccountEvent) {
        let bodies = observers.withLock { Array($0.bodies.values) }
        for body in bodies { body(event) }
    }
}
