import DurableFiles
import Testing

@testable import ShardFS

@Suite struct MailboxBasicsTests {
    @Test func appendFlagExpunge() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        for i in 1...5 { #expect(try inbox.append("message \(i)").rawValue == UInt32(i)) }
        let flagged = try inbox.changeFlags([UID(2), UID(4)], .add([.seen, .deleted]))
        #expect(flagged.changed.map(\.uid) == [UID(2), UID(4)])
        #expect(try inbox.contents() == ["1:", "2:DS", "3:", "4:DS", "5:"])
        #expect(try inbox.expunge() == [UID(2), UID(4)])
        #expect(try inbox.contents() == ["1:", "3:", "5:"])
        #expect(try inbox.text(UID(3)) == "message 3")
        #expect(try inbox.text(UID(2)) == "message 2", "an expunged message can be read until its retention ends")
        #expect(try inbox.expunged(since: 1)?.map(\.rawValue) == [2, 4])
        let back = try inbox.undelete(inbox.recoverableMessages()[0])
        #expect(back.uid == UID(6))
        #expect(try inbox.contents() == ["1:", "3:", "5:", "6:S"])
        try t.reopen()
        #expect(try t.mailbox().contents() == ["1:", "3:", "5:", "6:S"])
        #expect(try t.account().quota().messages == 4)
        #expect(try t.account().quota().bytes == 36)
        t.check()
    }

    @Test func copyAndMove() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let sent = try t.mailbox("Sent")
        let work = try inbox.keywords(["Work"], create: true)
        for i in 1...3 { try inbox.append("message \(i)", i == 2 ? work : []) }
        let copied = try inbox.copy([UID(2), UID(3), UID(9)], to: sent)
        #expect(copied.copied.map(\.target) == [UID(1), UID(2)])
        #expect(try sent.snapshot().keywords.names(in: sent.snapshot().messages[0].flags) == ["Work"])
        let moved = try inbox.move([UID(1), UID(2)], to: sent)
        #expect(moved.copied.map(\.target) == [UID(3), UID(4)])
        #expect(try inbox.contents() == ["3:"])
        #expect(try sent.text(UID(3)) == "message 1")
        #expect(try t.account().quota().messages == 5)
        try t.reopen()
        #expect(try t.mailbox("Sent").contents().count == 4)
        t.check()
    }

    @Test func restartGivesNewModSeqsAndNoUsedUID() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        for i in 1...3 { try inbox.append("message \(i)") }
        let before = try inbox.snapshot()
        try t.reopen { $0.bootID = "another boot" }
        let after = try t.mailbox().snapshot()
        #expect(after.uidValidity == before.uidValidity)
        #expect(after.messages.count == 3)
        #expect(after.highestModSeq > before.highestModSeq)
        #expect(after.uidNext >= before.uidNext)
        #expect(try t.mailbox().append("x") >= before.uidNext)
        t.check()
    }
}
