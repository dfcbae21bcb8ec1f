import DurableFiles
import Glibc
import Primitives

// The levels of an account's mailbox tree on disk: directories `mailboxes/*/mailboxes/*`. A level that cannot hold
// messages is \Noselect.

extension AccountContext {
    /// The log of a deleted mailbox with others below it, until the rest of the mailbox has been moved away. Renaming
    /// the log to this name is the deletion's commit.
    static let deletionMark = ".deleting.log"
    /// The files that stay in a directory without messages: locks are never renamed or removed under their takers.
    static let fixtures: Set<String> = [MailboxLocks.gateName, MailboxLocks.lockName, Mailbox.statusLockName]
    static let below = "mailboxes"
    /// Mailboxes being created, below `mailboxes`.
    static let newPrefix = ".new."

    /// Whether the directory at `path` is a mailbox, even one whose status.json and log were lost.
    func holdsMailbox(_ path: String) throws(StoreError) -> Bool {
        // Every mailbox that was ever opened has a log; a deleted one never has.
        if try has("\(path)/\(LogFile.fileName)") { return true }
        if try has("\(path)/\(Self.deletionMark)") { return false }
        if try has("\(path)/\(MailboxStatus.fileName)") { return true }
        return try system.files.names(directory, path).contains { ShardName.parse($0) != nil }
    }

    /// The paths, below the account's directory, of all mailboxes that can hold messages.
    /// - Parameter unreadable: called with each path that cannot be read, which is left out; nil to throw its error.
    func mailboxPaths(_ unreadable: ((String, StoreError) -> Void)? = nil) throws(StoreError) -> [String] {
        try mailboxes(among: levels(unreadable: unreadable), unreadable: unreadable)
    }

    func mailboxes(
        among paths: [String], unreadable: ((String, StoreError) -> Void)? = nil
    ) throws(StoreError) -> [String] {
        var found: [String] = []
        for path in paths {
            do throws(StoreError) {
                if try holdsMailbox(path) { found.append(path) }
            } catch {
                guard let unreadable else { throw error }
                unreadable(path, error)
            }
        }
        return found
    }

    /// All levels, parents first, as paths below the account's directory.
    func levels(
        below path: String? = nil, unreadable: ((String, StoreError) -> Void)? = nil
    ) throws(StoreError) -> [String] {
        var found: [String] = []
        var open = [path.map { "\($0)/\(Self.below)" } ?? Self.below]
        while let parent = open.popLast() {
            do throws(StoreError) {
                for path in try directories(in: parent) {
                    found.append(path)
                    open.append("\(path)/\(Self.below)")
                }
            } catch {
                guard let unreadable else { throw error }
                unreadable(parent, error)
            }
        }
        return found
    }

    /// The paths of the non-hidden directories in `parent`; empty if it does not exist.
    private func directories(in parent: String) throws(StoreError) -> [String] {
        try entries(in: parent).map { "\(parent)/\($0)" }
    }

    /// The names of the non-hidden directories in `parent`; empty if it does not exist.
    func entries(in parent: String) throws(StoreError) -> [String] {
        var found: [String] = []
        var unknown: [String] = []
        do {
            try system.files.forEach(directory, parent) { name, kind in
                guard name.first != 0x2E else { return }
                switch kind {
                case .directory: found.append(String(decoding: name, as: UTF8.self))
                case .unknown: unknown.append(String(decoding: name, as: UTF8.self))
                case .file, .other: break
                }
            }
        } catch {
            if error.errno == .notFound { return [] }
            throw error
        }
        for name in unknown where try directoryStatus("\(parent)/\(name)") != nil { found.append(name) }
        return found
    }

    /// Whether anything exists below a level, even a directory that no mailbox name leads to.
    func hasBelow(_ path: String) throws(StoreError) -> Bool {
        try system.files.names(directory, "\(path)/\(Self.below)").contains { !$0.hasPrefix(".") }
    }

    static func parent(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    /// The mailbox at `path` if it is already open.
    func known(at path: String) -> Mailbox? {
        guard let status = try? system.status(directory, path),
            let known = open.withLock({ $0[status.identity]?.mailbox }), !known.isBroken, leads(path, to: known)
        else { return nil }
        return known
    }

    /// Whether the mailbox's directory at `path` still holds that mailbox: deleting one with others below it leaves the
    /// directory behind, and another mailbox may have been created there since.
    func leads(_ path: String, to mailbox: Mailbox) -> Bool {
        if options.readOnly { return true }
        let log = mailbox.state.withLock { $0.log }
        guard let now = try? system.status(root.descriptor, logPath(path)) else { return false }
        if now.identity == log.identity { return true }
        // Compacted or recovered by another process, or a different mailbox.
        return (try? LogFile.open(system, in: mailbox.directory, readOnly: true))?.openedHeader.mailboxID == mailbox.id
    }

    /// The id (RFC 8474) of a mailbox that need not be open; empty if it has none yet.
    func mailboxID(at path: String) -> String {
        if let known = known(at: path) { return known.id }
        guard let fd = try? system.openDirectory(directory, path) else { return "" }
        defer { system.close(fd) }
        if let log = try? LogFile.open(system, in: fd, readOnly: true) { return log.openedHeader.mailboxID }
        guard let bytes = try? files.read(MailboxStatus.fileName, in: fd) else { return "" }
        return (try? MailboxStatus(parsing: bytes))?.mailboxID ?? ""
    }

    private func place(at path: String) -> FileIdentity {
        (try? system.status(directory, path))?.identity ?? FileIdentity(device: 0, inode: 0)
    }

    /// Runs `body` with the mailboxes at `paths` locked exclusively, in the order of their ids. The account's lock is
    /// held, so each path leads to the same directory throughout.
    ///
    /// Takes one descriptor per mailbox and opens no mailbox, so a tree of hundreds can be locked.
    func treeLocked<R>(_ paths: [String], _ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        var held: [Int32] = []
        defer {
            for fd in held {
                system.unlock(fd)
                system.close(fd)
            }
        }
        let until = deadline
        let order = paths.map { (MailboxOrder(id: mailboxID(at: $0), place: place(at: $0)), $0) }
        for (_, path) in order.sorted(by: { $0.0 < $1.0 }) {
            let gate = try lockFile("\(path)/\(MailboxLocks.gateName)", until: until)
            defer {
                system.unlock(gate)
                system.close(gate)
            }
            held.append(try lockFile("\(path)/\(MailboxLocks.lockName)", until: until))
        }
        return try body()
    }

    private func lockFile(_ path: String, until deadline: Int64) throws(StoreError) -> Int32 {
        let fd = try doing("open \(path)") { () throws(Errno) in
            try system.open(directory, path, O_RDWR | O_CREAT | O_NOFOLLOW)
        }
        do throws(StoreError) {
            var pauses = LockPauses(until: deadline)
            while try !doing("lock \(path)", { () throws(Errno) in try system.tryLock(fd, exclusive: true) }) {
                guard pauses.pause() else { throw StoreError(.busy, "\(path) is held by another writer") }
            }
            return fd
        } catch {
            system.close(fd)
            throw error
        }
    }
}
