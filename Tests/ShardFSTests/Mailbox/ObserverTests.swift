import DurableFiles
import Glibc
import Primitives
import Testing

@testable import ShardFS

/// Observers of changes by others to a mailbox and to the tree, and the absence of costs without one.
@Suite(.serialized) struct ObserverTests {
    /// Counts calls, and waits for them.
    final class Counter: Sendable {
        private let count = Locked(0)
        var value: Int { count.withLock { $0 } }
        func add() { count.withLock { $0 += 1 } }

        func wait(for wanted: Int = 1) -> Bool {
            let end = Clocks.monotonic() + 60_000_000_000
            while value < wanted {
                if Clocks.monotonic() > end { return false }
                SystemCalls.pause(nanoseconds: 200_000)
            }
            return true
        }
    }

    private func inbox(of store: Store) throws -> Mailbox {
        try store.account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
    }

    enum Change: String, CaseIterable { case append, flags, expunge, compact, recover }

    /// The second store shares only the files with the first.
    @Test(arguments: Change.allCases) func aChangeByAnotherProcessIsReported(change: Change) throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        try inbox.append("one")
        let other = try self.inbox(of: TestStore.second(t))
        let counter = Counter()
        let observation = inbox.observe { counter.add() }
        #expect(inbox.isWatched)
        switch change {
        case .append: try other.append("two")
        case .flags: _ = try other.changeFlags([UID(1)], .add(.seen))
        case .expunge: _ = try other.remove([UID(1)])
        case .compact:
            try other.compact()
            #expect(counter.wait())
            _ = try inbox.snapshot()
            let before = counter.value
            try other.append("after")
            #expect(counter.wait(for: before + 1), "the new log is watched as well")
        case .recover:
            unlink(try t.directory() + "/changes.log")
            _ = try self.inbox(of: TestStore.second(t)).append("after")
        }
        #expect(counter.wait())
        #expect(try inbox.snapshot().messages.count == other.snapshot().messages.count)
        observation.cancel()
        #expect(!inbox.isWatched)
    }

    @Test func aDeletionAndARenameByAnotherProcessAreReported() throws {
        let t = try TestStore()
        for name in ["Deleted", "Renamed"] {
            let mailbox = try t.mailbox(name)
            let other = try TestStore.second(t).account(AccountAddress(parsing: "alice@example.com"))
            let counter = Counter()
            let observation = mailbox.observe { counter.add() }
            if name == "Deleted" {
                try other.delete(MailboxName(name))
            } else {
                try other.rename(MailboxName(name), to: MailboxName("Other"))
            }
            #expect(counter.wait())
            do throws(StoreError) {
                _ = try mailbox.snapshot()
                Issue.record("\(name) is still there")
            } catch {
                #expect(error.code == .gone)
            }
            observation.cancel()
        }
    }

    @Test func manyObserversOneWatchAndNoneWhenTheyLeave() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let other = try self.inbox(of: TestStore.second(t))
        let counters = (0..<3).map { _ in Counter() }
        let observations = counters.map { counter in inbox.observe { counter.add() } }
        observations[0].cancel()
        #expect(inbox.isWatched)
        try other.append("x")
        #expect(counters[1].wait() && counters[2].wait())
        #expect(counters[0].value == 0)
        observations[1].cancel()
        observations[2].cancel()
        #expect(!inbox.isWatched)
        // The thread may be exiting: a new observer is served all the same.
        for _ in 0..<50 {
            let counter = Counter()
            let observation = inbox.observe { counter.add() }
            try other.append("y")
            #expect(counter.wait())
            observation.cancel()
        }
    }

    /// The writer applies its own write: the watch finds nothing to do.
    @Test func onesOwnWritesAreReportedOnce() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let counter = Counter()
        let observation = inbox.observe { counter.add() }
        for i in 1...20 { try inbox.append("\(i)") }
        let reported = counter.value
        // After everything before.
        let other = try self.inbox(of: TestStore.second(t))
        try other.append("last")
        #expect(counter.wait(for: reported + 1))
        #expect(counter.value <= reported + 2, "\(counter.value) after \(reported)")
        observation.cancel()
    }

    private struct NoWatches: SystemHook {
        func before(_ call: SystemCall) -> Errno? { if case .watch = call { .noSpace } else { nil } }
    }

    @Test func withoutWatchesObserversAreReportedOfThisProcess() throws {
        var options = StoreOptions()
        options.hook = NoWatches()
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        let counter = Counter()
        let observation = inbox.observe { counter.add() }
        #expect(!inbox.isWatched)
        try inbox.append("x")
        #expect(counter.value > 0)
        let other = try self.inbox(of: TestStore.second(t))
        try other.append("y")
        let before = counter.value
        try inbox.refresh()
        #expect(counter.value > before)
        observation.cancel()
    }

    // MARK: tokens

    enum End: String, CaseIterable { case cancelled, cancelledTwice, dropped }

    @Test(arguments: End.allCases) func anObservationEndsWithItsToken(end: End) throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let account = try t.account()
        let (messages, tree) = (Counter(), Counter())
        var observations: [Observation] = [inbox.observe { messages.add() }, account.observe { _ in tree.add() }]
        try inbox.append("one")
        try account.create(MailboxName("A"))
        let before = (messages.value, tree.value)
        #expect(before.0 > 0 && before.1 > 0 && inbox.isWatched)
        switch end {
        case .cancelled: for observation in observations { observation.cancel() }
        case .cancelledTwice: for observation in observations + observations { observation.cancel() }
        case .dropped: observations = []
        }
        #expect(!inbox.isWatched)
        try inbox.append("two")
        try account.create(MailboxName("B"))
        #expect((messages.value, tree.value) == before)
        withExtendedLifetime(observations) {}
        t.check()
    }

    /// Only the token holds the mailbox.
    @Test func aTokenKeepsItsMailboxOpen() throws {
        let t = try TestStore()
        _ = try t.mailbox()
        let counter = Counter()
        var observation: Observation? = try inbox(of: t.store).observe { counter.add() }
        try inbox(of: TestStore.second(t)).append("x")
        #expect(counter.wait())
        observation?.cancel()
        observation = nil
        t.check()
    }

    // MARK: the tree

    @Test func theTreeTellsOfThisProcessAtOnceAndOfOthersByItsAge() throws {
        let t = try TestStore()
        let account = try t.account()
        try account.create(.inbox)
        let counter = Counter()
        let observation = account.observe { event in if event == .tree { counter.add() } }
        func names() throws -> [String] {
            try account.tree(maximumAge: 3_600_000_000_000).levels.map(\.listing.name.description)
        }
        #expect(try names() == ["INBOX"])
        try account.create(MailboxName("A"))
        #expect(try names() == ["INBOX", "A"])
        let before = try account.tree(maximumAge: 0).levels.last?.identity
        try account.rename(MailboxName("A"), to: MailboxName("B"))
        #expect(try account.tree(maximumAge: .max).levels.last?.identity == before)
        try account.delete(MailboxName("B"))
        #expect(counter.value == 3)
        try account.subscribe(MailboxName("C"))
        try account.subscribe(MailboxName("C"))
        #expect(counter.value == 4)
        #expect(try account.tree(maximumAge: .max).subscriptions.contains(MailboxName("C")))
        let other = try TestStore.second(t).account(AccountAddress(parsing: "alice@example.com"))
        try other.create(MailboxName("D"))
        #expect(try names() == ["INBOX"])
        #expect(try account.tree(maximumAge: 0).levels.count == 2)
        observation.cancel()
    }
}
