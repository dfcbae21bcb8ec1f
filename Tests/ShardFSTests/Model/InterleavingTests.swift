import DurableFiles
import Glibc
import Primitives
import Testing

@testable import ShardFS

/// Two writers at chosen moments: each test sets up one order of events that random runs rarely meet.
@Suite struct InterleavingTests {
    /// Runs `body` once, before the first system call for which `when` is true.
    final class Interrupt: SystemHook {
        private struct State {
            var armed: ((SystemCall) -> Bool, () throws -> Void)?
            var failure: (any Error)?
        }
        private let state = Locked(State())

        func arm(_ when: @escaping @Sendable (SystemCall) -> Bool, _ body: @escaping @Sendable () throws -> Void) {
            state.withLock { $0.armed = (when, body) }
        }

        func before(_ call: SystemCall) -> Errno? {
            let body = state.withLock { s -> (() throws -> Void)? in
                guard let (when, body) = s.armed, when(call) else { return nil }
                s.armed = nil
                return body
            }
            do { try body?() } catch { state.withLock { $0.failure = error } }
            return nil
        }

        /// Checks that the body ran, and throws its error.
        func check() throws {
            #expect(state.withLock { $0.armed == nil })
            if let failure = state.withLock({ $0.failure }) { throw failure }
        }
    }

    private static func isSync(_ call: SystemCall) -> Bool { if case .sync = call { true } else { false } }
    private static func isLock(_ call: SystemCall) -> Bool { if case .lock = call { true } else { false } }

    private static func store() throws -> (TestStore, Interrupt, Store) {
        let interrupt = Interrupt()
        var options = StoreOptions()
        options.hook = interrupt
        let t = try TestStore(options)
        for name in ["INBOX", "Other"] { _ = try t.mailbox(name) }
        _ = try t.account().quota()
        return (t, interrupt, try Store.open(t.path))
    }

    private static func mailbox(_ store: Store, _ name: String = "INBOX") throws -> Mailbox {
        try store.account(AccountAddress(parsing: "alice@example.com")).mailbox(MailboxName(name))
    }

    @Test func highestModSeqSurvivesCompactionAfterASet() throws {
        let (t, _, other) = try Self.store()
        let inbox = try t.mailbox()
        let set = try (0..<2).map { _ in (message: try inbox.finished(""), flags: MessageFlags()) }
        _ = try inbox.append(set)
        let before = try inbox.snapshot().highestModSeq
        try inbox.compact()
        #expect(try inbox.snapshot().highestModSeq >= before)
        #expect(try Self.mailbox(other).snapshot().highestModSeq >= before)
        t.check()
    }

    /// Changes message 1 twice; returns the first change's done record, which is not in the log yet.
    private static func race(_ hands: Hands) throws -> LogRecord {
        var first = LogRecord(.flags, done: false, uid: 1, token: 11)
        var second = LogRecord(.flags, done: false, uid: 1, token: 12)
        try hands.log(first)
        try hands.log(second)
        // The first renames to F, the second to FS; the second writes its done record first.
        try hands.rename("0000/00000001_.eml", "0000/00000001_FS.eml")
        (second.isDone, second.flags) = (true, [.flagged, .seen])
        try hands.log(second)
        (first.isDone, first.flags) = (true, .flagged)
        return first
    }

    /// Two changes of one message whose done records come in the opposite order of their renames, the second one
    /// written while the log is compacted: the name also decides in the new log.
    @Test func compactionBetweenRacingFlags() throws {
        let (t, interrupt, other) = try Self.store()
        let inbox = try t.mailbox()
        try inbox.append("x")
        let hands = Hands(at: try t.directory())
        let first = try Self.race(hands)
        interrupt.arm(Self.isSync) { try hands.log(first) }
        try inbox.compact()
        try interrupt.check()
        #expect(try inbox.contents() == ["1:FS"])
        #expect(try Self.mailbox(other).contents() == ["1:FS"])
        t.check()
    }

    /// The same without a compaction, for a reader that finds the log replaced.
    @Test func racingFlagsInALogThatWasReplaced() throws {
        let (t, _, other) = try Self.store()
        let inbox = try t.mailbox()
        try inbox.append("x")
        let reader = try Self.mailbox(other)
        try inbox.compact()
        let hands = Hands(at: try t.directory())
        let first = try Self.race(hands)
        try hands.log(first)
        #expect(try reader.contents() == ["1:FS"])
        #expect(try inbox.contents() == ["1:FS"])
    }

    /// A set of which a compaction saw only some records: a reader without a lock may see any prefix of a write.
    @Test func compactionInTheMiddleOfASet() throws {
        let (t, interrupt, other) = try Self.store()
        let inbox = try t.mailbox()
        try inbox.append("x")
        let hands = Hands(at: try t.directory())
        try hands.log(LogRecord(.set, done: false, uid: 2, token: 11, size: 2))
        for uid in [2, 3] as [UInt32] {
            try hands.write("y", to: "0000/0000000\(uid)_.eml")
            try hands.log(LogRecord(.append, done: true, uid: uid, token: 11, size: 1))
        }
        interrupt.arm(Self.isSync) { try hands.log(LogRecord(.set, done: true, uid: 2, token: 11, size: 2)) }
        try inbox.compact()
        try interrupt.check()
        try t.account().context.ledger.markRecount()
        t.check()
        #expect(try inbox.contents() == ["1:", "2:", "3:"])
        #expect(try Self.mailbox(other).contents() == ["1:", "2:", "3:"])
    }

    enum Transfer: CaseIterable { case copy, move }

    /// A message gets a keyword between the reading of its flags and the lock.
    @Test(arguments: Transfer.allCases) func keywordSetWhileAMessageIsTransferred(_ transfer: Transfer) throws {
        let (t, interrupt, other) = try Self.store()
        let inbox = try t.mailbox()
        let target = try t.mailbox("Other")
        // So that the keywords' letters differ.
        _ = try target.keywords(["Green"], create: true)
        try inbox.append("x")
        let beside = try Self.mailbox(other)
        interrupt.arm(Self.isLock) {
            _ = try beside.changeFlags([UID(1)], .add(try beside.keywords(["Red"], create: true)))
        }
        switch transfer {
        case .copy: _ = try inbox.copy([UID(1)], to: target)
        case .move: _ = try inbox.move([UID(1)], to: target)
        }
        try interrupt.check()
        let there = try target.snapshot()
        #expect(there.messages.first.map { there.keywords.names(in: $0.flags) } == ["Red"])
        t.check()
    }

    /// A move within one mailbox is a single change too: a concurrent removal comes first or last.
    @Test func removalBesideAMoveWithinOneMailbox() throws {
        let (t, interrupt, _) = try Self.store()
        let inbox = try t.mailbox()
        try inbox.append("x", .flagged)
        let path = t.path
        // The first sync is that of the copy's names or of the move's.
        let removed = Locked<[UID]>([])
        interrupt.arm(Self.isSync) {
            // It does not wait: inside the lock the removal cannot run, which is correct too.
            var options = StoreOptions()
            options.lockWait = 0
            let hurried = try Self.mailbox(Store.open(path, options: options))
            let uids = (try? hurried.remove([UID(1)])) ?? []
            removed.withLock { $0 = uids }
        }
        let moved = try inbox.move([UID(1)], to: inbox)
        try interrupt.check()
        #expect(removed.withLock { $0.count } + moved.copied.count == 1)
        #expect(try inbox.snapshot().messages.count == moved.copied.count)
        t.check()
    }

    /// A shard directory removed as empty by another process while this one has it open.
    @Test func readInAShardThatWasRemoved() throws {
        let t = try TestStore()
        try t.mailbox().append("old")
        // After a restart, UIDs continue in the next shard.
        try t.reopen { $0.bootID = "another" }
        let inbox = try t.mailbox()
        #expect(try inbox.append("new").shard > 0)
        let reader = try Self.mailbox(Store.open(t.path, options: t.options))
        #expect(try reader.text(UID(1)) == "old")
        _ = try inbox.remove([UID(1)])
        #expect(throws: Errno.notFound) {
            try SystemCalls().status(SystemCalls.currentDirectory, "\(t.directory())/0000")
        }
        #expect(try reader.text(UID(1)) == "old", "it waits in .expunged/")
        #expect(throws: StoreError(.notFound, "")) { try reader.open(UID(2)) }
        #expect(try reader.changeFlags([UID(1)], .add(.seen)).missing == [UID(1)])
        t.check()
    }

    /// Two processes undelete one message; the first is done before the second has its lock.
    @Test func undeleteOfWhatIsBack() throws {
        let (t, interrupt, other) = try Self.store()
        let inbox = try t.mailbox()
        try inbox.append("x")
        _ = try inbox.remove([UID(1)])
        let one = try inbox.recoverableMessages()[0]
        let beside = try Self.mailbox(other)
        interrupt.arm(Self.isLock) { _ = try beside.undelete(one) }
        #expect(throws: StoreError(.notFound, "")) { try inbox.undelete(one) }
        try interrupt.check()
        #expect(try inbox.snapshot().messages.count == 1)
        #expect(try t.account().quota().messages == 1)
        t.check()
    }

    /// Names that cannot be moved to `.expunged/` stay, and no record claims that they are gone.
    @Test func expungeThatFindsNoPlace() throws {
        final class NoRename: SystemHook {
            func before(_ call: SystemCall) -> Errno? {
                if case .rename(_, _, _, let to) = call, to.utf8.filter({ $0 == 0x2E }).count == 2 { return .notFound }
                return nil
            }
        }
        var options = StoreOptions()
        options.hook = NoRename()
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        try inbox.append("x")
        #expect(throws: StoreError.self) { try inbox.remove([UID(1)]) }
        #expect(try inbox.contents() == ["1:"])
        t.check()
    }

    /// A move to another account writes its intent before the quota reservation, so that a writer killed at any moment
    /// leaves no reservation without an intent.
    @Test func intentsBeforeTheReservation() throws {
        let (t, interrupt, _) = try Self.store()
        let target = try t.mailbox("INBOX", of: "bob@example.com")
        _ = try t.account("bob@example.com").quota()
        let inbox = try t.mailbox()
        try inbox.append("x")
        let records = try target.state.withLock { $0.log }.size()
        let sizes = Locked<[Int64]>([])
        interrupt.arm(
            { call in
                if case .writeAt(_, let bytes, _) = call { return bytes.starts(with: Array("quota".utf8)) }
                return false
            },
            { sizes.withLock { $0.append((try? target.state.withLock { $0.log }.size()) ?? 0) } })
        _ = try inbox.move([UID(1)], to: target)
        try interrupt.check()
        #expect(sizes.withLock { $0 } == [records + Int64(LogRecord.size)])
        t.check()
    }
}
