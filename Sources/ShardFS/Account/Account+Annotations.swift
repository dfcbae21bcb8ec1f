import DurableFiles
import Primitives

/// Limits of annotations. RFC 5464 requires at least 10 entries of 1024 bytes.
public enum AnnotationLimits {
    /// Entries of one mailbox, or of the account itself.
    public static let entries = 100
    /// Maximum size of one value in bytes.
    public static let valueSize = 32_768
    /// Maximum length of an entry's name in bytes.
    public static let entryLength = 255
    /// Maximum size of all names and values of an account in bytes: each change writes them all.
    public static let total = 2_097_152
}

extension Account {
    /// Returns the annotations of a mailbox, or of the account itself. RFC 5464.
    /// - Parameter name: nil for the account's own.
    /// - Throws: `notFound`, `damaged`, and the errors of opening a mailbox.
    public func annotations(of name: MailboxName?) throws(StoreError) -> [String: [UInt8]] {
        try context.annotations.list(subject(name))
    }

    /// Sets annotations, or removes those whose value is nil: all of `changes` or none. Durable on return.
    ///
    /// They follow a renamed mailbox and are deleted with it.
    /// - Throws: `limit` beyond ``AnnotationLimits``; `notFound`, `damaged`, `busy`, `readOnly`, `noSpace`, `system`.
    public func annotate(
        _ name: MailboxName?, _ changes: [(entry: String, value: [UInt8]?)]
    ) throws(StoreError) {
        try context.checkWritable()
        try context.annotations.change(subject(name), changes, until: context.deadline)
    }

    private func subject(_ name: MailboxName?) throws(StoreError) -> Annotations.Subject {
        guard let name else { return .account }
        return .mailbox(try mailbox(name).id)
    }

    /// Drops the annotations of mailboxes that have been removed for good.
    func purgeAnnotations() throws(StoreError) {
        guard try context.has(Annotations.fileName) else { return }
        try context.shapeLocked { () throws(StoreError) in
            try context.finishDeletions()
            var ids: Set<String> = []
            let deleted = try context.entries(in: AccountContext.deletedDirectory).map {
                "\(AccountContext.deletedDirectory)/\($0)"
            }
            var isComplete = true
            let paths = try context.mailboxPaths { _, _ in isComplete = false }
            guard isComplete else { return }
            for path in paths + deleted {
                let name = "\(path)/\(MailboxStatus.fileName)"
                // A mailbox with an unreadable id may have annotations, so all are kept.
                guard let bytes = try? context.files.read(name, in: context.directory),
                    let status = try? MailboxStatus(parsing: bytes)
                else { return }
                ids.insert(status.mailboxID)
            }
            try context.annotations.keep(ids)
        }
    }
}

extension AccountContext {
    var annotations: Annotations {
        Annotations(system: system, directory: directory, maximum: options.maximumAnnotations)
    }
}
