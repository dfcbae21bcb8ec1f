import DurableFiles
import Primitives
import Testing

@testable import ShardFS

/// Mod-sequences, conditional changes, compaction, \Recent, and the changes reported to a follower.
@Suite struct ChangeTests {
    @Test func aConditionalChangeLeavesWhatChangedSince() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        for i in 1...3 { try inbox.append("message \(i)") }
        let then = try inbox.snapshot().highestModSeq
        _ = try inbox.changeFlags([UID(2)], .add(.flagged))
        // The name is the same again, but the message has changed since.
        _ = try inbox.changeFlags([UID(2)], .remove(.flagged))
        let result = try inbox.changeFlags([UID(1), UID(2), UID(9)], .add(.seen), unchangedSince: then)
        #expect(result.changed.map(\.uid) == [UID(1)])
        #expect(result.modified == [UID(2)])
        #expect(result.missing == [UID(9)])
        #expect(try inbox.contents() == ["1:S", "2:", "3:"])
        t.check()
    }

    @Test func compactionKeepsWhatCounts() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        for i in 1...20 { try inbox.append("message \(i)") }
        for _ in 1...10 {
            _ = try inbox.changeFlags([UID(3)], .add(.seen))
            _ = try inbox.changeFlags([UID(3)], .remove(.seen))
        }
        let middle = try inbox.snapshot().highestModSeq
        _ = try inbox.remove([UID(5), UID(6)])
        _ = try inbox.changeFlags([UID(7)], .add(.answered))
        let before = try inbox.snapshot()
        let size = try inbox.state.withLock { $0.log }.size()
        try inbox.compact()
        let after = try inbox.snapshot()
        #expect(try inbox.state.withLock { $0.log }.size() < size)
        #expect(after.highestModSeq == before.highestModSeq)
        #expect(after.messages.map(\.modSeq) == before.messages.map(\.modSeq))
        #expect(after.messages.map(\.flags) == before.messages.map(\.flags))
        #expect(try inbox.expunged(since: middle) == [UID(5), UID(6)])
        #expect(try inbox.details(#require(after.messages.first)).digest == inbox.open(UID(1)).digest())
        let next = try inbox.append("next")
        #expect(next == UID(21))
        #expect(try #require(inbox.snapshot().messages.last).modSeq > before.highestModSeq)
        try t.reopen()
        #expect(try t.mailbox().snapshot().messages.map(\.modSeq).prefix(18) == before.messages.map(\.modSeq)[...])
        t.check()
    }

    @Test func aSecondProcessFollows() throws {
        let t = try TestStore()
        let here = try t.mailbox()
        let other = try TestStore.second(t)
        let there = try other.account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        try here.append("one")
        #expect(try there.contents() == ["1:"])
        _ = try there.changeFlags([UID(1)], .add(.seen))
        #expect(try here.contents() == ["1:S"])
        let work = try there.keywords(["Work"], create: true)
        _ = try there.changeFlags([UID(1)], .add(work))
        let seen = try here.snapshot()
        #expect(seen.keywords.names(in: seen.messages[0].flags) == ["Work"])
        try there.compact()
        #expect(try here.append("two") == UID(2))
        #expect(try there.contents() == here.contents())
        _ = try here.remove([UID(1)])
        #expect(try there.contents() == ["2:"])
        t.check()
    }

    @Test func recentIsReportedOnce() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        try inbox.append("one")
        try inbox.append("two")
        #expect(try inbox.takeRecent() == 1)
        #expect(try inbox.takeRecent() == 3)
        let before = try inbox.snapshot().highestModSeq
        try inbox.append("three")
        #expect(try inbox.snapshot().highestModSeq > before)
        try t.reopen()
        #expect(try t.mailbox().takeRecent() == 3)
        t.check()
    }

    @Test func observersHearOfChanges() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let heard = Locked(0)
        let observation = inbox.observe { heard.withLock { $0 += 1 } }
        try inbox.append("one")
        #expect(heard.withLock { $0 } >= 1)
        observation.cancel()
        let before = heard.withLock { $0 }
        try inbox.append("two")
        #expect(heard.withLock { $0 } == before)
        t.check()
    }

    @Test func aSetSpansShards() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let message = try inbox.finished("x")
        let results = try inbox.append((0..<2500).map { (message, $0 % 2 == 0 ? [.seen] : []) })
        #expect(results.map(\.uid.rawValue) == Array(1...2500))
        let snapshot = try inbox.snapshot()
        #expect(snapshot.messages.count == 2500)
        #expect(snapshot.messages.index(of: UID(1500)) == 1499)
        #expect(snapshot.messages[1999].uid == UID(2000))
        #expect(snapshot.messages.count(below: 1001) == 1000)
        _ = try inbox.remove((1...1200).map { UID(UInt32($0)) })
        let after = try inbox.snapshot()
        #expect(after.messages.count == 1300)
        #expect(after.messages[0].uid == UID(1201))
        #expect(after.messages.index(of: UID(1201)) == 0)
        #expect(snapshot.messages.count == 2500, "a snapshot does not change")
        try t.reopen()
        #expect(try t.mailbox().snapshot().messages.count == 1300)
        t.check()
    }
}
