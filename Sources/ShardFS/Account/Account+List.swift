import Glibc
import Primitives

/// A level of the mailbox tree in the answer to LIST.
public struct MailboxListing: Hashable, Sendable {
    public var name: MailboxName
    /// Whether it can hold messages; otherwise it exists only for the levels below it (\Noselect).
    public var isSelectable: Bool
    public var hasChildren: Bool
    /// Each use belongs to at most one mailbox of an account.
    public var specialUse: SpecialUse?
}

extension Account {
    /// Returns every mailbox and level: INBOX and everything below it first, then by name, each level after its parent.
    ///
    /// Skips directories that no mailbox name leads to. Opens no mailbox.
    /// - Throws: `busy` if the tree is being changed for longer than the configured wait; `system`.
    public func list() throws(StoreError) -> [MailboxListing] {
        if context.options.readOnly { return try context.listTree() }
        // Without the lock, a tree renamed during the listing could be missing from it.
        do throws(StoreError) {
            return try context.shapeLocked { () throws(StoreError) in
                try context.finishDeletions()
                return try context.listTree()
            }
        } catch {
            // Nothing can be locked on a file system that has turned read-only, and nothing is renamed there either.
            // On a full one an interrupted deletion waits; what is there is listed.
            guard error.code == .readOnly || error.code == .noSpace else { throw error }
            return try context.listTree()
        }
    }

    /// Creates the default mailboxes that a new account lacks: INBOX, Sent, Drafts, Trash, Junk and Archive, the last
    /// five with their special use. One whose use belongs to another mailbox is not created.
    ///
    /// The created ones are subscribed to, unless the account had mailboxes but no subscriptions.json, so that every
    /// mailbox counts as subscribed.
    public func createDefaults() throws(StoreError) {
        let there = try list()
        let used = Set(there.compactMap(\.specialUse))
        let names = Set(there.lazy.filter(\.isSelectable).map(\.name))
        var made: [MailboxName] = []
        func make(_ name: MailboxName, _ use: SpecialUse?) throws(StoreError) {
            if names.contains(name) { return }
            if let use, used.contains(use) { return }
            do { try create(name, specialUse: use?.description) } catch {
                // Created by somebody else meanwhile.
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

    /// Assigns a special use to a mailbox, taking it from its previous holder; nil for no use, not even the default use
    /// of its name.
    /// - Throws: `notFound`, `notAllowed` for INBOX, `busy`, `system`.
    public func setSpecialUse(_ use: SpecialUse?, of name: MailboxName) throws(StoreError) {
        try context.checkWritable()
        if name.isInbox { throw StoreError(.notAllowed, "INBOX cannot have a special use") }
        // Opened before the account's lock is taken, which recovery may need.
        let target = try mailbox(name)
        var before: Mailbox?
        if let use, let holder = try context.holder(of: use, except: name) { before = try mailbox(holder) }
        try context.shapeLocked { () throws(StoreError) in
            // The new one first: a kill in between leaves two, of which one is shown.
            _ = try target.updateStatus { (status) throws(StoreError) in status.specialUse = use?.description ?? "" }
            _ = try before?.updateStatus { (status) throws(StoreError) in status.specialUse = "" }
        }
        treeChanged()
    }
}

extension AccountContext {
    /// Reads the tree from disk; exact under the account's lock.
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
        // By name only where nothing is stored: an empty text means no use at all.
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

    /// The special use in status.json; nil if there is none or the file cannot be read.
    private func storedUse(_ path: String) -> String? {
        guard let bytes = try? files.read("\(path)/\(MailboxStatus.fileName)", in: directory),
            // Most have none, and searching is a hundred times faster than parsing.
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

    /// The mailbox other than `name` whose status.json has this use.
    func holder(of use: SpecialUse, except name: MailboxName) throws(StoreError) -> MailboxName? {
        for listing in try listTree() where listing.specialUse == use && listing.name != name {
            if storedUse(listing.name.relativePath).flatMap({ SpecialUse(parsing: $0) }) == use { return listing.name }
        }
        return nil
    }
}
