@testable import ShardFS

/// What an fsync is of.
enum SyncClass: String, CaseIterable, Comparable, Sendable {
    case message
    case shard
    /// The directory of a mailbox.
    case mailbox
    /// `.expunged` itself.
    case expunged = ".expunged"
    /// A directory in `.expunged`.
    case hour
    case log = "changes.log"
    case status = "status.json"
    case keywords = "keywords.json"
    case counter = "uidvalidity"
    case ledger = "quota.ledger"
    /// `.deleted` itself.
    case deleted = ".deleted"
    /// `mailboxes` directories and levels without messages.
    case level = "levels"
    case account
    /// From the account's parent up to below the root.
    case above = "users, domain"
    case root
    /// deleted.json, format.json and the like.
    case other = "other files"

    static func < (a: SyncClass, b: SyncClass) -> Bool {
        (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
    }
}

extension RecordedNames {
    func syncClass(_ node: DiskImage.Node) -> SyncClass {
        if node == DiskImage.root { return .root }
        if !isDirectory(node) { return fileClass(node) }
        if has(node, { $0 == ExpungedName.directory }) { return .expunged }
        if has(node, { ExpungedName.isHour($0) }) { return .hour }
        if isShard(node) { return .shard }
        if has(node, { $0 == AccountContext.deletedDirectory }) { return .deleted }
        if isMailbox(node) { return .mailbox }
        if has(node, { $0 == AccountContext.below }) { return .level }
        if has(node, { $0 == "domains" || $0 == "users" }) || isBelow(node, "domains") { return .above }
        return isBelow(node, "users") ? .account : .level
    }

    private func fileClass(_ node: DiskImage.Node) -> SyncClass {
        func isFile(_ name: String) -> Bool { has(node) { $0 == name || $0.hasPrefix(".\(name).") } }
        if isFile(LogFile.fileName) || has(node, { $0 == AccountContext.deletionMark }) { return .log }
        if isFile(MailboxStatus.fileName) { return .status }
        if isFile(KeywordFile.fileName) { return .keywords }
        if isFile(UIDValidityCounter.fileName) { return .counter }
        if isFile(QuotaLedger.fileName) { return .ledger }
        // A file without a name, or with a message's.
        return has(node) { !$0.hasSuffix(".eml") && !$0.hasPrefix(".") && $0.contains(".json") } ? .other : .message
    }
}
