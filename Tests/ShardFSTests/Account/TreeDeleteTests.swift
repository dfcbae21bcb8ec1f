import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

@Suite struct TreeDeleteTests {
    @Test func movesTheMailboxAway() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", ["a"]), ("Work", ["b", "c"])])
        let account = try t.account
        let work = try account.mailbox(MailboxName("Work"))
        let seen = Locked(0)
        let observation = work.observe { seen.withLock { $0 += 1 } }
        let validity = try work.snapshot().uidValidity
        try account.delete(MailboxName("Work"))
        #expect(seen.withLock { $0 } > 0, "its users are told")
        observation.cancel()
        #expect(try t.tree() == ["INBOX=a"])
        #expect(try t.names(".deleted") == [work.id])
        #expect(try account.deletedMailboxes().map(\.name) == [MailboxName("Work")])
        #expect(try account.quota().messages == 1)
        #expect(throws: StoreError(.gone, "")) { try work.snapshot() }
        #expect(throws: StoreError(.gone, "")) { try work.append("late") }
        try account.create(MailboxName("Work"))
        #expect(throws: StoreError(.gone, "")) { try work.append("late") }
        #expect(try account.mailbox(MailboxName("Work")).snapshot().uidValidity > validity)
        #expect(try t.tree() == ["INBOX=a", "Work="])
        try t.checkWhole()
    }

    @Test func keepsTheLevelOfOthers() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", []), ("Work", ["b", "c"]), ("Work/2024", ["d"])])
        let account = try t.account
        let work = try account.mailbox(MailboxName("Work"))
        // Another process that has the mailbox open notices too.
        let elsewhere = try t.other().mailbox(MailboxName("Work"))
        let validity = try work.snapshot().uidValidity
        try account.delete(MailboxName("Work"))
        #expect(try t.tree() == ["INBOX=", "Work", "Work/2024=d"])
        #expect(try t.names(".deleted/\(work.id)") == ["0000", "changes.log", "deleted.json", "status.json"])
        #expect(try t.names("mailboxes/Work") == [".gate", ".lock", ".status.lock", "mailboxes"])
        for mailbox in [work, elsewhere] {
            #expect(throws: StoreError(.gone, "")) { try mailbox.append("late") }
            #expect(throws: StoreError(.gone, "")) { try mailbox.keywords(["Late"], create: true) }
        }
        #expect(throws: StoreError(.notAllowed, "")) { try account.delete(MailboxName("Work")) }
        #expect(try account.quota().messages == 1)

        // The same directory now holds another mailbox; a process with the old one open does not use it.
        try account.create(MailboxName("Work"))
        let again = try account.mailbox(MailboxName("Work"))
        #expect(try again.snapshot().uidValidity > validity)
        try again.append("new")
        for mailbox in [work, elsewhere] {
            #expect(throws: StoreError(.gone, "")) { try mailbox.append("late") }
            #expect(throws: StoreError(.gone, "")) { try mailbox.updateStatus { $0.uidCeiling += 1 } }
        }
        #expect(try t.tree() == ["INBOX=", "Work=new", "Work/2024=d"])

        try account.delete(MailboxName("Work"))
        try account.delete(MailboxName("Work/2024"))
        #expect(try t.tree() == ["INBOX=", "Work"])
        try account.delete(MailboxName("Work"))
        #expect(try t.tree() == ["INBOX="])
        #expect(try t.names(".deleted").count == 3, "a level without messages leaves nothing")
        try t.checkWhole()
    }

    @Test(arguments: [
        ("INBOX", StoreError.Code.notAllowed), ("inbox", .notAllowed), ("No", .notFound), ("Work/No", .notFound),
        ("No/No", .notFound),
    ])
    func refuses(_ name: String, _ code: StoreError.Code) throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", ["a"]), ("Work", ["b"])])
        #expect(throws: StoreError(code, "")) { try t.account.delete(MailboxName(name)) }
        #expect(try t.tree() == ["INBOX=a", "Work=b"])
        #expect(try t.names("").contains(".deleted") == false)
    }

    @Test func deletesWhatCannotBeOpened() throws {
        for below in [false, true] {
            let t = try TreeScratch()
            try t.fill([("INBOX", ["a"]), ("Bad", ["b"])])
            if below { try t.fill([("Bad/x", ["c"])]) }
            let directory = try "\(t.directory)/mailboxes/Bad"
            try t.reopen()
            unlink("\(directory)/changes.log")
            unlink("\(directory)/status.json")
            // A directory in place of a file: neither read nor replaced.
            mkdir("\(directory)/status.json", 0o700)
            #expect(throws: StoreError.self) { try t.account.mailbox(MailboxName("Bad")) }
            try t.account.delete(MailboxName("Bad"))
            #expect(try t.tree() == (below ? ["INBOX=a", "Bad", "Bad/x=c"] : ["INBOX=a"]))
            #expect(try t.account.quota().messages == (below ? 2 : 1))
            try t.checkWhole()
        }
    }

    /// A message is in the deleted mailbox, or its writer gets an error and has put it into INBOX.
    @Test(arguments: [false, true]) func whileOthersAppend(_ below: Bool) throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", []), ("Work", ["first"])])
        if below { try t.fill([("Work/x", [])]) }
        let account = try t.account
        let other = try t.other()
        let failures = Locked<[String]>([])
        onThreads(3) { thread in
            let account = thread == 1 ? other : account
            do {
                if thread == 0 {
                    while try account.mailbox(.inbox).snapshot().messages.count
                        + account.mailbox(
                            MailboxName("Work")
                        ).snapshot().messages.count < 40
                    {}
                    try account.delete(MailboxName("Work"))
                    return
                }
                for i in 0..<100 {
                    do throws(StoreError) {
                        let name: MailboxName = try MailboxName("Work")
                        let mailbox = try account.mailbox(name)
                        let message = try mailbox.finished("\(thread).\(i)")
                        do throws(StoreError) { _ = try mailbox.append(message) } catch {
                            guard error.code == .gone else { throw error }
                            _ = try account.mailbox(.inbox).append(message)
                        }
                    } catch {
                        guard error.code == .gone || error.code == .notFound else { throw error }
                        _ = try account.mailbox(.inbox).append(bytes: Array("\(thread).\(i)".utf8))
                    }
                }
            } catch {
                failures.withLock { $0.append("thread \(thread): \(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try t.account.list().map(\.isSelectable) == (below ? [true, false, true] : [true]))
        let deleted = try #require(t.names(".deleted").first)
        let kept = try t.names(".deleted/\(deleted)/0000").count - 1
        let delivered = try account.mailbox(.inbox).texts()
        #expect(Set(delivered).count + kept == 200)
        #expect(kept >= 39)
        #expect(try account.quota().messages == UInt64(delivered.count))
        try t.checkWhole()
    }

    @Test func killedAtEachCall() throws {
        try killAtEachCall {
            try $0.fill([("INBOX", ["a"]), ("Work", ["b", "c"])])
        } operation: {
            try $0.delete(MailboxName("Work"))
        } check: { t, returned, call in
            check(t.store)
            let tree = try t.tree()
            #expect(tree == ["INBOX=a"] || (!returned && tree == ["INBOX=a", "Work=b,c"]), "call \(call)")
            if tree.count == 1 { try Self.expectDeleted(t, call) }
            try t.checkWhole()
        }
    }

    @Test func killedAtEachCallWithOthersBelow() throws {
        try killAtEachCall {
            try $0.fill([("INBOX", ["a"]), ("Work", ["b", "c"]), ("Work/x", ["d"])])
            let work = try $0.account.mailbox(MailboxName("Work"))
            let uid = try work.append("gone")
            _ = try work.remove([uid])
        } operation: {
            try $0.delete(MailboxName("Work"))
        } check: { t, returned, call in
            let gone = ["INBOX=a", "Work", "Work/x=d"]
            check(t.store)
            let committed = try t.names("mailboxes/Work").contains(AccountContext.deletionMark)
            // Before anything has finished the deletion, and after it.
            for name in ["INBOX", "Work/x"] { _ = try t.account.mailbox(MailboxName(name)) }
            let opens = (try? t.account.mailbox(MailboxName("Work")).texts()) == ["b", "c"]
            let tree = try t.tree()
            #expect(tree == gone || (!returned && tree == ["INBOX=a", "Work=b,c", "Work/x=d"]), "call \(call)")
            #expect(opens == (tree != gone), "call \(call)")
            #expect(!committed || tree == gone, "call \(call): what was deleted is back")
            if tree == gone {
                try Self.expectDeleted(t, call)
                #expect(
                    try t.names("mailboxes/Work").filter { ![".gate", ".lock", ".status.lock"].contains($0) }
                        == ["mailboxes"], "call \(call)")
                try t.account.create(MailboxName("Work"))
                #expect(try t.tree() == ["INBOX=a", "Work=", "Work/x=d"])
            }
            try t.checkWhole()
        }
    }

    /// Recreated at once, before anything lists the tree.
    @Test func killedAtEachCallThenCreated() throws {
        try killAtEachCall {
            try $0.fill([("INBOX", ["a"]), ("Work", ["b"]), ("Work/x", ["d"])])
        } operation: {
            try $0.delete(MailboxName("Work"))
        } check: { t, returned, call in
            do {
                try t.account.create(MailboxName("Work"))
                #expect(try t.tree() == ["INBOX=a", "Work=", "Work/x=d"], "call \(call)")
                try Self.expectDeleted(t, call)
            } catch let error as StoreError {
                #expect(!returned && error.code == .exists, "call \(call): \(error)")
                #expect(try t.tree() == ["INBOX=a", "Work=b", "Work/x=d"], "call \(call)")
            }
            try t.checkWhole()
        }
    }

    private static func expectDeleted(_ t: TreeScratch, _ call: Int) throws {
        let deleted = try t.names(".deleted")
        #expect(deleted.count == 1 && !deleted[0].hasPrefix("."), "call \(call): \(deleted)")
        let inside = try t.names(".deleted/\(deleted[0])")
        #expect(Set(inside).isSuperset(of: ["0000", "changes.log", "status.json"]), "call \(call): \(inside)")
    }

    /// A ceiling raised at that moment does not bring status.json back.
    @Test func whileStatusIsWritten() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", []), ("Work", ["a"]), ("Work/x", [])])
        let pause = PauseHook()
        let work = try t.other { $0.hook = pause }.mailbox(MailboxName("Work"))
        let account = try t.account
        let failures = Locked<[String]>([])
        onThreads(2) { thread in
            do {
                if thread == 0 {
                    pause.arm()
                    _ = try work.updateStatus { $0.uidCeiling += 1 }
                } else {
                    pause.waitUntilReached()
                    defer { pause.resume() }
                    // The deletion cannot finish while the other thread is writing, so that thread is resumed once the
                    // deletion is under way.
                    onThreads(2) { inner in
                        if inner == 0 {
                            try? account.delete(MailboxName("Work"))
                        } else {
                            while account.context.known(at: "mailboxes/Work") != nil {}
                            SystemCalls.pause(nanoseconds: 20_000_000)
                            pause.resume()
                        }
                    }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try t.tree() == ["INBOX=", "Work", "Work/x="])
        try t.checkWhole()
    }

    @Test func purgesAfterTheRetention() throws {
        let hours = Locked(Int64(0))
        var options = StoreOptions()
        options.clock = { Clocks.wall() + hours.withLock { $0 } * 3600 }
        let t = try TreeScratch(options)
        try t.fill([("INBOX", ["a"]), ("Old", ["b"]), ("New", ["c"])])
        let account = try t.account
        let inbox = try account.mailbox(.inbox)
        let old = try account.mailbox(MailboxName("Old"))
        let elsewhere = try t.other().mailbox(MailboxName("Old"))
        _ = try inbox.remove([inbox.append("x")])
        try account.delete(MailboxName("Old"))
        mkdir(try "\(t.directory)/mailboxes/.new.0123", 0o700)
        #expect(try account.purgeDeleted() == 0)
        #expect(try account.purgeExpunged() == 0)
        hours.withLock { $0 = 23 }
        try account.delete(MailboxName("New"))
        try account.maintain()
        #expect(try account.deletedMailboxes().map(\.name?.description) == ["New", "Old"])
        #expect(try inbox.recoverableMessages().count == 1)
        hours.withLock { $0 = 26 }
        try account.maintain()
        #expect(try account.deletedMailboxes().map(\.name?.description) == ["New"])
        #expect(try inbox.recoverableMessages().isEmpty)
        elsewhere.locks.closeAll()
        for mailbox in [old, elsewhere] {
            #expect(throws: StoreError(.gone, "")) { try mailbox.snapshot() }
            #expect(throws: StoreError(.gone, "")) { try mailbox.append("late") }
        }
        #expect(try t.names("mailboxes") == ["INBOX"])
        try t.checkWhole()
    }
}

/// Holds the rename of a new status.json until resumed.
private final class PauseHook: SystemHook {
    private enum State { case off, armed, reached, resumed }
    private let state = Locked(State.off)

    func arm() { state.withLock { $0 = .armed } }
    func resume() { state.withLock { $0 = .resumed } }
    func waitUntilReached() { while state.withLock({ $0 }) != .reached { SystemCalls.pause(nanoseconds: 100_000) } }

    func before(_ call: SystemCall) -> Errno? {
        guard case .rename(_, _, _, "status.json") = call else { return nil }
        let holds = state.withLock { s in
            guard s == .armed else { return false }
            s = .reached
            return true
        }
        while holds, state.withLock({ $0 }) != .resumed { SystemCalls.pause(nanoseconds: 100_000) }
        return nil
    }
}
