import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// Counts the descriptors that are open at once.
private final class DescriptorCounter: SystemHook {
    let counts = Locked((open: 0, highest: 0))

    func before(_ call: SystemCall) -> Errno? { nil }
    func after(_ call: SystemCall, result: Int) {
        counts.withLock { counts in
            switch call {
            case .open, .openUnnamed: counts.open += 1
            case .close: counts.open -= 1
            default: break
            }
            counts.highest = max(counts.highest, counts.open)
        }
    }

    func start() { counts.withLock { $0 = (0, 0) } }
    var highest: Int { counts.withLock { $0.highest } }
}

/// The count of an account's messages, when the ledger does not know it.
@Suite struct RecountTests {
    private static let limited = Array(#"{"quota_mb": 1}"#.utf8)

    private static func limit(_ t: TestStore) throws {
        try CopiedDirectoryTests.write(
            limited, "\(t.path)/\(Store.path(try AccountAddress(parsing: "alice@example.com")))/user.json")
    }

    @Test func mailboxThatCannotBeOpenedRefusesNoMail() throws {
        let notices = Locked<[String]>([])
        var options = StoreOptions()
        options.bootID = "boot-1"
        options.notice = { text in notices.withLock { $0.append(text) } }
        let t = try TestStore(options)
        try t.mailbox("Bad").append("five!")
        try t.mailbox().append("four")
        try Self.limit(t)
        // A shard and both files are no files and no directories that can be read.
        let bad = try t.directory("Bad")
        for name in [MailboxStatus.fileName, LogFile.fileName] {
            unlink("\(bad)/\(name)")
            mkdir("\(bad)/\(name)", 0o700)
        }
        try t.reopen { $0.bootID = "boot-2" }
        #expect(throws: StoreError.self) { try t.mailbox("Bad") }
        try t.mailbox().append("more")
        // What can be counted is: its message too.
        let used = try t.account().quota()
        #expect(used.bytes == 13 && used.messages == 3)
        // Nor does it end the upkeep of the others.
        mkdir("\(bad)/.expunged", 0o700)
        mkdir("\(bad)/.expunged/2000010100", 0o700)
        try t.mailbox().remove([UID(1)])
        #expect(try t.account().purgeExpunged() == 0)
        #expect(notices.withLock { $0.contains { $0.contains("Bad") } })
    }

    @Test func fewDescriptorsForManyMailboxes() throws {
        let counter = DescriptorCounter()
        var options = StoreOptions()
        options.hook = counter
        options.durability = .none
        let t = try TestStore(options)
        let account = try t.account()
        for n in 0..<150 {
            let name = try MailboxName("box\(n)")
            try account.create(name)
            if n % 10 == 0 { try account.mailbox(name).append("text \(n)") }
        }
        try t.reopen()
        try Self.limit(t)
        let again = try t.account()
        try again.context.ledger.markRecount()
        counter.start()
        try again.context.recountQuota()
        #expect(counter.highest <= 12, "\(counter.highest) descriptors")
        #expect(try again.quota().messages == 15)
        t.check()
    }

    /// A message comes and one goes in mailboxes that have been counted already, and a mailbox is made.
    @Test func changesMeanwhileAreCounted() throws {
        let t = try TestStore()
        let (a, b) = (try t.mailbox("A"), try t.mailbox("B"))
        try a.append("one")
        try b.append("second")
        let hook = AtLedger()
        var options = t.options
        options.hook = hook
        let account = try Store.open(t.path, options: options).account(AccountAddress(parsing: "alice@example.com"))
        try account.context.ledger.markRecount()
        let alice = try t.account()
        hook.action.withLock {
            $0 = {
                _ = try? a.append("another")
                _ = try? b.remove([UID(1)])
                guard let name = try? MailboxName("C") else { return }
                try? alice.create(name)
                _ = try? alice.mailbox(name).append("in a new one")
            }
        }
        try account.context.recountQuota()
        #expect(hook.action.withLock { $0 == nil })
        let used = try account.quota()
        #expect(used.messages == 3)
        #expect(used.bytes == UInt64("one".utf8.count + "another".utf8.count + "in a new one".utf8.count))
        t.check()
    }
}

/// Does something once, just before the account's lock is taken.
private final class AtLedger: SystemHook {
    let action = Locked<(@Sendable () -> Void)?>(nil)

    func before(_ call: SystemCall) -> Errno? {
        guard case .open(_, UIDValidityCounter.lockName, _) = call else { return nil }
        action.withLock { action in
            defer { action = nil }
            return action
        }?()
        return nil
    }
}
