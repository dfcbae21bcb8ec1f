import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// Does something once, just before status.json is read.
private final class BeforeStatus: SystemHook {
    let action = Locked<(@Sendable () -> Void)?>(nil)

    func before(_ call: SystemCall) -> Errno? {
        guard case .open(_, MailboxStatus.fileName, _) = call else { return nil }
        action.withLock { action in
            defer { action = nil }
            return action
        }?()
        return nil
    }
}

/// Letters of keywords: given out, freed, given to others; and what happens when there are none.
@Suite struct KeywordTests {
    /// Names that fill the table with `kept`: nobody else's.
    private static func fill(_ mailbox: Mailbox, besides kept: [String]) throws {
        _ = try mailbox.keywords(kept + (kept.count..<31).map { "word\($0)" }, create: true)
    }

    private static func names(_ mailbox: Mailbox) throws -> [String] {
        let snapshot = try mailbox.snapshot()
        var all: [String] = []
        snapshot.messages.forEach {
            all.append("\($0.uid):\(snapshot.keywords.names(in: $0.flags).joined(separator: ","))")
        }
        return all
    }

    /// A full table, "Old" with the first letter and had by message 1 alone.
    private static func full(_ t: TestStore) throws -> Mailbox {
        let inbox = try t.mailbox()
        try fill(inbox, besides: ["Old"])
        try inbox.append("one")
        try inbox.append("two")
        _ = try inbox.changeFlags([UID(1)], .add, NamedFlags(keywords: ["Old"]))
        return inbox
    }

    @Test func freedLetterIsGivenAgain() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        let before = try inbox.snapshot()
        _ = try inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
        let highest = try inbox.snapshot().highestModSeq
        let (result, change) = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        #expect(change.add == MessageFlags(letter: UInt8(ascii: "0")))
        #expect(try Self.names(inbox) == ["1:", "2:New"])
        #expect(result.changed.first?.modSeq ?? 0 > highest)
        // What was seen before has the name that it had.
        let entry = try #require(before.messages.first)
        #expect(before.keywords.names(in: entry.flags) == ["Old"])
        #expect(try inbox.snapshot().keywords.flag("Old") == nil)
        // All the others were nobody's and have made room.
        #expect(try inbox.snapshot().keywords.names.count == 1)
        // The old name comes back under another letter.
        _ = try inbox.changeFlags([UID(1)], .add, NamedFlags(keywords: ["old"]))
        #expect(try Self.names(inbox) == ["1:old", "2:New"])
        try t.reopen()
        #expect(try Self.names(t.mailbox()) == ["1:old", "2:New"])
        #expect(try inbox.readStatus().keywords.names.count == 2)
        t.check()
    }

    @Test func freeingChangesNoModSeqOfAClient() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        _ = try inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
        let highest = try inbox.snapshot().highestModSeq
        #expect(try inbox.freeLetters())
        #expect(try !inbox.snapshot().keywords.isFull)
        #expect(try inbox.snapshot().highestModSeq == highest)
        t.check()
    }

    @Test func otherProcessesForgetTheOldName() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        let other = try TestStore.second(t).account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        #expect(try Self.names(other) == ["1:Old", "2:"])
        _ = try inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        // It has not read on: its table and its list are of one moment.
        let stale = other.currentSnapshot()
        #expect(try stale.keywords.names(in: #require(stale.messages.first).flags) == ["Old"])
        // By name it never stores another's letter.
        _ = try other.changeFlags([UID(1)], .add, NamedFlags(keywords: ["Old"]))
        #expect(try Self.names(other) == ["1:Old", "2:New"])
        #expect(try Self.names(inbox) == ["1:Old", "2:New"])
        t.check()
    }

    /// A ceiling is raised, and status.json read with it, by a process whose view is behind.
    @Test func statusThatIsAheadOfTheLogNamesNothing() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        let other = try TestStore.second(t).account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        _ = try inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        try other.raiseCeilings(uids: 5000, records: 0, always: true)
        let stale = other.currentSnapshot()
        #expect(try stale.keywords.names(in: #require(stale.messages.first).flags) == ["Old"])
        t.check()
    }

    /// Letters that were looked up before another process freed them.
    @Test(arguments: ["append", "set", "copy", "move", "flags"]) func lettersAreLookedUpAgain(_ way: String) throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        let sent = try t.mailbox("Sent")
        try sent.append("from Sent", sent.keywords(["Old"], create: true))
        let other = try TestStore.second(t).account(AccountAddress(parsing: "alice@example.com"))
        let (there, source) = (try other.mailbox(.inbox), try other.mailbox(MailboxName("Sent")))
        _ = try there.snapshot()
        _ = try inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        let named = NamedFlags(keywords: ["Old"])
        switch way {
        case "append": _ = try there.append(there.finished("three"), flags: named)
        case "set": _ = try there.append([(there.finished("three"), named), (there.finished("four"), named)])
        case "copy": _ = try source.copy([UID(1)], to: there)
        case "move": _ = try source.move([UID(1)], to: there)
        default:
            try there.append("three")
            _ = try there.changeFlags([UID(3)], .replace, named)
        }
        #expect(try Self.names(inbox).prefix(3) == ["1:", "2:New", "3:Old"])
        t.check()
    }

    @Test func recoverableMessageKeepsItsLetter() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        _ = try inbox.remove([UID(1)])
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        #expect(try inbox.snapshot().keywords.flag("Old") == MessageFlags(letter: UInt8(ascii: "0")))
        let back = try inbox.undelete(#require(inbox.recoverableMessages().first))
        #expect(try Self.names(inbox) == ["2:New", "\(back.uid):Old"])
        // Purged, it has it no more.
        _ = try inbox.remove([back.uid])
        _ = try inbox.purgeExpunged(before: "9999999999")
        try Self.fill(inbox, besides: ["New"])
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["Newer"]))
        #expect(try inbox.snapshot().keywords.flag("Old") == nil)
        t.check()
    }

    @Test func noMessageIsRefusedForItsFlags() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let all = (0..<31).map { "word\($0)" }
        try inbox.append("all", inbox.keywords(all, create: true))
        let extra = NamedFlags(.seen, keywords: ["word3", "Extra"])
        #expect(try inbox.append(inbox.finished("two"), flags: extra).uid == UID(2))
        _ = try inbox.append([(inbox.finished("three"), extra), (inbox.finished("four"), extra)])
        let sent = try t.mailbox("Sent")
        for text in ["five", "six"] { try sent.append(text, sent.keywords(["word3", "Extra"], create: true)) }
        #expect(try sent.copy([UID(1)], to: inbox).copied.count == 1)
        #expect(try sent.move([UID(2)], to: inbox).copied.count == 1)
        #expect(try Self.names(inbox).dropFirst() == ["2:word3", "3:word3", "4:word3", "5:word3", "6:word3"])
        #expect(inbox.extraKeywords.uids(of: "extra") == [2...6])
        #expect(throws: StoreError(.limit, "")) { try inbox.keywords(["Extra"], create: true) }
        _ = try inbox.changeFlags([UID(2)], .remove, NamedFlags(keywords: ["Extra", "word3"]))
        #expect(try inbox.contents()[1] == "2:S")
        #expect(inbox.extraKeywords.uids(of: "Extra") == [3...6])
        t.check()
    }

    /// Both files that name letters are lost: no other name is given to a letter that messages have.
    @Test func letterWithoutANameIsNobodyElses() throws {
        let t = try TestStore()
        var inbox = try Self.full(t)
        try inbox.append("expunged", inbox.keywords(["word1"], create: true))
        _ = try inbox.remove([UID(3)])
        let directory = try t.directory()
        unlink("\(directory)/\(MailboxStatus.fileName)")
        unlink("\(directory)/\(LogFile.fileName)")
        try t.reopen()
        inbox = try t.mailbox()
        #expect(try Self.names(inbox) == ["1:keyword-0", "2:"])
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        #expect(try Self.names(inbox) == ["1:keyword-0", "2:New"])
        #expect(try inbox.snapshot().keywords.flag("New") == MessageFlags(letter: UInt8(ascii: "2")))
        t.check()
    }

    /// A file that was added by hand has a letter that nobody has named.
    @Test func foreignLetterIsNobodyElses() throws {
        let t = try TestStore()
        try t.mailbox().append("one")
        let directory = try t.directory()
        try #require(rename("\(directory)/0000/00000001_.eml", "\(directory)/0000/00000001_0.eml") == 0)
        try t.reopen()
        let inbox = try t.mailbox()
        try inbox.append("two")
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        #expect(try Self.names(inbox) == ["1:keyword-0", "2:New"])
        t.check()
    }

    /// status.json is lost: the log's header must not bring an old name back.
    @Test func headerHasNoOldName() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        try inbox.locked(exclusive: true) { () throws(StoreError) in }
        _ = try inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        unlink("\(try t.directory())/\(MailboxStatus.fileName)")
        try t.reopen()
        #expect(try Self.names(t.mailbox()).first { $0 != "1:" }?.hasSuffix("Old") == false)
        t.check()
    }

    @Test func compactionAndTheViewCacheKeepNoOldName() throws {
        let cache = MemoryViewCache()
        var options = StoreOptions()
        options.viewCache = cache
        let t = try TestStore(options)
        let inbox = try Self.full(t)
        let other = try TestStore.second(t).account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        _ = try other.snapshot()
        inbox.keepView()
        _ = try inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        try t.reopen()
        #expect(try Self.names(t.mailbox()) == ["1:", "2:New"])
        try t.mailbox().compact()
        // The record that freed it is gone with the old log.
        #expect(try Self.names(other) == ["1:", "2:New"])
        _ = try other.changeFlags([UID(1)], .add, NamedFlags(keywords: ["Old"]))
        #expect(try Self.names(t.mailbox()) == ["1:Old", "2:New"])
        t.check()
    }

    /// A name is looked up in status.json while another process gives the letter to another name.
    @Test func nameThatWasReadTooLateIsReadAgain() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        try inbox.append("one")
        try inbox.append("two")
        let hook = BeforeStatus()
        var options = t.options
        options.hook = hook
        let follower = try Store.open(t.path, options: options)
            .account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        _ = try inbox.changeFlags([UID(1)], .add, NamedFlags(keywords: ["Old"]))
        try Self.fill(inbox, besides: ["Old"])
        try follower.refresh()
        hook.action.withLock {
            $0 = {
                _ = try? inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
                _ = try? inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
            }
        }
        let snapshot = follower.currentSnapshot()
        #expect(try Self.names(inbox) == ["1:", "2:New"])
        #expect(hook.action.withLock { $0 == nil })
        let shown = snapshot.messages.map { snapshot.keywords.names(in: $0.flags) }
        #expect(shown == [[], ["New"]])
        t.check()
    }

    /// The process that gives the letter away dies at each call; the one beside it stores the old name, by name, and
    /// gives the letter away itself.
    @Test func deathAtEveryCall() throws {
        var at = 0
        while true {
            let t = try TestStore()
            let inbox = try Self.full(t)
            _ = try inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
            let other = try TestStore.second(t).account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
            _ = try other.snapshot()
            let hook = FaultHook()
            var options = t.options
            options.hook = hook
            let dying = try Store.open(t.path, options: options)
                .account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
            hook.arm(.death(at: at))
            do {
                _ = try dying.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
                if hook.disarm().failed == nil { break }
            } catch is StoreError {}
            hook.disarm()
            _ = try other.changeFlags([UID(1)], .add, NamedFlags(keywords: ["Old"]))
            _ = try other.changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
            #expect(try Self.names(other) == ["1:Old", "2:New"], "call \(at)")
            try t.reopen()
            #expect(try Self.names(t.mailbox()) == ["1:Old", "2:New"], "call \(at)")
            t.check()
            at += 1
        }
        #expect(at > 20)
    }
}
