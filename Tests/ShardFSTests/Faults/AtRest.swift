import DurableFiles
import Glibc

@testable import ShardFS

/// The invariants of a store without writers: names, view, log and ledger agree.
struct AtRest {
    let store: Store
    let places: [Place]

    func violations() throws -> [String] {
        var wrong: [String] = []
        for place in places {
            guard let mailbox = try place.find(store) else { continue }
            wrong += try mailboxViolations(mailbox, "\(store.root)/\(path(place))").map { "\(place.key): \($0)" }
        }
        for address in Set(places.map(\.address)) { wrong += try quotaViolations(address) }
        return wrong
    }

    private func path(_ place: Place) throws -> String {
        "\(Store.path(try AccountAddress(parsing: place.address)))/\(try MailboxName(place.mailbox).relativePath)"
    }

    private func mailboxViolations(_ mailbox: Mailbox, _ path: String) throws -> [String] {
        // Taking the lock settles unfinished work of dead writers.
        try mailbox.locked(exclusive: true) { () throws(StoreError) in }
        let list = try mailbox.snapshot().messages
        var wrong: [String] = []
        var named: [UInt32: (flags: UInt64, size: Int64)] = [:]
        for shard in try DirectoryListing.names(SystemCalls(), AT_FDCWD, path) {
            guard let number = ShardName.parse(shard) else { continue }
            for name in try DirectoryListing.names(SystemCalls(), AT_FDCWD, "\(path)/\(shard)") {
                guard let parsed = MessageFileName.parse(name), parsed.isCanonical, parsed.uid / UID.perShard == number
                else {
                    wrong.append("\(shard)/\(name) is no message's name")
                    continue
                }
                if named[parsed.uid] != nil { wrong.append("UID \(parsed.uid) has two names") }
                let status = try SystemCalls().status(AT_FDCWD, "\(path)/\(shard)/\(name)")
                named[parsed.uid] = (parsed.flags.rawValue, status.size)
            }
        }
        if named.count != list.count { wrong.append("\(named.count) names, \(list.count) messages in the view") }
        list.forEach { entry in
            guard let name = named[entry.uid.rawValue] else {
                wrong.append("UID \(entry.uid) has no name")
                return
            }
            if name.flags != entry.flags.rawValue || name.size != Int64(entry.size) {
                wrong.append("UID \(entry.uid): the name says \(name), the view \(entry)")
            }
        }
        return wrong + (try logViolations(mailbox, list))
    }

    /// Checks that the log read from its beginning gives the same view, and that nothing in it is unfinished or wrong.
    private func logViolations(_ mailbox: Mailbox, _ list: MessageList) throws -> [String] {
        guard let log = try LogFile.open(SystemCalls(), in: mailbox.directory, readOnly: true) else {
            return ["there is no log"]
        }
        let size = try log.size()
        var wrong: [String] = []
        if LogFile.isTorn(size) { wrong.append("the log has a torn end") }
        let status = try mailbox.readStatus()
        var view = MailboxView(log.openedHeader, uidFloor: status.uidFloor)
        if try log.scan(from: 0, to: LogFile.records(in: size), { view.apply($0, at: $1) }) != .end {
            wrong.append("the log has a wrong record")
        }
        if !view.pending.isEmpty { wrong.append("the log has intents without a done") }
        if log.epoch != status.epoch { wrong.append("status.json and log are of different epochs") }
        if view.nextUID > status.uidCeiling || view.nextModSeq > status.modSeqCeiling {
            wrong.append("the log is past the ceilings")
        }
        var entries: [MessageEntry] = []
        list.forEach { entries.append($0) }
        var logged: [MessageEntry] = []
        view.list.forEach { logged.append($0) }
        if entries != logged { wrong.append("the log's messages are not the view's") }
        return wrong
    }

    private func quotaViolations(_ address: String) throws -> [String] {
        let account = try store.account(AccountAddress(parsing: address))
        var bytes: UInt64 = 0
        var messages: UInt64 = 0
        for path in try account.context.mailboxPaths() {
            try account.context.mailbox(path: path).snapshot().messages.forEach {
                bytes += UInt64($0.size)
                messages += 1
            }
        }
        let quota = try account.quota()
        if quota.bytes == bytes, quota.messages == messages { return [] }
        return ["\(address): the ledger says \(quota.bytes) in \(quota.messages), there are \(bytes) in \(messages)"]
    }

    /// Temporary files that an operation should have removed.
    func leftovers() -> [String] {
        DiskImage(of: store.root).listing().filter { line in
            line.contains(".tmp (") || line.contains("/.tmp/") || line.contains("/.new.") || line.contains("/.probe.")
        }
    }

    /// Descriptors of this process below a directory.
    static func openDescriptors(below path: String) -> [String] {
        ((try? DirectoryListing.names(SystemCalls(), AT_FDCWD, "/proc/self/fd")) ?? []).compactMap { fd in
            var target = [CChar](repeating: 0, count: 4096)
            guard readlink("/proc/self/fd/\(fd)", &target, 4095) > 0 else { return nil }
            let name = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return name.hasPrefix(path + "/") ? name : nil
        }
    }
}
