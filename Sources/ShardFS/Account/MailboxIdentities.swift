import DurableFiles
import Primitives

/// The ids and UIDVALIDITYs of the mailboxes of an account, deleted ones included, as their files say.
struct MailboxIdentities: Sendable {
    var ids: Set<String> = []
    var validities: Set<UInt32> = []
    /// 0 for none.
    var highest: UInt32 { validities.max() ?? 0 }

    fileprivate mutating func add(_ id: String, _ validity: UInt32) {
        if !id.isEmpty { ids.insert(id) }
        validities.insert(validity)
    }
}

extension AccountContext {
    /// How long a look at all mailboxes is good for: a store of thousands may have to recover each of them.
    private static let lookLasts: Int64 = 10_000_000_000

    /// Those of all mailboxes but the one in `directory`.
    func identities(besides directory: Int32?) throws(StoreError) -> MailboxIdentities {
        var own: FileIdentity?
        if let directory {
            own = try doing("stat a mailbox") { () throws(Errno) in try system.status(directory).identity }
        }
        let now = Clocks.monotonic()
        if let known = allIdentities.withLock({ $0 }), own != nil, now < known.at + Self.lookLasts {
            return Self.joined(known.mailboxes, besides: own)
        }
        let mailboxes = try lookAtIdentities()
        allIdentities.withLock { $0 = (now, mailboxes) }
        return Self.joined(mailboxes, besides: own)
    }

    private static func joined(
        _ mailboxes: [FileIdentity: MailboxIdentities], besides own: FileIdentity?
    ) -> MailboxIdentities {
        mailboxes.reduce(into: MailboxIdentities()) { all, mailbox in
            if mailbox.key == own { return }
            all.ids.formUnion(mailbox.value.ids)
            all.validities.formUnion(mailbox.value.validities)
        }
    }

    private func lookAtIdentities() throws(StoreError) -> [FileIdentity: MailboxIdentities] {
        // Levels whose deletion was interrupted may still have status.json.
        var paths = try levels()
        for name in try system.files.names(directory, Self.deletedDirectory) {
            paths.append("\(Self.deletedDirectory)/\(name)")
        }
        var found: [FileIdentity: MailboxIdentities] = [:]
        for path in paths {
            let fd: Int32
            do { fd = try system.openDirectory(directory, path) } catch .notFound { continue } catch .notDirectory {
                continue
            } catch {
                throw StoreError.system(error, "open \(path)")
            }
            defer { system.close(fd) }
            var mailbox = MailboxIdentities()
            // Invalid contents have no value; a file that cannot be read may have the highest.
            do {
                if let header = try LogFile.open(system, in: fd, readOnly: true)?.openedHeader {
                    mailbox.add(header.mailboxID, header.uidValidity)
                }
            } catch {
                if error.code != .damaged { throw error }
            }
            do {
                if let bytes = try files.read(MailboxStatus.fileName, in: fd) {
                    let status = try MailboxStatus(parsing: bytes)
                    mailbox.add(status.mailboxID, status.uidValidity)
                }
            } catch {
                if error.code != .damaged { throw error }
            }
            let identity = try doing("stat \(path)") { () throws(Errno) in try system.status(fd).identity }
            found[identity] = mailbox
        }
        return found
    }
}
