import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// Directories copied with `cp -a`, and replaced or removed while a process has them open.
@Suite(.enabled(if: Program.hasPython)) struct CopiedDirectoryTests {
    private static func copy(_ from: String, _ to: String) throws {
        let (output, status) = Program.run(["/bin/cp", "-a", from, to], withErrors: true)
        try #require(status == 0, "\(output)")
    }

    private static func accountPath(_ t: TestStore, _ address: String = "alice@example.com") throws -> String {
        "\(t.path)/\(Store.path(try AccountAddress(parsing: address)))"
    }

    @Test(arguments: [false, true]) func copiedMailboxGetsItsOwnIdentity(_ reopens: Bool) throws {
        let t = try TestStore()
        let original = try t.mailbox("Lists")
        for text in ["one", "two"] { try original.append(text) }
        try Self.copy(t.directory("Lists"), "\(t.path)/copy")
        try #require(rename("\(t.path)/copy", try t.directory("Lists") + "2") == 0)
        if reopens { try t.reopen() }
        // The copy first.
        let (copy, lists) = (try t.mailbox("Lists2"), try t.mailbox("Lists"))
        #expect(copy.id != lists.id)
        #expect(lists.id == original.id)
        #expect(try copy.snapshot().uidValidity > lists.snapshot().uidValidity)
        #expect(try copy.contents() == ["1:", "2:"])
        #expect(try copy.text(UID(2)) == "two")
        _ = try lists.move([UID(2)], to: copy)
        #expect(try lists.contents() == ["1:"])
        #expect(try copy.snapshot().messages.count == 3)
        let results = try Delivery.deliver(lists.finished("three"), to: [lists, copy])
        #expect(results.count == 2)
        #expect(try lists.text(results[0].uid) == "three")
        #expect(try copy.text(results[1].uid) == "three")
        let id = copy.id
        try t.reopen()
        #expect(try t.mailbox("Lists2").id == id)
        #expect(try t.mailbox("Lists").id == original.id)
        t.check()
    }

    /// Both were written before places were noted: they stay as they are, but are two.
    @Test func twoMailboxesWithOneIDAreTwo() throws {
        let t = try TestStore()
        let lists = try t.mailbox("Lists")
        for text in ["one", "two"] { try lists.append(text) }
        let path = "\(try t.directory("Lists"))/\(MailboxStatus.fileName)"
        var status = try lists.readStatus()
        status.document = .object([:])
        status.place = nil
        try Self.write(status.serialized(), path)
        try Self.copy(t.directory("Lists"), "\(t.path)/copy")
        try #require(rename("\(t.path)/copy", try t.directory("Lists") + "2") == 0)
        let copy = try t.mailbox("Lists2")
        #expect(copy.id == lists.id)
        #expect(try lists.move([UID(2)], to: copy).copied.count == 1)
        #expect(try lists.contents() == ["1:"])
        #expect(try copy.snapshot().messages.count == 3)
        #expect(try copy.copy([UID(1)], to: lists).copied.count == 1)
        let results = try Delivery.deliver(lists.finished("three"), to: [copy, lists])
        #expect(try copy.text(results[0].uid) == "three")
        #expect(try lists.text(results[1].uid) == "three")
        // The check reports the two ids.
    }

    @Test func copiedAccountGetsIdentitiesOfItsOwn() throws {
        let t = try TestStore()
        let original = try t.mailbox()
        try original.append("one", original.keywords(["Work"], create: true))
        let nested = try t.mailbox("A/B")
        try Self.copy(Self.accountPath(t), Self.accountPath(t, "bob@example.com"))
        let bob = try t.store.account(AccountAddress(parsing: "bob@example.com"))
        let (inbox, below) = (try bob.mailbox(.inbox), try bob.mailbox(MailboxName("A/B")))
        #expect(inbox.id != original.id)
        #expect(below.id != nested.id)
        let snapshot = try inbox.snapshot()
        #expect(try snapshot.keywords.names(in: #require(snapshot.messages.first).flags) == ["Work"])
        let results = try Delivery.deliver(original.finished("two"), to: [original, inbox])
        #expect(try original.text(results[0].uid) == "two")
        #expect(try inbox.text(results[1].uid) == "two")
        #expect(try original.move([UID(1)], to: inbox).copied.count == 1)
        #expect(try original.snapshot().messages.count == 1)
        t.check()
    }

    /// Restored, or on another disk: the original is gone, and the clients know the mailbox by its id.
    @Test func movedMailboxKeepsItsIdentity() throws {
        let t = try TestStore()
        let before = try t.mailbox("Lists")
        try before.append("one")
        let validity = try before.snapshot().uidValidity
        try Self.copy(Self.accountPath(t), "\(t.path)/copy")
        try #require(rename(try Self.accountPath(t), "\(t.path)/old") == 0)
        try #require(rename("\(t.path)/copy", try Self.accountPath(t)) == 0)
        try t.reopen()
        let after = try t.mailbox("Lists")
        #expect(after.id == before.id)
        #expect(try after.snapshot().uidValidity == validity)
        let inode = after.place.inode
        #expect(try after.readStatus().place?.inode == inode)
        // Renamed, it is the same directory.
        try t.account().rename(MailboxName("Lists"), to: MailboxName("Other"))
        try t.reopen()
        #expect(try t.mailbox("Other").id == before.id)
    }

    @Test(arguments: ["replaced", "removed", "made again"])
    func nothingIsStoredInADirectoryThatNoPathLeadsTo(_ way: String) throws {
        let t = try TestStore()
        let stale = try t.mailbox()
        let account = try t.account()
        try stale.append("one")
        let old = "\(t.path)/old"
        let path = try Self.accountPath(t)
        if way == "replaced" { try Self.copy(path, "\(t.path)/copy") }
        try #require(rename(path, old) == 0)
        if way == "replaced" { try #require(rename("\(t.path)/copy", path) == 0) }
        if way == "made again" {
            // By another process.
            try TestStore.second(t).createAccount(AccountAddress(parsing: "alice@example.com")).create(.inbox)
        }
        let gone = StoreError(.gone, "")
        #expect(throws: gone) { try stale.append("lost") }
        #expect(throws: gone) { try stale.append(CutRun.stage([1, 2], in: stale)) }
        #expect(throws: gone) { try stale.changeFlags([UID(1)], .add(.seen)) }
        #expect(throws: gone) { try stale.remove([UID(1)]) }
        #expect(throws: gone) { try stale.snapshot() }
        #expect(throws: gone) { try account.create(MailboxName("New")) }
        if way == "removed" {
            #expect(throws: StoreError(.notFound, "")) { try t.store.account(account.address) }
            return
        }
        // Whoever asks by name finds the directory that is there.
        let now = try t.store.account(account.address).mailbox(.inbox)
        try now.append("kept")
        #expect(now !== stale)
        #expect(try now.snapshot().messages.count == (way == "replaced" ? 2 : 1))
        #expect(access("\(old)/mailboxes/INBOX/0000/00000002_.eml", F_OK) != 0)
        t.check()
    }

    static func write(_ bytes: [UInt8], _ path: String) throws {
        let fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0o600)
        try #require(fd >= 0)
        defer { close(fd) }
        #expect(Glibc.write(fd, bytes, bytes.count) == bytes.count)
    }
}
