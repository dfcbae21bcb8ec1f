import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// What an event loop does by itself: reading what is in memory, and changing the flags of a few messages.
@Suite struct InlineTests {
    private static let flagged = FlagChange.add(.flagged)

    private func attempt<R>(_ body: () throws(StoreError) -> R) -> Result<R, StoreError>? { Waiting.attempt(body) }

    @Test func openMailboxIsRead() throws {
        let t = try TestStore()
        let mailbox = try t.mailbox()
        let uid = try mailbox.append("hello")
        _ = try mailbox.snapshot()
        let account = try t.account()
        let found = attempt { () throws(StoreError) in
            (try account.mailbox(.inbox).snapshot().messages.count, try mailbox.open(uid).read())
        }
        let (count, bytes) = try #require(try found?.get())
        #expect(count == 1 && String(decoding: bytes, as: UTF8.self) == "hello")
        t.check()
    }

    /// Opening reads the whole log, or lists the shards.
    @Test func closedMailboxIsNotOpened() throws {
        let t = try TestStore()
        try t.mailbox().append("hello")
        try t.reopen()
        let account = try t.account()
        #expect(attempt { () throws(StoreError) in try account.mailbox(.inbox) } == nil)
        #expect(try account.mailbox(.inbox).snapshot().messages.count == 1)
        t.check()
    }

    @Test func flagsAreChanged() throws {
        let t = try TestStore()
        let mailbox = try t.mailbox()
        let uid = try mailbox.append("hello")
        try mailbox.append("there")
        // The first change opens the files of the lock.
        _ = try mailbox.changeFlags([uid], .add(.seen))
        let result = attempt { () throws(StoreError) in try mailbox.changeFlags([uid], Self.flagged) }
        #expect(try result?.get().changed.count == 1)
        #expect(try mailbox.contents() == ["1:FS", "2:"])
        let both = attempt { () throws(StoreError) in try mailbox.changeFlags([UID(1), UID(2)], .add(.draft)) }
        #expect(try both?.get().changed.count == 2)
        #expect(try mailbox.contents() == ["1:FST", "2:T"])
        #expect(try TestStore.second(t).account(t.account().address).mailbox(.inbox).contents() == ["1:FST", "2:T"])
        t.check()
    }

    @Test func lockHeldByOthersIsNotWaitedFor() throws {
        let t = try TestStore()
        let mailbox = try t.mailbox()
        let uid = try mailbox.append("hello")
        let directory = try t.directory()
        for name in [MailboxLocks.gateName, MailboxLocks.lockName] {
            let fd = open("\(directory)/\(name)", O_RDWR)
            #expect(try SystemCalls().tryLock(fd, exclusive: true))
            let start = Clocks.monotonic()
            #expect(attempt { () throws(StoreError) in try mailbox.changeFlags([uid], Self.flagged) } == nil)
            // Much less than the ten seconds that others wait.
            #expect(Clocks.monotonic() - start < 5_000_000_000)
            close(fd)
        }
        #expect(try mailbox.contents() == ["1:"])
        _ = try mailbox.changeFlags([uid], Self.flagged)
        t.check()
    }

    @Test func whatIsSyncedOrTidiedUpIsLeftToOthers() throws {
        var options = StoreOptions()
        options.durability = .full
        let t = try TestStore(options)
        let synced = try t.mailbox()
        let uid = try synced.append("hello")
        #expect(attempt { () throws(StoreError) in try synced.changeFlags([uid], Self.flagged) } == nil)
        try t.reopen { $0.durability = .messages }
        let mailbox = try t.mailbox()
        _ = try mailbox.changeFlags([uid], .add(.seen))
        var changes = 0
        var refused = 0
        // The log is compacted on the way, which is never done here.
        while mailbox.state.withLock({ $0.replacedLogs }) == 0, changes < 20_000 {
            let change = changes % 2 == 0 ? FlagChange.add(.draft) : .remove(.draft)
            if attempt({ () throws(StoreError) in try mailbox.changeFlags([uid], change) }) == nil {
                refused += 1
                _ = try mailbox.changeFlags([uid], change)
            }
            changes += 1
        }
        #expect(mailbox.state.withLock { $0.replacedLogs } > 0 && refused > 0 && refused < changes / 2)
        t.check()
    }

    /// Whatever the kernel refuses, nothing has happened, or all of it.
    @Test func everyRefusalLeavesTheMailboxAsItWas() throws {
        let hook = FaultHook()
        var options = StoreOptions()
        options.hook = hook
        let t = try TestStore(options)
        let mailbox = try t.mailbox()
        let uid = try mailbox.append("hello")
        _ = try mailbox.changeFlags([uid], .add(.seen))
        hook.arm(.count)
        _ = try #require(try attempt { () throws(StoreError) in try mailbox.changeFlags([uid], Self.flagged) }?.get())
        let calls = hook.disarm().calls
        #expect(calls > 5)
        var refused = 0
        for at in 0..<calls {
            _ = try mailbox.changeFlags([uid], .remove(.flagged))
            hook.arm(.once(at: at, .wouldBlock))
            let result = attempt { () throws(StoreError) in try mailbox.changeFlags([uid], Self.flagged) }
            hook.disarm()
            if result == nil {
                refused += 1
                #expect(try mailbox.contents() == ["1:S"])
            }
            _ = try mailbox.changeFlags([uid], Self.flagged)
            #expect(try mailbox.contents() == ["1:FS"])
        }
        #expect(refused > 2)
        t.check()
    }

    /// Another thread may read the log for as long as it holds the state.
    @Test func stateInUseIsNotWaitedFor() throws {
        let t = try TestStore()
        let mailbox = try t.mailbox()
        try mailbox.append("hello")
        let result = mailbox.state.withLock { _ in attempt { () throws(StoreError) in try mailbox.snapshot() } }
        #expect(result == nil)
        #expect(try mailbox.snapshot().messages.count == 1)
        t.check()
    }

    @Test func sharedStoreIsNotAsked() throws {
        var options = StoreOptions()
        options.shared = true
        let t = try TestStore(options)
        let mailbox = try t.mailbox()
        let uid = try mailbox.append("hello")
        #expect(attempt { () throws(StoreError) in try mailbox.snapshot() } == nil)
        #expect(attempt { () throws(StoreError) in try mailbox.changeFlags([uid], Self.flagged) } == nil)
        t.check()
    }

    @Test func messagesByFlags() throws {
        let t = try TestStore()
        let mailbox = try t.mailbox()
        for i in 0..<30 { try mailbox.append("m\(i)", i % 3 == 0 ? [.seen] : i % 5 == 0 ? [.flagged] : []) }
        _ = try mailbox.remove([UID(2)])
        let list = try mailbox.snapshot().messages
        for (wanted, unwanted) in [([], []), ([.seen], []), ([], [.seen]), ([.flagged], [.seen])]
            as [(MessageFlags, MessageFlags)]
        {
            for range in [1...UInt32.max, 5...20, 31...40] {
                var found: [Int: UID] = [:]
                list.forEach(in: UID(range.lowerBound)...UID(range.upperBound), having: wanted, lacking: unwanted) {
                    found[$0] = $1
                }
                var expected: [Int: UID] = [:]
                for (i, entry) in list.enumerated()
                where range.contains(entry.uid.rawValue) && entry.flags.isSuperset(of: wanted)
                    && entry.flags.isDisjoint(with: unwanted)
                {
                    expected[i] = entry.uid
                }
                #expect(found == expected)
            }
        }
        t.check()
    }
}
