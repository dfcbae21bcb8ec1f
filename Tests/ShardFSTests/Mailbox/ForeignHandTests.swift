import Glibc
import Testing

@testable import ShardFS

/// Files that another program made, renamed or removed behind the engine's back.
@Suite struct ForeignHandTests {
    @Test func whatDoesNotBelongIsLeftAlone() throws {
        let t = try TestStore()
        do { try t.mailbox().append("one") }
        let inbox = try t.directory()
        let foreign = [
            "0000/notes.txt", "0000/00000002.eml", "0000/x_S.eml", "0000/00000003_S.EML", "0000/00000004_!.eml",
            "0000/99999999999_.eml", "0000/00001001_.eml", "README", "12", "0000/.00000005_.eml.swp",
        ]
        for name in foreign { close(creat("\(inbox)/\(name)", 0o600)) }
        mkdir("\(inbox)/0000/00000009_.eml", 0o700)
        mkdir("\(inbox)/9999999", 0o700)
        symlink("/etc/passwd", "\(inbox)/0000/00000010_.eml")
        try t.reopen()
        let mailbox = try t.mailbox()
        #expect(try mailbox.contents() == ["1:"])
        #expect(try mailbox.append("two") == UID(2))
        #expect(try mailbox.remove([UID(1), UID(2)]).count == 2)
        for name in foreign { #expect(access("\(inbox)/\(name)", F_OK) == 0, "\(name)") }
        #expect(access("\(inbox)/0000/00000009_.eml", F_OK) == 0)
    }

    @Test func aRenameByHandIsAFlagChange() throws {
        let t = try TestStore()
        let before: ModSeq
        do {
            let inbox = try t.mailbox()
            try inbox.append("one")
            try inbox.append("two")
            before = try inbox.snapshot().highestModSeq
        }
        let shard = "\(try t.directory())/0000"
        try #require(rename("\(shard)/00000001_.eml", "\(shard)/1_SF.eml") == 0)
        try #require(unlink("\(shard)/00000002_.eml") == 0)
        try t.reopen()
        let inbox = try t.mailbox()
        let snapshot = try inbox.snapshot()
        #expect(try inbox.contents() == ["1:FS"])
        #expect(try #require(snapshot.messages.first).modSeq > before)
        #expect(try inbox.expunged(since: before) == [UID(2)])
        #expect(access("\(shard)/00000001_FS.eml", F_OK) == 0, "the name is canonical again")
        #expect(try t.account().quota().messages == 1)
        t.check()
    }

    @Test func aFileDroppedInGetsAUIDOfItsOwn() throws {
        let t = try TestStore()
        do {
            let inbox = try t.mailbox()
            try inbox.append("one")
            try inbox.append("two")
            _ = try inbox.remove([UID(1)])
        }
        let shard = "\(try t.directory())/0000"
        let fd = creat("\(shard)/00000001_S.eml", 0o600)
        #expect(write(fd, "came back", 9) == 9)
        close(fd)
        try t.reopen()
        let inbox = try t.mailbox()
        #expect(try inbox.contents() == ["2:", "3:S"], "a UID told as gone never returns")
        #expect(try inbox.text(UID(3)) == "came back")
        #expect(try t.account().quota().messages == 2)
        t.check()
    }

    @Test func aShardFullOfFilesByHand() throws {
        let t = try TestStore()
        do { _ = try t.mailbox() }
        let inbox = try t.directory()
        for number in 0..<3 {
            let shard = "\(inbox)/\(ShardName.string(UInt32(number)))"
            mkdir(shard, 0o700)
            for i in stride(from: number == 0 ? 1 : 0, to: 1000, by: 3) {
                let fd = creat("\(shard)/\(MessageFileName.string(UID(UInt32(number * 1000 + i)), []))", 0o600)
                #expect(write(fd, "by hand", 7) == 7)
                close(fd)
            }
        }
        try t.reopen()
        #expect(try t.mailbox().contents().count == 1001)
        #expect(try t.account().quota().messages == 1001)
        let next = try t.mailbox().append("next")
        #expect(try t.mailbox().snapshot().messages.last?.uid == next)
        try t.reopen()
        #expect(try t.mailbox().contents().count == 1002)
        t.check()
    }

    @Test func lettersNobodyKnowsAreKept() throws {
        let t = try TestStore()
        do { try t.mailbox().append("one") }
        let shard = "\(try t.directory())/0000"
        try #require(rename("\(shard)/00000001_.eml", "\(shard)/00000001_RSa.eml") == 0)
        try t.reopen()
        let inbox = try t.mailbox()
        _ = try inbox.changeFlags([UID(1)], .replace(with: [.flagged]))
        #expect(try inbox.contents() == ["1:FRa"])
        t.check()
    }

    @Test func aDirectoryWhereAFileShouldBe() throws {
        let t = try TestStore()
        do { _ = try t.mailbox() }
        let inbox = try t.directory()
        try #require(unlink("\(inbox)/changes.log") == 0)
        mkdir("\(inbox)/changes.log", 0o700)
        try t.reopen()
        #expect(throws: StoreError.self) { try t.mailbox() }
    }

    @Test func aReadOnlyStoreOpensForReading() throws {
        let t = try TestStore()
        do {
            let inbox = try t.mailbox()
            for i in 1...3 { try inbox.append("message \(i)", i == 2 ? [.seen] : []) }
        }
        try t.reopen { $0.readOnly = true }
        let inbox = try t.store.account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        #expect(try inbox.contents() == ["1:", "2:S", "3:"])
        #expect(try inbox.text(UID(3)) == "message 3")
        let refused = StoreError(.readOnly, "")
        #expect(throws: refused) { try inbox.append("x") }
        #expect(throws: refused) { try inbox.changeFlags([UID(1)], .add(.seen)) }
        #expect(throws: refused) { try inbox.remove([UID(1)]) }
        #expect(throws: refused) { try inbox.keywords(["New"], create: true) }
    }
}
