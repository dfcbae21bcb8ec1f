import Glibc
import Primitives

/// A level of the mailbox tree, as LIST shows it.
public struct MailboxListing: Hashable, Sendable {
    public var name: MailboxName
    /// Whether it holds messages of its own; else it is there for what is below it (\Noselect).
    public var isSelectable: Bool
    public var hasChildren: Bool
    /// At most one mailbox of an account has each.
    public var specialUse: SpecialUse?
}

extension Account {
    /// Every mailbox and level: INBOX and what is below it first, then by name, each level after the one above it.
    ///
    /// Directories that no mailbox name leads to are passed over. Opens no mailbox.
    /// - Throws: `busy` when the tree is being changed for longer than the configured wait, `system`.
    public func list() throws(StoreError) -> [MailboxListing] {
        if context.options.readOnly { return try context.listTree() }
        // Without the lock, a tree that is renamed meanwhile could be missing from the answer.
        return try context.shapeLocked { () throws(StoreError) in
            try context.finishDeletions()
            return try context.listTree()
        }
    }

    /// Makes the mailboxes of a new account that are missing: INBOX, Sent, Drafts, Trash, Junk and Archive, the latter
    /// five with their special use; one whose use another mailbox has is not made.
    ///
    /// Those that are made are subscribed to, except where every mailbox is so for want of a subscriptions.json.
    public func createDefaults() throws(StoreError) {
        let there = try list()
        let used = Set(there.compactMap(\.specialUse))
        let names = Set(there.lazy.filter(\.isSelectable).map(\.name))
        var made: [MailboxName] = []
        func make(_ name: MailboxName, _ use: SpecialUse?) throws(StoreError) {
            if names.contains(name) { return }
            if let use, used.contains(use) { return }
            do { try create(name, specialUse: use?.description) } catch {
                // Somebody else did.
                guard error.code == .exists else { throw error }
            }
            made.append(name)
        }
        try make(.inbox, nil)
        for (name, use) in SpecialUse.defaults { try make(MailboxName(name), use) }
        guard !made.isEmpty else { return }
        if try context.subscriptions.stored() == nil, !there.isEmpty { return }
        if try context.subscriptions.add(made, until: context.deadline) { treeChanged() }
    }

    /// Gives a mailbox a special use, and takes it from the one that had it; nil for none, also where the name alone
    /// would give one.
    /// - Throws: `notFound`, `notAllowed` for INBOX, `busy`, `system`.
    public func setSpecialUse(_ use: SpecialUse?, of name: MailboxName) throws(StoreError) {
        try context.checkWritable()
        if name.isInbox { throw StoreError(.notAllowed, "INBOX has no special use") }
        // Opened before the account's lock is taken, which recovery may need.
        let target = try mailbox(name)
        var before: Mailbox?
        if let use, let holder = try context.holder(of: use, except: name) { before = try mailbox(holder) }
        try context.shapeLocked { () throws(StoreError) in
            // First the new, then the old: a kill in between leaves two, of which one is shown.
            _ = try target.updateStatus { (status) throws(StoreError) in status.specialUse = use?.description ?? "" }
            _ = try before?.updateStatus { (status) throws(StoreError) in status.specialUse = "" }
        }
        treeChanged()
    }
}

extension AccountContext {
    /// The tree as it is; exact under the account's lock.
    func listTree() throws(StoreError) -> [MailboxListing] {
        var found: [(listing: MailboxListing, stored: String?)] = []
        var open: [(index: Int?, path: String)] = [(nil, Self.below)]
        while let (index, parent) = open.popLast() {
            let above = index.map { found[$0].listing.name }
            for entry in try entries(in: parent) {
                guard let name = MailboxName(directoryName: entry.utf8, in: above) else { continue }
                let path = "\(parent)/\(entry)"
                let isSelectable = try holdsMailbox(path)
                if let index { found[index].listing.hasChildren = true }
                open.append((found.count, "\(path)/\(Self.below)"))
                found.append(
                    (
                        MailboxListing(name: name, isSelectable: isSelectable, hasChildren: false),
                        isSelectable ? storedUse(path) : nil
                    ))
            }
        }
        found.sort { Self.isBefore($0.listing.name, $1.listing.name) }
        var taken: Set<SpecialUse> = []
        for i in found.indices {
            guard let use = found[i].stored.flatMap({ SpecialUse(parsing: $0) }), taken.insert(use).inserted
            else { continue }
            found[i].listing.specialUse = use
        }
        // By name only where nothing is stored: an empty text stands for no use at all.
        for i in found.indices where found[i].listing.isSelectable && found[i].stored == nil {
            guard let use = SpecialUse(defaultOf: found[i].listing.name), taken.insert(use).inserted else { continue }
            found[i].listing.specialUse = use
        }
        return found.map(\.listing)
    }

    private static func isBefore(_ a: MailboxName, _ b: MailboxName) -> Bool {
        let inbox = MailboxName.inbox.components[0]
        if (a.components[0] == inbox) != (b.components[0] == inbox) { return a.components[0] == inbox }
        for (x, y) in zip(a.components, b.components) where !x.utf8.elementsEqual(y.utf8) {
            return x.utf8.lexicographicallyPrecedes(y.utf8)
        }
        return a.components.count < b.components.count
    }

    private static let useKey = Array(#""special_use""#.utf8)

    /// The special use in status.json; one that cannot be read has none.
    private func storedUse(_ path: String) -> String? {
        guard let bytes = try? files.read("\(path)/\(MailboxStatus.fileName)", in: directory),
            // Most have none, and looking is a hundred times faster than parsing.
            Self.contains(bytes, Self.useKey)
        else { return nil }
        return (try? JSONValue.stored(bytes, name: MailboxStatus.fileName))?["special_use"]?.string
    }

    private static func contains(_ bytes: [UInt8], _ wanted: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { a in
            wanted.withUnsafeBytes { b in
                guard let start = a.baseAddress, let key = b.baseAddress, a.count >= b.count else { return false }
                return (0...a.count - b.count).contains { memcmp(start + $0, key, b.count) == 0 }
            }
        }
    }

    /// The one mailbox, beside `name`, whose status.json has this use.
    func holder(of use: SpecialUse, except name: MailboxName) throws(StoreError) -> MailboxName? {
        for listing in try listTree() where listing.specialUse == use && listing.name != name {
            if storedUse(listing.name.relativePath).flatMap({ SpecialUse(parsing: $0) }) == use { return listing.name }
        }
        return nil
    }
}
