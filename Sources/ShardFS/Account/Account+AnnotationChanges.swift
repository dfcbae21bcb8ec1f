// Annotation changes by other processes, found by comparing the file, which each change replaces.
import DurableFiles

/// A snapshot of the annotations of an account and its mailboxes, for comparison with another. Values are kept as
/// hashes.
public struct AnnotationState: Sendable {
    /// An annotation that was set, changed or removed; without a mailbox, one of the account itself.
    public struct Change: Hashable, Sendable {
        public var mailbox: MailboxName?
        public var entry: String

        public init(mailbox: MailboxName?, entry: String) {
            self.mailbox = mailbox
            self.entry = entry
        }
    }

    public init() {}

    fileprivate struct Stamp: Hashable {
        var file: FileIdentity
        var size: Int64
        var changed: Int64
    }

    fileprivate var stamp: Stamp?
    fileprivate var values: [Annotations.Subject: [String: Int]] = [:]

    fileprivate func subjects(otherThan other: AnnotationState) -> [(Annotations.Subject, [String])] {
        Set(values.keys).union(other.values.keys).compactMap { subject in
            let (a, b) = (values[subject] ?? [:], other.values[subject] ?? [:])
            let entries = Set(a.keys).union(b.keys).filter { a[$0] != b[$0] }
            return entries.isEmpty ? nil : (subject, entries.sorted())
        }
    }
}

extension Account {
    /// Returns the current annotations; nil if nothing was written since `known`, which costs one stat(2).
    /// - Throws: `damaged`, `system`.
    public func annotationState(since known: AnnotationState? = nil) throws(StoreError) -> AnnotationState? {
        var state = AnnotationState()
        do {
            let status = try context.system.status(context.directory, Annotations.fileName)
            state.stamp = .init(file: status.identity, size: status.size, changed: status.changed)
        } catch .notFound {
        } catch {
            throw StoreError.system(error, "stat \(Annotations.fileName)")
        }
        if let known, known.stamp == state.stamp { return nil }
        // A change between stat and read is reported by the next call as no change.
        for (subject, entries) in try context.annotations.all() {
            state.values[subject] = entries.mapValues(\.hashValue)
        }
        return state
    }

    /// Returns the changes between two snapshots, except those of mailboxes that no longer exist.
    public func annotationChanges(
        from old: AnnotationState, to new: AnnotationState
    ) throws(StoreError) -> [AnnotationState.Change] {
        let subjects = new.subjects(otherThan: old)
        var names: [String: MailboxName] = [:]
        if subjects.contains(where: { $0.0 != .account }) {
            for listing in try list() where listing.isSelectable {
                let name = "\(listing.name.relativePath)/\(MailboxStatus.fileName)"
                guard let bytes = try? context.files.read(name, in: context.directory),
                    let status = try? MailboxStatus(parsing: bytes)
                else { continue }
                names[status.mailboxID] = listing.name
            }
        }
        return subjects.flatMap { subject, entries -> [AnnotationState.Change] in
            switch subject {
            case .account: return entries.map { .init(mailbox: nil, entry: $0) }
            case .mailbox(let id):
                guard let name = names[id] else { return [] }
                return entries.map { .init(mailbox: name, entry: $0) }
            }
        }
    }
}
