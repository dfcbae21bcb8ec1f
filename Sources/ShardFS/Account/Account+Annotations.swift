import DurableFiles
import Primitives

/// What annotations may take. RFC 5464 wants 10 of 1024 bytes at least.
public enum AnnotationLimits {
    /// Of one mailbox, and of the account itself.
    public static let entries = 100
    /// Bytes of one value.
    public static let valueSize = 32_768
    /// Bytes of an entry's name.
    public static let entryLength = 255
    /// Bytes of all names and values of an account: each change writes them all.
    public static let total = 2_097_152
}

extension Account {
    /// The annotations of a mailbox, or of the account itself. RFC 5464.
    /// - Parameter name: nil for the account's own.
    /// - Throws: `notFound`, `damaged`, and what opening a mailbox meets.
    public func annotations(of name: MailboxName?) throws(StoreError) -> [String: [UInt8]] {
        try context.annotations.list(subject(name))
    }

    /// Sets annotations, or removes them with nil: all of `changes` or none. Durable when it returns.
    ///
    /// They follow the mailbox when it is renamed, and go with it when it is deleted.
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

    /// Drops the annotations of mailboxes that are gone for good.
    func purgeAnnotations() throws(StoreError) {
        guard try context.has(Annotations.fileName) else { return }
        try context.shapeLocked { () throws(StoreError) in
            try context.finishDeletions()
            var ids: Set<String> = []
            let deleted = try context.entries(in: AccountContext.deletedDirectory).map {
                "\(AccountContext.deletedDirectory)/\($0)"
            }
            for path in try context.mailboxPaths() + deleted {
                let name = "\(path)/\(MailboxStatus.fileName)"
                // Whose id cannot be read may have some: then all stay.
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
    var annotations: Annotations { Annotations(system: system, directory: directory) }
}
