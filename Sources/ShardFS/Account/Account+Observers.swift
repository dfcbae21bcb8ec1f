// Who is told of changes to the tree of mailboxes, to subscriptions and to annotations.
import DurableFiles
import Primitives

/// Something that happened to an account beside its messages.
public enum AccountEvent: Sendable, Equatable {
    /// Mailboxes were made, renamed or deleted, or subscriptions changed: ``Account/tree(maximumAge:)`` tells how it is.
    case tree
    /// Annotations (RFC 5464) of a mailbox, or of the server where it is nil, were set or removed. `origin` is
    /// whoever did it, by the number it gave.
    case metadata(mailbox: MailboxName?, entries: [String], origin: UInt64?)
}

/// An account's mailboxes and subscriptions at one moment.
public struct AccountTree: Sendable, Equatable {
    public struct Level: Sendable, Equatable {
        public var listing: MailboxListing
        /// Stays the same when the mailbox is renamed.
        public var identity: Identity?
    }

    /// What a directory is known by for as long as it exists.
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
    /// The tree as it was last read while somebody observed, and when (monotonic nanoseconds).
    var tree: (AccountTree, readAt: Int64)?
    /// Changes of this process, so that what was read before one is not kept for what is behind it.
    var changes: UInt64 = 0
}

extension Account {
    /// Calls `body` after every change by this process, on the thread that made it and under no lock; it must not
    /// block. The observation ends with the token that it returns. What other processes do, ``tree(maximumAge:)`` shows.
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

    /// The tree as it is, or as it was at most `maximumAge` nanoseconds ago for other processes' changes; this
    /// process's are always in it.
    /// - Throws: as ``list()``; subscriptions that cannot be read count as none.
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

    /// Tells observers that annotations changed; for whoever keeps them.
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
