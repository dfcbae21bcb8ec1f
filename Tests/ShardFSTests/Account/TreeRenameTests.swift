import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

@Suite struct TreeRenameTests {
    private static let start = [
        ("INBOX", ["a"]), ("INBOX/kept", ["b"]), ("Work", ["c", "d"]), ("Work/2024", ["e"]), ("Work/2024/May", ["f"]),
        ("Other", ["g"]),
    ]

    @Test(arguments: [
        ("Work", "Play", ["Other=g", "Play=c,d", "Play/2024=e", "Play/2024/May=f"]),
        ("Work", "work", ["Other=g", "work=c,d", "work/2024=e", "work/2024/May=f"]),
        (
            "Work", "New/Deep/Work",
            [
                "New=", "New/Deep=", "New/Deep/Work=c,d", "New/Deep/Work/2024=e", "New/Deep/Work/2024/May=f", "Other=g",
            ]
        ),
        ("Work/2024", "2024", ["2024=e", "2024/May=f", "Other=g", "Work=c,d"]),
        ("Work/2024/May", "Work/May", ["Other=g", "Work=c,d", "Work/2024=e", "Work/May=f"]),
        ("Work/2024", "INBOX/2024", ["Other=g", "Work=c,d"]),
        ("Work", "0000", ["0000=c,d", "0000/2024=e", "0000/2024/May=f", "Other=g"]),
        (
            "Work", "100% .x/..y",
            [
                "100% .x=", "100% .x/..y=c,d", "100% .x/..y/2024=e", "100% .x/..y/2024/May=f", "Other=g",
            ]
        ),
    ])
    func moves(_ old: String, _ new: String, _ tree: [String]) throws {
        let t = try TreeScratch()
        try t.fill(Self.start)
        let account = try t.account
        let name = try MailboxName(old)
        let target = try MailboxName(new)
        let mailbox = try account.mailbox(name)
        let before = try mailbox.snapshot()
        let elsewhere = try t.other()
        let foreign = try elsewhere.mailbox(name)
        try account.rename(name, to: target)
        let below = new.hasPrefix("INBOX") ? ["INBOX/2024=e", "INBOX/2024/May=f"] : []
        let inbox = ["INBOX=a"] + below + ["INBOX/kept=b"]
        #expect(try t.tree() == inbox + tree)
        // Mailbox objects of this process follow; other processes look the name up again.
        #expect(try mailbox.snapshot().uidValidity == before.uidValidity)
        #expect(try account.mailbox(target) === mailbox)
        try mailbox.append("after")
        #expect(throws: StoreError(.gone, "")) { try foreign.append("x") }
        #expect(try elsewhere.mailbox(target) === foreign)
        #expect(try foreign.texts().last == "after")
        #expect(throws: StoreError(.notFound, "")) { try account.mailbox(name) }
        // A new mailbox under the old name has another UIDVALIDITY.
        try account.create(name)
        #expect(try account.mailbox(name).snapshot().uidValidity > before.uidValidity)
        #expect(throws: StoreError(.exists, "")) { try account.rename(target, to: name) }
        try t.checkWhole()
    }

    @Test(arguments: [
        ("Work", "Work", StoreError.Code.exists), ("Work", "Other", .exists), ("Work/2024", "Work", .exists),
        ("Work", "inbox", .exists), ("No", "Other", .notFound), ("No", "No/x", .notAllowed), ("No", "New", .notFound),
        ("Work", "Work/2024/x", .notAllowed), ("Work", "Work/x", .notAllowed), ("INBOX", "Work", .exists),
        ("INBOX", "INBOX", .exists), ("Work", String(repeating: "0123456789/", count: 62) + "x", .limit),
        ("Work", (0..<4).map { _ in String(repeating: "x", count: 249) }.joined(separator: "/"), .limit),
    ])
    func refuses(_ old: String, _ new: String, _ code: StoreError.Code) throws {
        let t = try TreeScratch()
        try t.fill(Self.start)
        let before = try t.tree()
        #expect(throws: StoreError(code, "")) { try t.account.rename(MailboxName(old), to: MailboxName(new)) }
        #expect(try t.tree() == before)
        try t.checkWhole()
    }

    @Test func sameNameInAnotherNormalForm() throws {
        let t = try TreeScratch()
        try t.fill([("Entw\u{FC}rfe", ["a"])])
        #expect(throws: StoreError(.exists, "")) {
            try t.account.rename(MailboxName("Entw\u{FC}rfe"), to: MailboxName("Entwu\u{308}rfe"))
        }
        try t.account.rename(MailboxName("Entwu\u{308}rfe"), to: MailboxName("entwu\u{308}rfe"))
        #expect(try t.tree() == ["entw\u{FC}rfe=a"])
        try t.checkWhole()
    }

    @Test func levelWithoutMessages() throws {
        let t = try TreeScratch()
        try t.fill([("A/B", ["b"]), ("A/B/C", ["c"])])
        try t.account.delete(MailboxName("A"))
        try t.account.delete(MailboxName("A/B"))
        try t.account.rename(MailboxName("A"), to: MailboxName("X/Y"))
        #expect(try t.tree() == ["X=", "X/Y", "X/Y/B", "X/Y/B/C=c"])
        // An existing level does not become a mailbox when something is created below it.
        try t.account.create(MailboxName("X/Y/B/D"))
        #expect(try t.tree() == ["X=", "X/Y", "X/Y/B", "X/Y/B/C=c", "X/Y/B/D="])
        try t.checkWhole()
    }

    @Test func inbox() throws {
        let t = try TreeScratch()
        try t.fill(Self.start)
        let account = try t.account
        let inbox = try account.mailbox(.inbox)
        _ = try inbox.changeFlags([UID(1)], .add([.seen, inbox.keywords(["Work"], create: true)]))
        let validity = try inbox.snapshot().uidValidity
        try account.rename(.inbox, to: MailboxName("Saved/Mail"))
        let saved = try account.mailbox(MailboxName("Saved/Mail"))
        #expect(try saved.texts() == ["a"])
        let flags = try #require(saved.snapshot().messages.entry(of: UID(1))?.flags)
        #expect(try flags.contains(.seen) && saved.snapshot().keywords.names(in: flags) == ["Work"])
        #expect(try inbox.snapshot().uidValidity == validity)
        #expect(try inbox.append("next") == UID(2))
        #expect(
            try t.tree() == [
                "INBOX=next", "INBOX/kept=b", "Other=g", "Saved=", "Saved/Mail=a", "Work=c,d", "Work/2024=e",
                "Work/2024/May=f",
            ])
        try t.checkWhole()
    }

    /// A message ends up in the mailbox once, wherever that is; a writer that gets `gone` looks the name up again.
    @Test func whileOthersAppend() throws {
        let t = try TreeScratch()
        try t.fill([("A", []), ("A/x", [])])
        let account = try t.account
        let other = try t.other()
        let failures = Locked<[String]>([])
        let done = Locked(0)
        let reader = try account.mailbox(MailboxName("A/x"))
        onThreads(5) { thread in
            do throws(StoreError) {
                if thread == 0 {
                    var name = "A"
                    for round in 0... {
                        if done.withLock({ $0 }) == 3 { break }
                        let next = round % 2 == 0 ? "B/C" : "A"
                        try account.rename(MailboxName(name), to: MailboxName(next))
                        name = next
                    }
                    return
                }
                if thread == 4 {
                    // A reader in the renaming process never takes the rename for a deletion.
                    while done.withLock({ $0 }) < 3 { _ = try reader.snapshot() }
                    return
                }
                defer { done.withLock { $0 += 1 } }
                let account = thread == 1 ? other : account
                var open = try Self.find(account)
                for i in 0..<60 {
                    let message = try open.finished("\(thread).\(i)")
                    while true {
                        do throws(StoreError) {
                            _ = try open.append(message)
                            break
                        } catch {
                            guard error.code == .gone, thread == 1 else { throw error }
                            open = try Self.find(account)
                        }
                    }
                }
            } catch {
                failures.withLock { $0.append("thread \(thread): \(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        let texts = try Self.find(account).texts()
        #expect(texts.count == 180 && Set(texts).count == 180)
        for thread in 1...3 {
            let own = texts.filter { $0.hasPrefix("\(thread).") }
            #expect(own == (0..<60).map { "\(thread).\($0)" })
        }
        try t.checkWhole()
    }

    /// The directories above a message are synced without the mailbox's lock. If they are renamed at any sync, that is
    /// not a failed sync, which would undo the append and close the mailbox.
    @Test func betweenAppendAndItsSync() throws {
        for at in 0... {
            let hook = SyncHook()
            var options = StoreOptions()
            options.hook = hook
            let t = try TreeScratch(options)
            try t.fill([("A", []), ("A/x", [])])
            let account = try t.account
            let mailbox = try account.mailbox(MailboxName("A/x"))
            let failure = Locked<String?>(nil)
            hook.atSync(at) {
                do {
                    try account.rename(MailboxName("A"), to: MailboxName("B/C"))
                    try account.rename(MailboxName("B"), to: MailboxName("D"))
                } catch { failure.withLock { $0 = "\(error)" } }
            }
            try mailbox.append("first")
            try mailbox.append("second")
            #expect(failure.withLock { $0 } == nil, "sync \(at)")
            let isOver = !hook.hasRun()
            #expect(try t.tree() == (isOver ? ["A=", "A/x=first,second"] : ["D=", "D/C=", "D/C/x=first,second"]))
            try t.checkWhole()
            if isOver {
                #expect(at > 4)
                break
            }
        }
    }

    private static func find(_ account: Account) throws(StoreError) -> Mailbox {
        while true {
            for name in ["A/x", "B/C/x"] {
                do { return try account.mailbox(MailboxName(name)) } catch {
                    guard error.code == .notFound || error.code == .gone else { throw error }
                }
            }
        }
    }

    @Test func killedAtEachCall() throws {
        try killAtEachCall {
            try $0.fill([("INBOX", []), ("A", ["a"]), ("A/x", ["b"])])
        } operation: {
            try $0.rename(MailboxName("A"), to: MailboxName("B/C"))
        } check: { t, returned, call in
            let tree = try t.tree()
            let old = [["INBOX=", "A=a", "A/x=b"], ["INBOX=", "A=a", "A/x=b", "B="]]
            let new = ["INBOX=", "B=", "B/C=a", "B/C/x=b"]
            #expect(tree == new || (!returned && old.contains(tree)), "call \(call)")
            try t.checkWhole()
        }
    }

    @Test func inboxKilledAtEachCall() throws {
        try killAtEachCall {
            try $0.fill([("INBOX", ["a", "b"])])
        } operation: {
            try $0.rename(.inbox, to: MailboxName("Saved"))
        } check: { t, returned, call in
            let inbox = try t.account.mailbox(.inbox).texts()
            let saved = try (try? t.account.mailbox(MailboxName("Saved")))?.texts() ?? []
            #expect(saved + inbox == ["a", "b"], "call \(call)")
            if returned { #expect(inbox == []) }
            try t.checkWhole()
        }
    }

    @Test func createKilledAtEachCall() throws {
        try killAtEachCall {
            try $0.fill([("INBOX", ["a"]), ("L/x", ["b"])])
            try $0.account.delete(MailboxName("L"))
        } operation: {
            try $0.create(MailboxName("L/y/z"), specialUse: #"\Sent"#)
            try $0.create(MailboxName("L"))
        } check: { t, returned, call in
            let tree = try t.tree()
            let steps = [
                ["INBOX=a", "L", "L/x=b"], ["INBOX=a", "L", "L/x=b", "L/y="],
                ["INBOX=a", "L", "L/x=b", "L/y=", "L/y/z="],
                ["INBOX=a", "L=", "L/x=b", "L/y=", "L/y/z="],
            ]
            #expect(steps.contains(tree) && (!returned || tree == steps.last), "call \(call): \(tree)")
            try t.account.maintain()
            #expect(try t.names("mailboxes") == ["INBOX", "L"])
            try t.checkWhole()
        }
    }
}

/// Runs an action before the next fsync.
private final class SyncHook: SystemHook {
    private let action = Locked<(left: Int, body: @Sendable () -> Void)?>(nil)

    /// Runs `body` once, at the sync of that number from here on.
    func atSync(_ number: Int, _ body: @escaping @Sendable () -> Void) { action.withLock { $0 = (number, body) } }

    /// Whether it ran; if not, it never will.
    func hasRun() -> Bool {
        action.withLock { action in
            defer { action = nil }
            return action == nil
        }
    }

    func before(_ call: SystemCall) -> Errno? {
        guard case .sync = call else { return nil }
        let body: (@Sendable () -> Void)? = action.withLock { action in
            guard let next = action else { return nil }
            action = next.left == 0 ? nil : (next.left - 1, next.body)
            return next.left == 0 ? next.body : nil
        }
        body?()
        return nil
    }
}
