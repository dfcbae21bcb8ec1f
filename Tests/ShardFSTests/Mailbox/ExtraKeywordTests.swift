import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// Looks at the mailbox before every call of another process.
private final class LookBetweenCalls: SystemHook {
    let look = Locked<(@Sendable () -> Void)?>(nil)

    func before(_ call: SystemCall) -> Errno? {
        look.withLock { $0 }?()
        return nil
    }
}

/// Does something once, just before keywords.json is read.
private final class BeforeKeywords: SystemHook {
    let action = Locked<(@Sendable () -> Void)?>(nil)

    func before(_ call: SystemCall) -> Errno? {
        guard case .open(_, KeywordFile.fileName, _) = call else { return nil }
        action.withLock { action in
            defer { action = nil }
            return action
        }?()
        return nil
    }
}

/// Fails the calls that put keywords.json in place.
private final class NoKeywordFile: SystemHook {
    let isArmed = Locked(false)

    func before(_ call: SystemCall) -> Errno? {
        guard case .rename(_, _, _, KeywordFile.fileName) = call, isArmed.withLock({ $0 }) else { return nil }
        return .io
    }
}

/// Keywords beyond the 31 letters.
@Suite struct ExtraKeywordTests {
    /// `uid:keywords beyond the letters` of every message.
    static func extra(_ mailbox: Mailbox) throws -> [String] {
        let snapshot = try mailbox.snapshot()
        return snapshot.messages.map {
            "\($0.uid):\(snapshot.extraKeywords.names(of: $0.uid).joined(separator: ","))"
        }
    }

    static func allNames(_ mailbox: Mailbox, _ uid: UID) throws -> Set<String> {
        let snapshot = try mailbox.snapshot()
        let entry = try #require(snapshot.messages.entry(of: uid))
        return Set(snapshot.keywords.names(in: entry.flags) + snapshot.extraKeywords.names(of: uid))
    }

    /// A message with every letter, and two others.
    private static func full(_ t: TestStore, _ name: String = "INBOX") throws -> Mailbox {
        let mailbox = try t.mailbox(name)
        try mailbox.fillLetters()
        try mailbox.append("two")
        try mailbox.append("three")
        return mailbox
    }

    private static func other(_ t: TestStore, _ change: (inout StoreOptions) -> Void = { _ in }) throws -> Mailbox {
        var options = t.options
        change(&options)
        return try Store.open(t.path, options: options)
            .account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
    }

    @Test(arguments: [31, 32, 60, 500]) func messageKeepsAllItsKeywords(_ count: Int) throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let names = (1...count).map { "kw\($0)" }
        let uid = try inbox.append(inbox.finished("many"), flags: NamedFlags(.seen, keywords: names)).uid
        let set = try inbox.append([
            (inbox.finished("a"), NamedFlags(keywords: names)),
            (inbox.finished("b"), NamedFlags(keywords: ["KW\(count)"])),
        ])
        let sent = try t.mailbox("Sent")
        try sent.fillLetters()
        let copied = try inbox.copy([uid], to: sent).copied[0].target
        let moved = try inbox.move([set[0].uid], to: sent).copied[0].target
        let within = try inbox.copy([uid], to: inbox).copied[0].target
        // To a mailbox with room for 31 of them.
        let back = try sent.copy([moved], to: t.mailbox("Archive")).copied[0].target
        func check() throws {
            for (mailbox, uid) in [
                ("INBOX", uid), ("INBOX", within), ("Sent", copied), ("Sent", moved), ("Archive", back),
            ] {
                #expect(try Self.allNames(t.mailbox(mailbox), uid) == Set(names), "\(uid) of \(mailbox)")
            }
            #expect(try Self.allNames(t.mailbox(), set[1].uid) == ["kw\(count)"])
            // Without overflow there is no file.
            #expect((access("\(try t.directory())/\(KeywordFile.fileName)", F_OK) == 0) == (count > 31))
            t.check()
        }
        try check()
        try t.reopen()
        try check()
        for name in ["INBOX", "Sent"] { try t.mailbox(name).compact() }
        try check()
        // A restart without a clean close, then one with it.
        try t.reopen { $0.bootID = "boot-2" }
        try check()
        try t.store.close()
        try t.reopen { $0.bootID = "boot-3" }
        try check()
        for file in [LogFile.fileName, MailboxStatus.fileName] {
            unlink("\(try t.directory())/\(file)")
            try t.reopen()
            try check()
        }
    }

    @Test func everyWayToChangeThem() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        let (two, three) = (UID(2), UID(3))
        var highest = try inbox.snapshot().highestModSeq
        func change(
            _ uids: [UID], _ operation: FlagOperation, _ flags: NamedFlags, since: ModSeq? = nil, raises: Int = 1
        ) throws -> FlagResult {
            let result = try inbox.changeFlags(uids, operation, flags, unchangedSince: since).result
            let now = try inbox.snapshot().highestModSeq
            #expect((now > highest) == (raises > 0))
            #expect(result.changed.filter { $0.modSeq > highest }.count == raises)
            highest = now
            return result
        }
        _ = try change([two, three], .add, NamedFlags(.flagged, keywords: ["Extra", "more", "full1"]), raises: 2)
        #expect(try Self.extra(inbox) == ["1:", "2:Extra,more", "3:Extra,more"])
        #expect(try inbox.contents()[1] == "2:1F")
        // What it has it keeps, in the spelling that was first.
        _ = try change([two], .add, NamedFlags(keywords: ["EXTRA"]), raises: 0)
        _ = try change([two], .remove, NamedFlags(keywords: ["extra", "nobody"]))
        _ = try change([two], .remove, NamedFlags(keywords: ["extra"]), raises: 0)
        #expect(try Self.extra(inbox) == ["1:", "2:more", "3:Extra,more"])
        _ = try change([three], .replace, NamedFlags(.seen, keywords: ["Third", "MORE"]))
        #expect(try Self.extra(inbox) == ["1:", "2:more", "3:more,Third"])
        #expect(try inbox.contents()[2] == "3:S")
        // System flags alone leave them, except when they replace all.
        _ = try change([three], .add, NamedFlags(.answered))
        _ = try change([three], .remove, NamedFlags(.seen))
        #expect(try Self.extra(inbox)[2] == "3:more,Third")
        let before = try #require(inbox.snapshot().messages.entry(of: two)).modSeq
        let result = try change([two, three], .replace, NamedFlags(), since: before)
        #expect(result.modified == [three])
        #expect(try Self.extra(inbox) == ["1:", "2:", "3:more,Third"])
        _ = try change([three], .replace, NamedFlags())
        #expect(try Self.extra(inbox) == ["1:", "2:", "3:"])
        #expect(inbox.extraKeywords.isEmpty)
        #expect(try change([UID(9)], .add, NamedFlags(keywords: ["Extra"]), raises: 0).missing == [UID(9)])
        #expect(inbox.extraKeywords.isEmpty)
        t.check()
    }

    /// Another process sees letters and other keywords of one change at one time, whenever it looks.
    @Test(arguments: ["store", "many", "replace", "append", "set", "move"])
    func noReaderSeesHalfAChange(_ way: String) throws {
        let t = try TestStore()
        let sent = try t.mailbox("Sent")
        _ = try sent.append(sent.finished("moved"), flags: NamedFlags(.flagged, keywords: ["Extra", "full1"]))
        let inbox = try Self.full(t)
        _ = try inbox.changeFlags([UID(3)], .add, NamedFlags(.answered, keywords: ["Old"]))
        let hook = LookBetweenCalls()
        let writer = try Self.other(t) { $0.hook = hook }
        let follower = Locked(try Self.other(t))
        @Sendable func state() throws -> String {
            let snapshot = try follower.withLock { $0 }.snapshot()
            return snapshot.messages.dropFirst().map {
                "\($0.flags.letters) \(snapshot.extraKeywords.names(of: $0.uid).joined(separator: ","))"
            }.joined(separator: "; ")
        }
        let before = try state()
        let seen = Locked<[String]>([])
        let isLooking = Locked(false)
        hook.look.withLock {
            $0 = {
                guard
                    isLooking.withLock({ looking in
                        defer { looking = true }
                        return !looking
                    })
                else { return }
                defer { isLooking.withLock { $0 = false } }
                let now = (try? state()) ?? "failed"
                seen.withLock { if $0.last != now { $0.append(now) } }
            }
        }
        let flags = NamedFlags(.flagged, keywords: ["Extra", "full1"])
        switch way {
        case "store": _ = try writer.changeFlags([UID(3)], .add, flags)
        case "many": _ = try writer.changeFlags([UID(2), UID(3)], .add, flags)
        case "replace": _ = try writer.changeFlags([UID(3)], .replace, flags)
        case "append": _ = try writer.append(writer.finished("new"), flags: flags)
        case "set": _ = try writer.append([(writer.finished("new"), flags), (writer.finished("newer"), flags)])
        default:
            let store = try Store.open(
                t.path,
                options: {
                    var o = t.options; o.hook = hook; return o
                }())
            let account = try store.account(AccountAddress(parsing: "alice@example.com"))
            _ = try account.mailbox(MailboxName("Sent")).move([UID(1)], to: account.mailbox(.inbox))
        }
        hook.look.withLock { $0 = nil }
        let after = try state()
        #expect(after != before)
        // A set, or a round of flags, is written by one call.
        #expect(
            seen.withLock { $0 }.allSatisfy { $0 == before || $0 == after }, "\(seen.withLock { $0 }), then \(after)")
        #expect(seen.withLock { $0.first } == before)
        #expect(try Self.extra(inbox).dropFirst(2).contains("3:Extra") == (way == "replace"))
        t.check()
    }

    /// A follower that looks for the first time when the file has the next change already.
    @Test func lateReaderSeesNoUnfinishedChange() throws {
        let t = try TestStore()
        _ = try Self.full(t)
        let hook = LookBetweenCalls()
        let writer = try Self.other(t) { $0.hook = hook }
        let follower = Locked(try Self.other(t))
        _ = try writer.changeFlags([UID(3)], .add, NamedFlags(.answered, keywords: ["Old"]))
        let path = try t.directory()
        let seen = Locked<[String]?>(nil)
        hook.look.withLock {
            $0 = {
                guard (try? Program.text("\(path)/\(KeywordFile.fileName)"))?.contains("Extra") == true else { return }
                seen.withLock { seen in
                    if seen == nil { seen = try? Self.extra(follower.withLock { $0 }) }
                }
            }
        }
        _ = try writer.changeFlags([UID(3)], .add, NamedFlags(.flagged, keywords: ["Extra"]))
        hook.look.withLock { $0 = nil }
        #expect(seen.withLock { $0 } == ["1:", "2:", "3:Old"])
        #expect(try Self.extra(follower.withLock { $0 }) == ["1:", "2:", "3:Extra,Old"])
        t.check()
    }

    /// The file changes between a follower's look at the log and its look at the file.
    @Test func fileThatIsAheadOfTheLogIsNotShownAlone() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        let hook = BeforeKeywords()
        let follower = try Self.other(t) { $0.hook = hook }
        _ = try inbox.changeFlags([UID(3)], .add, NamedFlags(.answered, keywords: ["Old"]))
        hook.action.withLock {
            $0 = { _ = try? inbox.changeFlags([UID(3)], .add, NamedFlags(.flagged, keywords: ["Extra"])) }
        }
        let snapshot = try follower.snapshot()
        let entry = try #require(snapshot.messages.entry(of: UID(3)))
        #expect(snapshot.extraKeywords.names(of: UID(3)) == ["Extra", "Old"])
        #expect(entry.flags == [.answered, .flagged])
        t.check()
    }

    @Test func otherProcessesFollow() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        let there = try Self.other(t)
        let highest = try there.snapshot().highestModSeq
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["Extra"]))
        #expect(try Self.extra(there) == ["1:", "2:Extra", "3:"])
        #expect(try there.snapshot().highestModSeq > highest)
        _ = try there.changeFlags([UID(2), UID(3)], .add, NamedFlags(keywords: ["Other"]))
        #expect(try Self.extra(inbox) == ["1:", "2:Extra,Other", "3:Other"])
        // Compacted in between, and with a log that the follower never read.
        _ = try inbox.changeFlags([UID(3)], .remove, NamedFlags(keywords: ["Other"]))
        try inbox.compact()
        #expect(try Self.extra(there) == ["1:", "2:Extra,Other", "3:"])
        // Replaced by one that had not seen them.
        _ = try inbox.changeFlags([UID(3)], .add, NamedFlags(keywords: ["Late"]))
        _ = try there.changeFlags([UID(3)], .replace, NamedFlags(.seen))
        #expect(try Self.extra(inbox) == ["1:", "2:Extra,Other", "3:"])
        t.check()
    }

    @Test func concurrentChangesLoseNothing() async throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        let mailboxes = [inbox, try Self.other(t), try Self.other(t)]
        await withTaskGroup(of: Void.self) { group in
            for (n, mailbox) in mailboxes.enumerated() {
                group.addTask {
                    for i in 0..<10 {
                        _ = try? mailbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["k\(n)-\(i)"]))
                        _ = try? mailbox.changeFlags([UID(3)], i % 2 == 0 ? .add : .remove, NamedFlags(.seen))
                        _ = try? mailbox.compact()
                    }
                }
            }
        }
        let names = Set((0..<3).flatMap { n in (0..<10).map { "k\(n)-\($0)" } })
        for mailbox in mailboxes { #expect(try Self.allNames(mailbox, UID(2)) == names) }
        try t.reopen()
        #expect(try Self.allNames(t.mailbox(), UID(2)) == names)
        t.check()
    }

    @Test func limits() throws {
        let notices = Locked<[String]>([])
        var options = StoreOptions()
        options.notice = { text in notices.withLock { $0.append(text) } }
        let t = try TestStore(options)
        let inbox = try Self.full(t)
        let names = (0..<KeywordFile.maximumKeywords).map { "kw\($0)" }
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: names))
        let before = try inbox.snapshot()
        #expect(throws: StoreError(.limit, "")) {
            try inbox.changeFlags([UID(2), UID(3)], .add, NamedFlags(.flagged, keywords: ["kw1", "one-more"]))
        }
        #expect(try inbox.snapshot().highestModSeq == before.highestModSeq)
        // Known ones have room, and no message is refused.
        _ = try inbox.changeFlags([UID(3)], .add, NamedFlags(keywords: ["kw1"]))
        #expect(notices.withLock { $0 }.isEmpty)
        let new = try inbox.append(inbox.finished("four"), flags: NamedFlags(.seen, keywords: ["KW7", "one-more"])).uid
        #expect(try Self.allNames(inbox, new) == ["kw7"])
        #expect(notices.withLock { $0.count } == 1)
        // A message that is gone for good makes room.
        _ = try inbox.remove([UID(2)])
        _ = try inbox.purgeExpunged(before: "9999999999")
        _ = try inbox.changeFlags([UID(3)], .add, NamedFlags(keywords: ["one-more"]))
        #expect(try Self.allNames(inbox, UID(3)) == ["kw1", "one-more"])
        #expect(inbox.extraKeywords.names.count == 3)
        t.check()
    }

    @Test func expungedMessagesKeepThem() throws {
        let t = try TestStore()
        var inbox = try Self.full(t)
        _ = try inbox.changeFlags([UID(2), UID(3)], .add, NamedFlags(keywords: ["Extra"]))
        _ = try inbox.remove([UID(2), UID(3)])
        // The first publication after opening leaves out those that are gone.
        try t.reopen()
        inbox = try t.mailbox()
        _ = try inbox.changeFlags([UID(1)], .add, NamedFlags(keywords: ["Later"]))
        let gone = try #require(inbox.recoverableMessages().first { $0.uid == UID(2) })
        let back = try inbox.undelete(gone).uid
        #expect(try Self.extra(inbox) == ["1:Later", "\(back):Extra"])
        _ = try inbox.purgeExpunged(before: "9999999999")
        try t.reopen()
        inbox = try t.mailbox()
        _ = try inbox.changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Later"]))
        #expect(inbox.extraKeywords.uids(of: "Extra") == [back.rawValue...back.rawValue])
        // A new UIDVALIDITY: status.json and the log are lost.
        _ = try inbox.remove([back])
        _ = try inbox.changeFlags([UID(1)], .add, NamedFlags(keywords: ["Live"]))
        let validity = try inbox.snapshot().uidValidity
        for file in [LogFile.fileName, MailboxStatus.fileName] { unlink("\(try t.directory())/\(file)") }
        try t.reopen()
        inbox = try t.mailbox()
        #expect(try inbox.snapshot().uidValidity > validity)
        #expect(try Self.extra(inbox) == ["1:Live"])
        let last = try inbox.undelete(#require(inbox.recoverableMessages().first)).uid
        #expect(try Self.extra(inbox) == ["1:Live", "\(last):Extra"])
        t.check()
    }

    /// A log and a status.json of an older time: no new message has the keywords of one that had its UID.
    @Test func keywordsOfAMessageThatIsGoneAreNobodyElses() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        let directory = try t.directory()
        let saved = "\(t.path)/saved"
        try #require(Program.run(["/bin/cp", "-a", directory, saved]).status == 0)
        let late = try inbox.append(inbox.finished("late"), flags: NamedFlags(keywords: ["Secret"])).uid
        unlink("\(directory)/0000/\(MessageFileName.string(late, []))")
        for file in [LogFile.fileName, MailboxStatus.fileName] {
            try #require(Program.run(["/bin/cp", "-a", "\(saved)/\(file)", directory]).status == 0)
        }
        removeTree(saved)
        try t.reopen { $0.bootID = "boot-2" }
        let now = try t.mailbox()
        for n in 0..<3 { try now.append("new \(n)") }
        #expect(try Self.extra(now).allSatisfy { !$0.contains("Secret") })
        t.check()
    }

    @Test func copiedDirectoryHasTheKeywordsOfItsOriginal() throws {
        let t = try TestStore()
        let lists = try Self.full(t, "Lists")
        _ = try lists.changeFlags([UID(2)], .add, NamedFlags(keywords: ["Extra"]))
        try #require(Program.run(["/bin/cp", "-a", t.directory("Lists"), t.directory("Lists") + "2"]).status == 0)
        let copy = try t.mailbox("Lists2")
        #expect(copy.id != lists.id)
        #expect(try Self.extra(copy) == ["1:", "2:Extra", "3:"])
        _ = try lists.changeFlags([UID(2)], .remove, NamedFlags(keywords: ["Extra"]))
        #expect(try Self.extra(copy) == ["1:", "2:Extra", "3:"])
        t.check()
    }

    @Test func renamedMailboxKeepsThem() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["Extra"]))
        let account = try t.account()
        try account.rename(.inbox, to: MailboxName("Old"))
        #expect(try Self.extra(t.mailbox("Old")) == ["1:", "2:Extra", "3:"])
        try account.rename(MailboxName("Old"), to: MailboxName("Older"))
        try t.reopen()
        #expect(try Self.extra(t.mailbox("Older")) == ["1:", "2:Extra", "3:"])
        t.check()
    }

    /// Letters become free; the name gets one for a second message.
    @Test func nameWithALetterAndWithout() throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["Extra"]))
        _ = try inbox.changeFlags([UID(1)], .replace, NamedFlags())
        _ = try inbox.changeFlags([UID(3)], .add, NamedFlags(keywords: ["extra"]))
        let letter = try #require(try inbox.snapshot().keywords.flag("EXTRA"))
        #expect(try Self.extra(inbox) == ["1:", "2:Extra", "3:"])
        _ = try inbox.changeFlags([UID(2), UID(3)], .remove, NamedFlags(keywords: ["extra"]))
        #expect(try Self.allNames(inbox, UID(2)).isEmpty && Self.allNames(inbox, UID(3)).isEmpty)
        // Stored again, it has the letter alone.
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["Extra"]))
        #expect(inbox.extraKeywords.isEmpty)
        #expect(try #require(inbox.snapshot().messages.entry(of: UID(2))).flags == letter)
        t.check()
    }

    @Test func keptViewShowsNoOldKeywords() throws {
        let cache = MemoryViewCache()
        var options = StoreOptions()
        options.viewCache = cache
        let t = try TestStore(options)
        let inbox = try Self.full(t)
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["Extra"]))
        inbox.keepView()
        let there = try Self.other(t) { $0.viewCache = nil }
        _ = try there.changeFlags([UID(2)], .replace, NamedFlags(keywords: ["Other"]))
        try t.reopen()
        #expect(try Self.extra(t.mailbox()) == ["1:", "2:Other", "3:"])
        t.check()
    }

    @Test func failedPublicationChangesNothing() throws {
        let t = try TestStore()
        _ = try Self.full(t)
        let hook = NoKeywordFile()
        let inbox = try Self.other(t) { $0.hook = hook }
        _ = try inbox.changeFlags([UID(3)], .add, NamedFlags(keywords: ["Old"]))
        hook.isArmed.withLock { $0 = true }
        let flags = NamedFlags(.flagged, keywords: ["Extra"])
        #expect(throws: StoreError.self) { try inbox.changeFlags([UID(2), UID(3)], .add, flags) }
        #expect(throws: StoreError.self) { try inbox.append(inbox.finished("four"), flags: flags) }
        #expect(throws: StoreError.self) {
            try inbox.append([(inbox.finished("five"), flags), (inbox.finished("six"), flags)])
        }
        #expect(try Self.extra(inbox) == ["1:", "2:", "3:Old"])
        #expect(try inbox.contents().dropFirst() == ["2:", "3:"])
        hook.isArmed.withLock { $0 = false }
        _ = try inbox.changeFlags([UID(2), UID(3)], .add, flags)
        #expect(try Self.extra(t.mailbox()) == ["1:", "2:Extra", "3:Extra,Old"])
        t.check()
    }

    @Test(arguments: ["", "[]", #"{"keywords": 3}"#, #"{"keywords": {"7": {"two words": "1"}}}"#])
    func damagedFileIsReported(_ text: String) throws {
        let t = try TestStore()
        let inbox = try Self.full(t)
        _ = try inbox.changeFlags([UID(2)], .add, NamedFlags(keywords: ["Extra"]))
        let path = "\(try t.directory())/\(KeywordFile.fileName)"
        let fd = Glibc.open(path, O_WRONLY | O_TRUNC)
        #expect(write(fd, text, text.utf8.count) == text.utf8.count)
        close(fd)
        #expect(try StoreCheck(root: t.path).run().has(.documentBad))
        try t.reopen()
        let now = try t.mailbox()
        #expect(try Self.extra(now) == ["1:", "2:", "3:"])
        // The next change puts it right.
        _ = try now.changeFlags([UID(3)], .add, NamedFlags(keywords: ["Extra"]))
        #expect(try Self.extra(now) == ["1:", "2:", "3:Extra"])
        t.check()
    }

    /// Keys of a later version stay.
    @Test func unknownKeysAreKept() throws {
        let file = try KeywordFile(
            parsing: Array(#"{"colour": "blue", "keywords": {"5": {"b": "2", "A": "1:3"}, "x": {}}}"#.utf8))
        #expect(!file.isWhole)
        #expect(file.keywords[5]?.names == ["A", "b"])
        let text = String(decoding: try file.serialized(), as: UTF8.self)
        #expect(
            text == """
                {
                  "colour" : "blue",
                  "keywords" : {
                    "5" : {
                      "A" : "1:3",
                      "b" : "2"
                    }
                  }
                }

                """)
    }
}
