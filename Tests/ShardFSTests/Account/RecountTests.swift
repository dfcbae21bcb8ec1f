import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// The count of an account's messages, when the ledger does not know it.
@Suite struct RecountTests {
    private static func limit(_ t: TestStore, _ user: String = #"{"quota_mb": 1}"#) throws {
        try CopiedDirectoryTests.write(
            Array(user.utf8), "\(t.path)/\(Store.path(try AccountAddress(parsing: "alice@example.com")))/user.json")
    }

    /// The ledger's numbers and whether they are exact, without a recount.
    private static func ledger(_ account: Account) throws -> QuotaLedger.Usage { try account.context.ledger.usage() }

    /// Another process's account.
    private static func other(_ t: TestStore, _ hook: (any SystemHook)? = nil, lockWait: Double = 10) throws -> Account
    {
        var options = t.options
        options.hook = hook
        options.lockWait = lockWait
        return try Store.open(t.path, options: options).account(AccountAddress(parsing: "alice@example.com"))
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
        // Neither can be read, so that it cannot be opened.
        let bad = try t.directory("Bad")
        let files = [MailboxStatus.fileName, LogFile.fileName]
        for name in files {
            unlink("\(bad)/\(name)")
            mkdir("\(bad)/\(name)", 0o700)
        }
        try t.reopen { $0.bootID = "boot-2" }
        #expect(throws: StoreError.self) { try t.mailbox("Bad") }
        try t.mailbox().append("more")
        // Its names can be counted.
        let used = try t.account().quota()
        #expect(used.bytes == 13 && used.messages == 3)
        #expect(notices.withLock { $0.contains { $0.contains("Bad") } })
        // Once it can be opened, it is recovered.
        for name in files { rmdir("\(bad)/\(name)") }
        try t.reopen()
        #expect(try t.mailbox("Bad").contents().count == 1)
        #expect(try t.account().quota().messages == 3)
        t.check()
    }

    /// What cannot be read at all leaves an estimate, is named in the log, and ends neither mail nor upkeep.
    @Test func unreadableMailboxEndsNothing() throws {
        let notices = Locked<[String]>([])
        let hook = Unreadable("mailboxes/Bad")
        var options = StoreOptions()
        options.bootID = "boot-1"
        options.hook = hook
        options.expungeRetentionHours = 0
        options.notice = { text in notices.withLock { $0.append(text) } }
        let t = try TestStore(options)
        for name in ["Bad", "Good"] {
            let mailbox = try t.mailbox(name)
            try mailbox.append("gone")
            try mailbox.append("kept")
            _ = try mailbox.remove([UID(1)])
        }
        try Self.limit(t, #"{"quota_messages": 3}"#)
        try t.reopen { $0.bootID = "boot-2" }
        hook.isOn.withLock { $0 = true }
        let inbox = try t.mailbox()
        try inbox.append("new")
        let account = try t.account()
        #expect(try !Self.ledger(account).isExact)
        #expect(notices.withLock { $0.contains { $0.contains("not exact") && $0.contains("Bad") } })
        // The estimate is the limit's measure, and is taken once.
        try inbox.append("another")
        let before = notices.withLock { $0.count }
        #expect(throws: StoreError(.overQuota, "")) { try inbox.append("too many") }
        #expect(try account.quota().messages == 3)
        #expect(notices.withLock { $0.count } == before)

        try t.reopen { $0.clock = { Clocks.wall() + 7200 } }
        try t.account().maintain()
        #expect(try t.mailbox("Good").recoverableMessages().isEmpty)
        #expect(notices.withLock { $0.contains { $0.contains("purge") && $0.contains("Bad") } })
        hook.isOn.withLock { $0 = false }
        #expect(try t.mailbox("Bad").recoverableMessages().count == 1)
        try Self.limit(t, "{}")
        try t.reopen()
        #expect(try t.account().quota().messages == 4)
        t.check()
    }

    @Test func fewDescriptorsForManyMailboxes() throws {
        let counter = DescriptorCounter()
        var options = StoreOptions()
        options.hook = counter
        options.durability = .none
        options.bootID = "boot-1"
        let t = try TestStore(options)
        let account = try t.account()
        for n in 0..<150 {
            let name = try MailboxName("box\(n)")
            try account.create(name)
            if n % 10 == 0 { try account.mailbox(name).append("text \(n)") }
        }
        // After a restart every mailbox is recovered for it; then their logs are enough.
        for boot in ["boot-2", "boot-2"] {
            try t.reopen { $0.bootID = boot }
            let again = try t.account()
            try again.context.ledger.markRecount()
            counter.start()
            try again.context.recountQuota()
            #expect(counter.highest <= 12, "\(counter.highest) descriptors")
            #expect(try Self.ledger(again) == QuotaLedger.Usage(bytes: 109, messages: 15, isExact: true))
        }
        t.check()
    }

    /// A message comes and one goes in mailboxes that have been counted already, and a mailbox is made.
    @Test func changesMeanwhileAreCounted() throws {
        let t = try TestStore()
        let (a, b) = (try t.mailbox("A"), try t.mailbox("B"))
        try a.append("one")
        try b.append("second")
        let hook = AtAccountLock()
        let account = try Self.other(t, hook)
        try account.context.ledger.markRecount()
        let alice = try t.account()
        hook.action.withLock {
            $0 = {
                hook.action.withLock { $0 = nil }
                _ = try? a.append("another")
                _ = try? b.remove([UID(1)])
                guard let name = try? MailboxName("C") else { return }
                try? alice.create(name)
                _ = try? alice.mailbox(name).append("in a new one")
            }
        }
        try account.context.recountQuota()
        #expect(hook.action.withLock { $0 == nil })
        let bytes = "one".utf8.count + "another".utf8.count + "in a new one".utf8.count
        #expect(try Self.ledger(account) == QuotaLedger.Usage(bytes: UInt64(bytes), messages: 3, isExact: true))
        t.check()
    }

    /// Mailboxes that change in every round are locked in the end. Where they are too many, the ledger has an estimate
    /// and says so.
    @Test(arguments: [8, 20]) func mailboxesThatKeepChanging(_ count: Int) throws {
        var options = StoreOptions()
        options.durability = .none
        let t = try TestStore(options)
        let mailboxes = try (0..<count).map { try t.mailbox("box\($0)") }
        let hook = AtAccountLock()
        let account = try Self.other(t, hook)
        try account.context.ledger.markRecount()
        hook.action.withLock { $0 = { for mailbox in mailboxes { _ = try? mailbox.append("x") } } }
        try account.context.recountQuota()
        hook.action.withLock { $0 = nil }
        let there = try mailboxes.reduce(0) { try $0 + $1.contents().count }
        let usage = try Self.ledger(account)
        #expect(usage.isExact == (count <= 16))
        if usage.isExact { #expect(usage.messages == UInt64(there)) }
        #expect(try Self.other(t).quota().messages == UInt64(there))
        t.check()
    }

    /// One process finds that a message was taken away by hand: a recount by another that does not know yet must not end
    /// between the mark in the ledger and the record in the log.
    @Test func recountBetweenMarkAndRecord() throws {
        let t = try TestStore()
        let mailbox = try t.mailbox("A")
        try mailbox.append("taken away")
        try mailbox.append("kept")
        #expect(unlink("\(try t.directory("A"))/\(ShardName.string(0))/\(MessageFileName.string(UID(1), []))") == 0)
        let unaware = try Self.other(t, lockWait: 0.1)
        // Kept open, with both messages as in the log.
        let view = try t.account().context
        let hook = AtLogWrite()
        let finder = try Self.other(t, hook)
        let results = Locked<[Bool]>([])
        hook.action.withLock {
            $0 = {
                guard (try? Self.ledger(unaware))?.isExact != true else { return }
                let isDone = (try? unaware.context.recountQuota()) != nil
                results.withLock { $0.append(isDone) }
            }
        }
        #expect(try finder.mailbox(MailboxName("A")).contents().count == 1)
        hook.action.withLock { $0 = nil }
        withExtendedLifetime(view) {}
        let used = try Self.other(t).quota()
        #expect(used.messages == 1 && used.bytes == 4, "\(results.withLock { $0 })")
        t.check()
    }
}

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

/// Does something each time just before the account's lock is taken.
private final class AtAccountLock: SystemHook {
    let action = Locked<(@Sendable () -> Void)?>(nil)

    func before(_ call: SystemCall) -> Errno? {
        guard case .open(_, UIDValidityCounter.lockName, _) = call else { return nil }
        action.withLock { $0 }?()
        return nil
    }
}

/// Does something each time before records are written to a log.
private final class AtLogWrite: SystemHook {
    let action = Locked<(@Sendable () -> Void)?>(nil)

    func before(_ call: SystemCall) -> Errno? {
        guard case .write(_, let bytes) = call, bytes.count == LogRecord.size else { return nil }
        action.withLock { $0 }?()
        return nil
    }
}

/// A device that cannot read what is below a path.
private final class Unreadable: SystemHook {
    let isOn = Locked(false)
    private let path: String

    init(_ path: String) { self.path = path }

    func before(_ call: SystemCall) -> Errno? {
        guard isOn.withLock({ $0 }) else { return nil }
        switch call {
        case .open(_, let path, _), .statusAt(_, let path): return path.contains(self.path + "/") ? .io : nil
        default: return nil
        }
    }
}
