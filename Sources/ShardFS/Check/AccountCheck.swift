import DurableFiles
import Glibc

/// Checks the rules of one account: its files, its mailbox tree, rules across mailboxes, its quota.
struct AccountCheck {
    let check: StoreCheck
    let system: SystemCalls
    let root: Int32
    /// The account's path below the store's root.
    let path: String

    static let deletedDirectory = ".deleted"
    private static let names: Set<String> = [
        QuotaLimit.fileName, Subscriptions.fileName, Annotations.fileName, UIDValidityCounter.fileName,
        UIDValidityCounter.lockName,
        QuotaLedger.fileName, deletedDirectory, "mailboxes",
    ]

    func run(_ report: inout CheckReport) throws(StoreError) {
        try check.checkNames(root, path, Self.names, &report)
        for name in [QuotaLimit.fileName, Subscriptions.fileName, Annotations.fileName] {
            check.checkDocument(root, "\(path)/\(name)", &report)
        }
        var found: [(path: String, summary: MailboxCheck.Summary)] = []
        try walk("\(path)/mailboxes", parent: nil, &found, &report)
        var used = MailboxCheck.Summary()
        for (_, summary) in found {
            used.bytes += summary.bytes
            used.messages += summary.messages
            if summary.isUnsettled { used.isUnsettled = true }
        }
        for id in try system.files.names(root, "\(path)/\(Self.deletedDirectory)").sorted() {
            let path = "\(path)/\(Self.deletedDirectory)/\(id)"
            if id.hasPrefix(".") {
                // Its quota may not have been released yet.
                report.add(.leftover, path, "an interrupted deletion; the next tree change completes it")
                used.isUnsettled = true
            }
            if let status = status(path) {
                var summary = MailboxCheck.Summary()
                summary.uidValidity = status.uidValidity
                summary.mailboxID = status.mailboxID
                found.append((path, summary))
            }
        }
        checkIdentities(found, &report)
        checkLedger(used, &report)
    }

    /// Checks a mailbox's directory and those below it.
    private func walk(
        _ parentPath: String, parent: MailboxName?, _ found: inout [(path: String, summary: MailboxCheck.Summary)],
        _ report: inout CheckReport
    ) throws(StoreError) {
        for name in try system.files.names(root, parentPath).sorted() {
            let path = "\(parentPath)/\(name)"
            if StoreCheck.isTemporary(name) {
                report.add(.leftover, path, "a mailbox left incomplete by a killed process")
                continue
            }
            guard let mailbox = MailboxName(directoryName: Array(name.utf8), in: parent),
                (try? system.status(root, path))?.isDirectory == true
            else {
                report.add(.foreignName, path, "not a mailbox directory; left alone")
                continue
            }
            if exists("\(path)/\(AccountContext.deletionMark)"), !exists("\(path)/\(LogFile.fileName)") {
                report.add(.leftover, path, "an interrupted mailbox deletion; the next tree change completes it")
                // Its quota may or may not have been released already.
                var summary = MailboxCheck.Summary()
                summary.isUnsettled = true
                found.append((path, summary))
            } else if try isMailbox(path) {
                do {
                    found.append((path, try check.checkMailbox(root, path, &report)))
                } catch {
                    report.add(.unreadable, path, error.message)
                }
            }
            try walk("\(path)/mailboxes", parent: mailbox, &found, &report)
        }
    }

    /// Whether the directory is a mailbox, or the remains of one whose status and log are both lost.
    private func isMailbox(_ path: String) throws(StoreError) -> Bool {
        if exists("\(path)/\(MailboxStatus.fileName)") || exists("\(path)/\(LogFile.fileName)") { return true }
        return try system.files.names(root, path).contains { ShardName.parse($0) != nil }
    }

    private func exists(_ path: String) -> Bool { (try? system.status(root, path)) != nil }

    private func status(_ path: String) -> MailboxStatus? {
        guard let bytes = try? system.files.read("\(path)/\(MailboxStatus.fileName)", in: root) else {
            return nil
        }
        return try? MailboxStatus(parsing: bytes)
    }

    /// Checks that each UIDVALIDITY and MAILBOXID belongs to one mailbox.
    private func checkIdentities(
        _ found: [(path: String, summary: MailboxCheck.Summary)], _ report: inout CheckReport
    ) {
        var validities: [UInt32: String] = [:]
        var ids: [String: String] = [:]
        for (path, summary) in found {
            if summary.uidValidity > 0, let other = validities.updateValue(path, forKey: summary.uidValidity) {
                report.add(.uidValidityTwice, path, "UIDVALIDITY \(summary.uidValidity) is also used by \(other)")
            }
            if !summary.mailboxID.isEmpty, let other = ids.updateValue(path, forKey: summary.mailboxID) {
                report.add(.mailboxIDTwice, path, "the mailbox id \(summary.mailboxID) is also used by \(other)")
            }
        }
        let name = "\(path)/\(UIDValidityCounter.fileName)"
        let bytes: [UInt8]?
        do { bytes = try system.files.read(name, in: root, limit: 64) } catch {
            report.add(.uidValidityCounterBad, name, error.message)
            return
        }
        // If missing, it is rebuilt from the mailboxes found.
        guard let bytes else { return }
        guard let counter = UIDValidityCounter.parse(bytes) else {
            report.add(.uidValidityCounterBad, name, "it contains no number")
            return
        }
        for (path, summary) in found where summary.uidValidity > counter && summary.epoch != nil {
            report.add(
                .uidValidityAboveCounter, path,
                "UIDVALIDITY \(summary.uidValidity) is above the account's counter, \(counter)")
        }
    }

    private func checkLedger(_ used: MailboxCheck.Summary, _ report: inout CheckReport) {
        let name = "\(path)/\(QuotaLedger.fileName)"
        let bytes: [UInt8]?
        do { bytes = try system.files.read(name, in: root, limit: 1 << 16) } catch {
            report.add(.unreadable, name, error.message)
            return
        }
        guard let bytes else { return report.add(.quotaUnknown, name, "there is no ledger; usage will be recounted") }
        let line = bytes.withUnsafeBytes { raw in
            let whole = UnsafeRawBufferPointer(rebasing: raw.prefix(QuotaLine.count))
            return QuotaLine.parse(whole, boot: QuotaBoot(check.bootID ?? QuotaLine.boot(whole)))
        }
        if line.isUnknown || line.state == .recount {
            return report.add(.quotaUnknown, name, "it is not exact; usage will be recounted when needed")
        }
        if used.isUnsettled {
            return report.add(.quotaUnknown, name, "it is not exact until open intents are settled")
        }
        if line.bytes != used.bytes || line.messages != UInt64(used.messages) {
            report.add(
                .quotaWrong, name,
                "it records \(line.bytes) bytes in \(line.messages) messages; "
                    + "there are \(used.bytes) bytes in \(used.messages) messages")
        }
        if let limits = try? limits(), !limits.allow(bytes: line.bytes, messages: line.messages) {
            report.add(
                .quotaExceeded, name,
                "\(line.bytes) of \(limits.bytes) bytes are used, \(line.messages) of \(limits.messages) messages "
                    + "(0: no limit)")
        }
    }

    private func limits() throws(StoreError) -> QuotaLimits {
        let directory = try doing("open \(path)") { () throws(Errno) in try system.openDirectory(root, path) }
        defer { system.close(directory) }
        return try QuotaLimit(system: system, directory: directory).current
    }
}

extension QuotaLine {
    /// The boot id under which a line was written.
    static func boot(_ raw: UnsafeRawBufferPointer) -> String {
        guard raw.count >= bootEnd else { return "" }
        return String(decoding: raw[bootStart..<bootEnd].prefix { $0 != 0x20 }, as: UTF8.self)
    }

    private static let bootStart = 58
    private static let bootEnd = bootStart + QuotaBoot.count
}
