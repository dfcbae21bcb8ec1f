import DurableFiles
import Glibc
import Testing

@testable import ShardFS

/// States of a mailbox after an accident, and the results of opening it.
@Suite struct RecoveryTests {
    /// A closed store with three messages, and their snapshot.
    private static func threeMessages() throws -> (TestStore, MailboxSnapshot) {
        let t = try TestStore()
        let inbox = try t.mailbox()
        for i in 1...3 { try inbox.append("message \(i)") }
        return (t, try inbox.snapshot())
    }

    private func write(_ text: String, to path: String) throws {
        let fd = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(fd >= 0)
        defer { close(fd) }
        let bytes = Array(text.utf8)
        try #require(Glibc.write(fd, bytes, bytes.count) == bytes.count)
    }

    private func oldStore(_ t: TestStore, uidNext: Int, names: [String]) throws {
        _ = try t.account()
        let inbox = try t.directory()
        for path in ["\(t.path)/domains/example.com/users/alice/mailboxes", inbox, "\(inbox)/0000"] {
            mkdir(path, 0o700)
        }
        try write(
            "{\"uid_validity\": 1700000000, \"uid_next\": \(uidNext), \"colour\": \"blue\"}", to: "\(inbox)/status.json"
        )
        for name in names { try write("Subject: \(name)\r\n\r\n", to: "\(inbox)/\(name)") }
    }

    @Test func adoptsAStoreOfTheOldProgram() throws {
        let t = try TestStore()
        try oldStore(t, uidNext: 44, names: ["0000/00000001_.eml", "0000/00000042_AFS.eml", "0000/00000043_SA.eml"])
        let inbox = try t.account().mailbox(MailboxName("INBOX"))
        let snapshot = try inbox.snapshot()
        #expect(snapshot.uidValidity == 1_700_000_000)
        #expect(try inbox.contents() == ["1:", "42:AFS", "43:AS"])
        #expect(snapshot.uidNext == 44)
        #expect(try inbox.append("new") == UID(44))
        let bytes = try FilePublisher(system: SystemCalls()).read("status.json", in: inbox.directory)
        let status = String(decoding: try #require(bytes), as: UTF8.self)
        #expect(status.contains("blue"), "keys that are not known are kept")
        t.check()
    }

    @Test func adoptionNeverGivesAUIDBelowAName() throws {
        let t = try TestStore()
        try oldStore(t, uidNext: 2, names: ["0000/00000007_.eml"])
        #expect(try t.account().mailbox(.inbox).append("new") == UID(8))
        t.check()
    }

    @Test(arguments: [["changes.log"], ["status.json"], ["changes.log", "status.json"]])
    func lostFilesCostNoMessage(_ lost: [String]) throws {
        let t = try TestStore()
        var uids: [UID] = []
        var before: MailboxSnapshot?
        do {
            let inbox = try t.mailbox()
            let work = try inbox.keywords(["Work"], create: true)
            for i in 1...3 { uids.append(try inbox.append("message \(i)", i == 2 ? work : [.seen])) }
            before = try inbox.snapshot()
        }
        let directory = try t.directory()
        for name in lost { try #require(unlink("\(directory)/\(name)") == 0) }
        try t.reopen()
        let inbox = try t.mailbox()
        let after = try inbox.snapshot()
        #expect(after.messages.count == 3)
        #expect(try uids.map { try inbox.text($0) } == ["message 1", "message 2", "message 3"])
        let name = after.keywords.names(in: try #require(after.messages.entry(of: uids[1])).flags)
        if lost.count == 2 {
            #expect(after.uidValidity > before!.uidValidity)
            #expect(name == ["keyword-0"])
        } else {
            #expect(after.uidValidity == before!.uidValidity)
            #expect(after.uidNext >= before!.uidNext)
            #expect(after.highestModSeq > before!.highestModSeq)
            #expect(name == ["Work"])
        }
        t.check()
    }

    @Test func aDamagedRecordInTheMiddleBeginsANewEpoch() throws {
        let t = try TestStore()
        let before: MailboxSnapshot
        do {
            let inbox = try t.mailbox()
            for i in 1...4 { try inbox.append("message \(i)") }
            before = try inbox.snapshot()
        }
        let fd = Glibc.open("\(try t.directory())/changes.log", O_RDWR)
        let bytes = [UInt8](repeating: 0xAA, count: 16)
        #expect(pwrite(fd, bytes, 16, off_t(LogFile.offset(of: 2) + 20)) == 16)
        close(fd)
        try t.reopen()
        let after = try t.mailbox().snapshot()
        #expect(after.messages.count == 4)
        #expect(after.highestModSeq > before.highestModSeq)
        #expect(after.uidNext >= before.uidNext)
        t.check()
    }

    @Test func aSetWhoseEndIsDamagedStays() throws {
        let t = try TestStore()
        do {
            let inbox = try t.mailbox()
            let message = try inbox.finished("x")
            let set: [(message: FinishedMessage, flags: MessageFlags)] = [(message, []), (message, .seen)]
            _ = try inbox.append(set)
        }
        let log = "\(try t.directory())/changes.log"
        let fd = Glibc.open(log, O_RDWR)
        var s = stat()
        fstat(fd, &s)
        #expect(pwrite(fd, [0xAA, 0xAA], 2, s.st_size - 30) == 2)
        close(fd)
        try t.reopen()
        #expect(try t.mailbox().contents() == ["1:", "2:S"])
        try t.reopen { $0.bootID = "the next boot" }
        #expect(try t.mailbox().contents() == ["1:", "2:S"])
        t.check()
    }

    @Test func aStatusWithoutEpochDoesNotSetTheMailboxBack() throws {
        let (t, before) = try Self.threeMessages()
        try write(
            "{\"uid_validity\": \(before.uidValidity), \"uid_next\": 2}", to: "\(try t.directory())/status.json")
        try t.reopen()
        let after = try t.mailbox().snapshot()
        #expect(after.highestModSeq > before.highestModSeq)
        #expect(after.uidNext >= before.uidNext)
        #expect(after.mailboxID == before.mailboxID)
        t.check()
    }

    @Test func aTornEndIsCut() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        try inbox.append("one")
        let before = try inbox.snapshot()
        let fd = Glibc.open("\(try t.directory())/changes.log", O_WRONLY | O_APPEND)
        #expect(Glibc.write(fd, [1, 2, 3], 3) == 3)
        close(fd)
        #expect(try inbox.changeFlags([UID(1)], .add(.seen)).changed.first?.flags == .seen)
        #expect(try inbox.append("two") == UID(2))
        try t.reopen()
        let after = try t.mailbox().snapshot()
        #expect(after.uidValidity == before.uidValidity)
        #expect(try t.mailbox().contents() == ["1:S", "2:"])
        t.check()
    }

    @Test func aMailboxClosedInGoodOrderKeepsItsModSeqs() throws {
        let (t, before) = try Self.threeMessages()
        try t.store.close()
        try t.reopen { $0.bootID = "the next boot" }
        let inbox = try t.mailbox()
        #expect(try inbox.snapshot().highestModSeq == before.highestModSeq)
        #expect(try inbox.snapshot().messages.map(\.modSeq) == before.messages.map(\.modSeq))
        // The first change removes the mark: the boot after that is a restart like any other.
        try inbox.append("four")
        try t.reopen { $0.bootID = "yet another boot" }
        #expect(try t.mailbox().snapshot().highestModSeq > before.highestModSeq + 100)
        #expect(try t.mailbox().contents().count == 4)
        t.check()
    }

    @Test func twoNamesOfOneMessageAreOneAgain() throws {
        let t = try TestStore()
        do {
            let inbox = try t.mailbox()
            try inbox.append("one")
            try inbox.append("two")
        }
        let shard = "\(try t.directory())/0000"
        try #require(link("\(shard)/00000001_.eml", "\(shard)/00000001_FS.eml") == 0)
        try write("other", to: "\(shard)/00000002_S.eml")
        try t.reopen { $0.bootID = "after a cut" }
        let inbox = try t.mailbox()
        let contents = try inbox.contents()
        #expect(contents.count == 3)
        #expect(contents.first == "1:FS", "the name with more flags stays")
        #expect(try inbox.text(UID(2)) == "two", "the older one keeps the UID")
        #expect(try inbox.text(#require(inbox.snapshot().messages.last).uid) == "other")
        t.check()
    }

    /// A message under a non-canonical name, and another one's file under the canonical name of the same UID: both stay.
    @Test(arguments: [[], [Capability.renameNoReplace]], ["restart", "no log"])
    func canonicalNameOfAnother(_ without: Set<Capability>, _ damage: String) throws {
        var options = StoreOptions()
        options.withoutCapabilities = without
        let t = try TestStore(options)
        do { for i in 1...3 { try t.mailbox().append("message \(i)", i == 2 ? .seen : []) } }
        let shard = "\(try t.directory())/0000"
        for (name, other) in [("00000001_.eml", "1_.eml"), ("00000002_S.eml", "2_SS.eml")] {
            try #require(rename("\(shard)/\(name)", "\(shard)/\(other)") == 0)
            try write("another in the place of \(name)", to: "\(shard)/\(name)")
        }
        // Something that is no message in the place of the third.
        try #require(rename("\(shard)/00000003_.eml", "\(shard)/3_.eml") == 0)
        try #require(mkdir("\(shard)/00000003_.eml", 0o700) == 0)
        if damage == "no log" { try #require(unlink("\(try t.directory())/changes.log") == 0) }
        try t.reopen { $0.bootID = "after a \(damage)" }
        let inbox = try t.mailbox()
        let texts = try inbox.snapshot().messages.map(\.uid).map { try inbox.text($0) }
        #expect(
            texts.sorted() == [
                "another in the place of 00000001_.eml", "another in the place of 00000002_S.eml", "message 1",
                "message 2", "message 3",
            ])
        // Without the log nothing tells which of them came first.
        for i in damage == "restart" ? 1...3 : 3...3 { #expect(try inbox.text(UID(UInt32(i))) == "message \(i)") }
        #expect(try inbox.append("new") == inbox.snapshot().messages.last?.uid)
    }

    @Test func anExpungeWinsOverTheNameItLeft() throws {
        let t = try TestStore()
        do {
            let inbox = try t.mailbox()
            try inbox.append("one")
            _ = try inbox.remove([UID(1)])
            let gone = try #require(inbox.recoverableMessages().first)
            let from =
                "\(try t.directory())/.expunged/\(gone.hour)/\(ExpungedName.string(gone.uidValidity, gone.uid, gone.flags))"
            mkdir("\(try t.directory())/0000", 0o700)
            try #require(link(from, "\(try t.directory())/0000/00000001_.eml") == 0)
        }
        try t.reopen { $0.bootID = "after a cut" }
        #expect(try t.mailbox().contents().isEmpty)
        t.check()
    }

    /// A recovery that dies anywhere leaves the first recent UID to the next one.
    @Test func recoveryCutOffKeepsTheFirstRecentUID() throws {
        let hook = FaultHook()
        var options = StoreOptions()
        options.hook = hook
        let t = try TestStore(options)
        do {
            let inbox = try t.mailbox()
            for i in 1...3 { try inbox.append("message \(i)") }
            #expect(try inbox.takeRecent() == UID(1))
            try inbox.append("recent")
        }
        var deaths = 0
        while deaths < 1_000 {
            try t.reopen { $0.bootID = "boot \(2 * deaths)" }
            hook.arm(.death(at: deaths))
            _ = try? t.mailbox()
            let hasDied = hook.disarm().failed != nil
            try t.reopen { $0.bootID = "boot \(2 * deaths + 1)" }
            let snapshot = try t.mailbox().snapshot()
            #expect(snapshot.recentUID == UID(4) && snapshot.messages.count == 4, "death at call \(deaths)")
            if !hasDied { break }
            deaths += 1
        }
        #expect(deaths > 20)
        t.check()
    }
}

extension MessageList {
    func map<R>(_ body: (MessageEntry) -> R) -> [R] {
        var all: [R] = []
        forEach { all.append(body($0)) }
        return all
    }
}
