import DurableFiles
import Glibc
import Primitives

/// Checks a store from its files alone: every rule of docs/storage.md that is visible at rest has a check with a code.
///
/// Read-only: takes no lock, and writes, recovers and settles nothing. While writers are active, a mailbox that changes
/// during its check is checked again; a remaining finding may still be a transient state, so only a check of an idle
/// store is conclusive.
///
///     let report = try StoreCheck(root: "/var/mail/rmail").run()
///     for finding in report.findings { print(finding) }
public struct StoreCheck: Sendable {
    public let root: String
    /// Reads every message and compares it with the digest in the log.
    public var verifyContent = false
    /// This node's id and the machine's boot id. A mailbox last opened by this node under another boot id is not
    /// compared with its log, which recovery will rebuild. Without a boot id, every log is compared.
    public var node = StoreOptions().node
    public var bootID: String?

    /// Attempts for a mailbox that changes during its check.
    static let attempts = 5
    private let system = SystemCalls()

    public init(root: String) { self.root = root }

    /// Checks the whole store.
    /// - Throws: `system` and `damaged` when the root or a directory of it cannot be read at all.
    public func run() throws(StoreError) -> CheckReport {
        var report = CheckReport()
        let directory = try openRoot()
        defer { system.close(directory) }
        checkFormat(directory, &report)
        let known: Set = [
            "domains", "tls", "queue", "snapshots", Store.formatName, "token_secret", StagingArea.directoryName,
            DiskRoom.reserveName,
        ]
        try checkNames(directory, ".", known, &report)
        try checkStaging(directory, ".", &report)
        for domain in try system.files.names(directory, "domains").sorted() {
            let path = "domains/\(domain)"
            guard (try? AccountAddress.domain(domain)) == domain else {
                report.add(.foreignName, path, "not a domain directory")
                continue
            }
            try checkNames(directory, path, ["users", "domain.json", "aliases.json", ".lock"], &report)
            for name in ["domain.json", "aliases.json"] { checkDocument(directory, "\(path)/\(name)", &report) }
            for user in try system.files.names(directory, "\(path)/users").sorted() {
                let path = "\(path)/users/\(user)"
                guard (try? AccountAddress.local(user)) == user else {
                    report.add(.foreignName, path, "not an account directory")
                    continue
                }
                try checkAccount(directory, path, &report)
            }
        }
        return report
    }

    /// Checks one mailbox by the rules that involve no other.
    /// - Throws: `notFound` if it has no directory.
    public func run(_ account: AccountAddress, _ mailbox: MailboxName) throws(StoreError) -> CheckReport {
        var report = CheckReport()
        let directory = try openRoot()
        defer { system.close(directory) }
        _ = try checkMailbox(directory, "\(Store.path(account))/\(mailbox.relativePath)", &report)
        return report
    }

    private func openRoot() throws(StoreError) -> Int32 {
        try doing("open the store \(root)") { () throws(Errno) in
            try system.open(SystemCalls.currentDirectory, root, O_RDONLY | O_DIRECTORY)
        }
    }

    private func checkFormat(_ directory: Int32, _ report: inout CheckReport) {
        do {
            guard let bytes = try system.files.read(Store.formatName, in: directory) else {
                report.add(.oldProgram, Store.formatName, "there is no \(Store.formatName): a store of the old program")
                return
            }
            let json = try JSONValue.stored(bytes, name: Store.formatName)
            if let version = json["version"]?.unsignedInteger, version > Store.formatVersion {
                report.add(.formatBad, Store.formatName, "layout \(version) is newer than this program supports")
            } else if json["version"]?.unsignedInteger == nil || json["store_id"]?.string == nil {
                report.add(.formatBad, Store.formatName, "it lacks version or store_id")
            }
        } catch {
            report.add(.formatBad, Store.formatName, error.message)
        }
    }

    // MARK: shared by accounts and mailboxes

    func checkAccount(_ root: Int32, _ path: String, _ report: inout CheckReport) throws(StoreError) {
        report.accounts += 1
        try AccountCheck(check: self, system: system, root: root, path: path).run(&report)
    }

    /// Checks one mailbox, again while it changes under the check.
    func checkMailbox(
        _ root: Int32, _ path: String, _ report: inout CheckReport
    ) throws(StoreError) -> MailboxCheck.Summary {
        let directory: Int32
        do {
            directory = try system.openDirectory(root, path)
        } catch .notFound {
            throw StoreError(.notFound, "there is no mailbox at \(path)")
        } catch {
            throw StoreError.system(error, "open the mailbox at \(path)")
        }
        defer { system.close(directory) }
        report.mailboxes += 1
        var attempt = 1
        while true {
            var part = CheckReport()
            let before = try? system.status(directory, LogFile.fileName)
            var check = MailboxCheck(check: self, system: system, directory: directory, path: path)
            let summary = try check.run(&part)
            let after = try? system.status(directory, LogFile.fileName)
            let changed = before?.identity != after?.identity || before?.size != after?.size
            if !changed || part.errors.isEmpty || attempt == Self.attempts {
                report.findings += part.findings
                report.messages += part.messages
                return summary
            }
            attempt += 1
        }
    }

    /// Reports names in a directory that are not part of the layout.
    func checkNames(
        _ directory: Int32, _ path: String, _ known: Set<String>, _ report: inout CheckReport
    ) throws(StoreError) {
        for name in try system.files.names(directory, path).sorted() where !known.contains(name) {
            let at = path == "." ? name : "\(path)/\(name)"
            if Self.isTemporary(name) {
                report.add(.leftover, at, "a temporary name left by a killed process")
            } else {
                report.add(.foreignName, at, "not part of the store layout; left alone")
            }
        }
    }

    /// Reports unfinished messages in a staging directory. `directory` is at `path`.
    func checkStaging(_ directory: Int32, _ path: String, _ report: inout CheckReport) throws(StoreError) {
        let staging = path == "." ? StagingArea.directoryName : "\(path)/\(StagingArea.directoryName)"
        for name in try system.files.names(directory, StagingArea.directoryName) {
            report.add(.leftover, "\(staging)/\(name)", "an unfinished message")
        }
    }

    /// Whether a name is temporary, used only while something is put in place.
    static func isTemporary(_ name: String) -> Bool {
        guard name.hasPrefix(".") else { return false }
        return name.hasSuffix(".tmp") || name.hasPrefix(".new.") || name.hasPrefix(".probe.")
    }

    /// Checks a JSON file, which may be missing.
    func checkDocument(_ directory: Int32, _ path: String, _ report: inout CheckReport) {
        do {
            if let bytes = try system.files.read(path, in: directory) {
                _ = try JSONValue.stored(bytes, name: path)
            }
        } catch {
            report.add(.documentBad, path, error.message)
        }
    }
}
