// What other processes do to annotations: seen by looking at the file, which each change replaces.
import DurableFiles

/// The annotations of an account and its mailboxes at one moment, to be compared with another; their values are kept
/// as hashes.
public struct AnnotationState: Sendable {
    /// An annotation that was set, changed or removed; of the account itself where there is no mailbox.
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
    /// The annotations as they are; nil when nothing was written since `known`, which costs one look at a file.
    /// - Throws: `damaged`, `system`.
    public func annotationState(since known: AnnotationState? = nil) throws(StoreError) -> AnnotationState? {
        var state = AnnotationState()
        do {
            let status = try context.system.status(context.directory, Annotations.fileName)
            state.stamp = .init(file: status.identity, size: status.size, changed: status.changed)
        } catch .notFound {
        } catch {
            throw StoreError.system(error, "look at \(Annotations.fileName)")
        }
        if let known, known.stamp == state.stamp { return nil }
        // A change between the two looks is seen again the next time, and is none then.
        for (subject, entries) in try context.annotations.all() {
            state.values[subject] = entries.mapValues(\.hashValue)
        }
        return state
    }

    /// What has changed between two moments, mailboxes that are gone left out.
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
