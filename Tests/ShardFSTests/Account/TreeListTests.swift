import DurableFiles
import Glibc
import Primitives
import Testing

@testable import ShardFS

@Suite struct TreeListTests {
    private func name(_ text: String) throws -> MailboxName { try MailboxName(text) }

    @Test func order() throws {
        let t = try TreeScratch()
        try t.fill(["b", "A-B", "A/B", "INBOX/x", "a", "A", "INBOX", "\u{E9}", "Z"].map { ($0, []) })
        let list = try t.account.list()
        #expect(
            list.map(\.name.description) == ["INBOX", "INBOX/x", "A", "A/B", "A-B", "Z", "a", "b", "\u{E9}"])
        #expect(list.filter(\.hasChildren).map(\.name.description) == ["INBOX", "A"])
        #expect(list.filter { !$0.isSelectable } == [])
        try t.checkWhole()
    }

    /// Names that could collide with a file of the layout, or lead out of the account.
    @Test(arguments: [
        "0000", "0001/0000", "mailboxes", "mailboxes/mailboxes", "status.json", "changes.log", ".deleted", ".lock",
        ".gate", ".expunged", ".deleting.log", ".new.1", ".tmp", "...", "%2e%2e", "%", "a%2Fb", "..%2f..", "\u{1}",
        "\u{7F}", " ", "~", "CON", "a\u{301}", "\u{202E}x", "-rf", "*", #"a\b"#, "\u{1F4EC}",
        String(repeating: "x", count: 255), String(repeating: "%", count: 85),
        Array(repeating: "%%%%", count: 64).joined(separator: "/"),
    ])
    func harmfulNames(_ text: String) throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", ["a"]), (text, ["b"])])
        let name = try name(text)
        let listed = try t.account.list().map(\.name)
        #expect(listed.count == 1 + name.components.count && listed.last == name)
        #expect(try Set(t.names("")).isSubset(of: [".lock", "mailboxes", "quota.ledger", "uidvalidity"]))
        try t.account.rename(name, to: self.name("Moved"))
        #expect(try t.account.mailbox(self.name("Moved")).texts() == ["b"])
        try t.account.rename(self.name("Moved"), to: name)
        #expect(try t.account.mailbox(name).texts() == ["b"])
        try t.account.create(self.name("Parent"))
        try t.account.delete(name)
        #expect(throws: StoreError(.notFound, "")) { try t.account.mailbox(name) }
        #expect(try t.account.mailbox(.inbox).texts() == ["a"])
        try t.checkWhole()
    }

    @Test func passesOverWhatIsNoMailbox() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", []), ("A", ["a"])])
        let directory = try "\(t.directory)/mailboxes"
        for foreign in ["bad%zz", ".new.77", ".hidden", "inbox", "%41", "level"] {
            mkdir("\(directory)/\(foreign)", 0o700)
        }
        mkdir("\(directory)/bad%zz/mailboxes", 0o700)
        close(open("\(directory)/file", O_CREAT | O_RDWR, 0o600))
        symlink("A", "\(directory)/link")
        #expect(try t.tree() == ["INBOX=", "A=a", "level"])
        var s = stat()
        #expect(lstat("\(directory)/bad%zz", &s) == 0)
        // A directory with an invalid name keeps its parent level.
        mkdir("\(directory)/A/mailboxes", 0o700)
        mkdir("\(directory)/A/mailboxes/bad%zz", 0o700)
        try t.account.delete(name("A"))
        #expect(try t.tree() == ["INBOX=", "A", "level"])
        #expect(throws: StoreError(.notAllowed, "")) { try t.account.delete(name("A")) }
    }

    @Test func readOnly() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", []), ("A/B", [])])
        let account = try t.other { $0.readOnly = true }
        #expect(try account.list().map(\.name.description) == ["INBOX", "A", "A/B"])
        #expect(try account.subscriptions().count == 3)
        let refused = StoreError(.readOnly, "")
        #expect(throws: refused) { try account.delete(MailboxName("A")) }
        #expect(throws: refused) { try account.rename(MailboxName("A"), to: MailboxName("B")) }
        #expect(throws: refused) { try account.create(MailboxName("B")) }
        #expect(throws: refused) { try account.subscribe(.inbox) }
        #expect(throws: refused) { try account.unsubscribe(.inbox) }
        #expect(throws: refused) { try account.setSpecialUse(.sent, of: MailboxName("A")) }
        #expect(throws: refused) { try account.maintain() }
        #expect(throws: refused) { try account.createDefaults() }
    }

    /// One read of each mailbox's status and a lock: no mailbox is opened.
    @Test func largeTree() throws {
        let counter = CallCounter()
        var options = StoreOptions()
        options.hook = counter
        let t = try TreeScratch(options)
        try t.account.create(name("p/0"))
        let top = try "\(t.directory)/mailboxes/p/mailboxes"
        // A thousand copies of one mailbox are enough for a listing.
        for i in 1..<1000 {
            mkdir("\(top)/\(i)", 0o700)
            link("\(top)/0/status.json", "\(top)/\(i)/status.json")
            link("\(top)/0/changes.log", "\(top)/\(i)/changes.log")
        }
        counter.reset()
        #expect(try t.account.list().count == 1001)
        #expect(counter.count < 8 * 1001, "system calls")
    }

    // MARK: special use

    @Test(
        arguments: [
            (#"\Sent"#, #"\Sent"#), ("sent", #"\Sent"#), (#"\JUNK"#, #"\Junk"#), (#"\All"#, #"\All"#),
            (#"\Flagged"#, #"\Flagged"#), (#"\Archive"#, #"\Archive"#), (#"\Inbox"#, nil), ("", nil), (#"\"#, nil),
            (#"\Sent "#, nil), (#"\\Sent"#, nil),
        ] as [(String, String?)])
    func parsesSpecialUse(_ text: String, _ use: String?) { #expect(SpecialUse(parsing: text)?.description == use) }

    private func uses(_ t: TreeScratch) throws -> [String] {
        try t.account.list().compactMap { listing in listing.specialUse.map { "\(listing.name)\($0)" } }
    }

    @Test func defaults() throws {
        let t = try TreeScratch()
        try t.account.createDefaults()
        let all = [#"Archive\Archive"#, #"Drafts\Drafts"#, #"Junk\Junk"#, #"Sent\Sent"#, #"Trash\Trash"#]
        #expect(try uses(t) == all)
        #expect(try t.account.subscriptions().count == 6)
        try t.account.unsubscribe(name("Junk"))
        try t.account.delete(name("Trash"))
        try t.account.createDefaults()
        #expect(try uses(t) == all)
        #expect(try t.account.subscriptions().map(\.description) == ["INBOX", "Sent", "Drafts", "Trash", "Archive"])
        #expect(try t.account.mailbox(name("Sent")).snapshot().specialUse == #"\Sent"#)
        try t.checkWhole()
    }

    @Test func oneMailboxForEachUse() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", []), ("Sent", []), ("Deeper/Trash", [])])
        #expect(try uses(t) == [#"Sent\Sent"#], "by its name, at the top only")
        try t.account.create(name("Gesendet"), specialUse: #"\sent"#)
        #expect(try uses(t) == [#"Gesendet\Sent"#])
        #expect(throws: StoreError(.notAllowed, "")) { try t.account.create(name("More"), specialUse: #"\Sent"#) }
        #expect(throws: StoreError(.invalidArgument, "")) { try t.account.create(name("More"), specialUse: #"\Inbox"#) }
        try t.account.setSpecialUse(.sent, of: name("Deeper/Trash"))
        #expect(try uses(t) == [#"Deeper/Trash\Sent"#])
        try t.account.setSpecialUse(nil, of: name("Deeper/Trash"))
        #expect(try uses(t) == [#"Sent\Sent"#])
        try t.account.setSpecialUse(nil, of: name("Sent"))
        #expect(try uses(t) == [])
        #expect(try t.account.mailbox(name("Sent")).snapshot().specialUse == nil)
        #expect(throws: StoreError(.notAllowed, "")) { try t.account.setSpecialUse(.junk, of: .inbox) }
        #expect(throws: StoreError(.notFound, "")) { try t.account.setSpecialUse(.junk, of: name("No")) }
        try t.account.createDefaults()
        #expect(try uses(t) == [#"Archive\Archive"#, #"Drafts\Drafts"#, #"Junk\Junk"#, #"Trash\Trash"#])
        // Another program gave two the same: the first is shown.
        for other in ["Junk", "Trash"] {
            _ = try t.account.mailbox(name(other)).updateStatus { $0.specialUse = #"\Flagged"# }
        }
        #expect(try uses(t) == [#"Archive\Archive"#, #"Drafts\Drafts"#, #"Junk\Flagged"#])
        try t.checkWhole()
    }

    @Test func setSpecialUseKilledAtEachCall() throws {
        try killAtEachCall {
            try $0.fill([("INBOX", []), ("A", ["a"]), ("B", [])])
            try $0.account.setSpecialUse(.sent, of: MailboxName("A"))
        } operation: {
            try $0.setSpecialUse(.sent, of: MailboxName("B"))
        } check: { t, returned, call in
            let now = try uses(t)
            #expect(now == [#"B\Sent"#] || (!returned && now == [#"A\Sent"#]), "call \(call): \(now)")
            try t.checkWhole()
        }
    }

    // MARK: subscriptions

    @Test func subscriptionsWithoutAFile() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", []), ("A/B", [])])
        try t.account.delete(name("A"))
        #expect(try t.account.subscriptions() == [.inbox, name("A/B")], "every mailbox")
        try t.account.unsubscribe(name("No"))
        #expect(try t.names("").contains("subscriptions.json") == false, "nothing was changed")
        try t.account.subscribe(name("Later"))
        #expect(try t.account.subscriptions() == [.inbox, name("A/B"), name("Later")])
        try t.account.unsubscribe(.inbox)
        try t.fill([("C", [])])
        try t.account.rename(name("A/B"), to: name("D"))
        #expect(try t.account.subscriptions() == [name("A/B"), name("Later")], "names, not mailboxes")
        try t.checkWhole()
    }

    /// An adopted store of the old program keeps the mailboxes that its user sees.
    @Test func defaultsOfAnAdoptedStore() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", []), ("Sent", ["a"]), ("Mine", [])])
        for mailbox in ["INBOX", "Sent", "Mine"] {
            unlink(try "\(t.directory)/mailboxes/\(mailbox)/changes.log")
            let status = try "\(t.directory)/mailboxes/\(mailbox)/status.json"
            let text = #"{"uid_validity": \#(mailbox.utf8.count), "uid_next": 2}"#
            let fd = open(status, O_WRONLY | O_TRUNC)
            write(fd, text, text.utf8.count)
            close(fd)
        }
        try t.reopen()
        #expect(try uses(t) == [#"Sent\Sent"#])
        try t.account.createDefaults()
        #expect(try t.account.subscriptions().count == 7)
        #expect(try t.account.mailbox(name("Sent")).texts() == ["a"])
        #expect(try t.account.mailbox(name("Sent")).snapshot().uidValidity == 4)
    }

    // MARK: quota

    /// Recovery of a mailbox that lost both files takes the account's lock, so it must not run while that is held.
    @Test func recountWithAMailboxThatLostEverything() throws {
        var options = StoreOptions()
        // Fails a deadlock early instead of waiting.
        options.lockWait = 5
        let t = try TreeScratch(options)
        try t.fill([("INBOX", ["a"]), ("A", ["b"])])
        try t.account.close()
        unlink(try "\(t.directory)/quota.ledger")
        for file in ["changes.log", "status.json"] {
            let fd = open(try "\(t.directory)/mailboxes/A/\(file)", O_WRONLY | O_TRUNC)
            write(fd, "x", 1)
            close(fd)
        }
        try t.reopen()
        #expect(try t.account.quota().messages == 2)
        try t.checkWhole()
    }
}

private final class CallCounter: SystemHook {
    private let calls = Locked(0)
    var count: Int { calls.withLock { $0 } }
    func reset() { calls.withLock { $0 = 0 } }
    func before(_ call: SystemCall) -> Errno? {
        calls.withLock { $0 += 1 }
        return nil
    }
}
