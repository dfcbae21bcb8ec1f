import DurableFiles
import Glibc
import Primitives
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Commands on many messages: their responses when they fail half way, while they run, and when the client hangs up.
@Suite struct IMAPSessionManyTests {
    /// Fails calls that give a message its name, or reports them.
    private final class NameHook: SystemHook {
        private struct State {
            var left: Int?
            var error: Errno?
            var then: @Sendable () -> Void = {}
        }

        private let state = Locked(State())

        /// Lets `count` calls pass and fails those after them with `error`; or calls `then` once, after the last that
        /// passes.
        func arm(after count: Int, _ error: Errno? = nil, then: @escaping @Sendable () -> Void = {}) {
            state.withLock { $0 = State(left: count, error: error, then: then) }
        }

        func before(_ call: SystemCall) -> Errno? {
            switch call {
            case .link(_, _, _, let name), .linkUnnamed(_, _, let name), .rename(_, _, _, let name):
                // Names of expunged messages, which begin with UIDVALIDITY, are not counted.
                guard name.hasSuffix(".eml"), name.split(separator: ".").count == 2 else { return nil }
            default: return nil
            }
            let (error, then): (Errno?, (@Sendable () -> Void)?) = state.withLock { state in
                guard let left = state.left else { return (nil, nil) }
                if left > 0 { state.left = left - 1 }
                return left == 0 ? (state.error, nil) : (nil, left == 1 ? state.then : nil)
            }
            then?()
            return error
        }
    }

    /// Makes six messages in INBOX, with a hook for failures.
    private static func six() throws -> (IMAPTestMail, NameHook) {
        let hook = NameHook()
        let mail = try IMAPTestMail { $0.hook = hook }
        try mail.fill(6)
        return (mail, hook)
    }

    private static func uids(_ mail: IMAPTestMail, _ name: String) throws -> [UInt32] {
        var uids: [UInt32] = []
        try mail.mailbox(name).snapshot().messages.forEach { uids.append($0.uid.rawValue) }
        return uids
    }

    // MARK: Half way

    /// Completed moves are reported: COPYUID, then the expunges, then NO. RFC 6851 sections 3.3 and 4.3.
    @Test(arguments: [1, 2, 100], ["MOVE 1:*", "UID MOVE 1:6"]) func aMoveThatFailsHalfWay(
        piece: Int, command: String
    ) async throws {
        let (mail, hook) = try Self.six()
        let dialogue = await IMAPDialogue.alice(mail) { $0.changePiece = piece }
        let validity = try mail.mailbox("Sent").snapshot().uidValidity
        hook.arm(after: 3, .noSpace)
        let (lines, result) = await dialogue.command("\(command) Sent")
        hook.arm(after: .max)
        #expect(lines == ["* OK [COPYUID \(validity) 1:3 1:3] Moved", "* 3 EXPUNGE", "* 2 EXPUNGE", "* 1 EXPUNGE"])
        #expect(result.hasPrefix("NO [LIMIT] 3 of 6 messages were moved"), "\(result)")
        #expect(try Self.uids(mail, "Sent") == [1, 2, 3] && Self.uids(mail, "INBOX") == [4, 5, 6])
        #expect(await dialogue.ok("FETCH 1:* UID") == ["* 1 FETCH (UID 4)", "* 2 FETCH (UID 5)", "* 3 FETCH (UID 6)"])
        await dialogue.ok("MOVE 1:* Sent")
    }

    @Test func aMoveThatFailsHalfWayWithVANISHED() async throws {
        let (mail, hook) = try Self.six()
        let dialogue = await IMAPDialogue.alice(mail)
        await dialogue.ok("ENABLE QRESYNC")
        hook.arm(after: 2, .io)
        let (lines, result) = await dialogue.command("MOVE 2,4,6 Sent")
        #expect(
            lines.count == 2 && lines[line: 0].contains(" 2,4 1:2] ") && lines[line: 1] == "* VANISHED 2,4", "\(lines)")
        #expect(result.hasPrefix("NO [UNAVAILABLE] 2 of 3"), "\(result)")
    }

    /// The target is deleted while messages are being moved there.
    @Test func theTargetGoesDuringAMove() async throws {
        let (mail, hook) = try Self.six()
        try mail.account().create(MailboxName("box"))
        let dialogue = await IMAPDialogue.alice(mail) { $0.changePiece = 3 }
        hook.arm(after: 3) {
            // On a separate thread: this one holds the lock.
            let account = try? mail.account()
            Task.detached { try? account?.delete(MailboxName("box")) }
        }
        let (lines, result) = await dialogue.command("MOVE 1:* box")
        let left = try Self.uids(mail, "INBOX").count
        #expect(lines.count { $0.hasSuffix(" EXPUNGE") } == 6 - left, "\(lines)")
        #expect(left == 0 ? result.hasPrefix("OK ") : result.hasPrefix("NO [TRYCREATE] "), "\(result)")
    }

    /// None is copied if one fails, even if an earlier piece was copied. RFC 9051 section 6.4.7.
    @Test(arguments: [2, 100], ["COPY 1:*", "UID COPY 1:6"]) func aCopyThatFails(
        piece: Int, command: String
    ) async throws {
        let (mail, hook) = try Self.six()
        let before = try mail.account().quota().bytes
        let (one, two) = (
            await IMAPDialogue.alice(mail) { $0.copyPiece = piece }, await IMAPDialogue.alice(mail, select: "Sent")
        )
        hook.arm(after: 3, .noSpace)
        let (lines, result) = await one.command("\(command) Sent")
        hook.arm(after: .max)
        #expect(lines.isEmpty && result.hasPrefix("NO [LIMIT]") && !result.contains("undone"), "\(result)")
        #expect(try Self.uids(mail, "Sent").isEmpty)
        #expect(try mail.account().quota().bytes == before)
        #expect(!(await two.ok("NOOP").contains { $0.hasSuffix(" EXISTS") && $0 != "* 0 EXISTS" }))
        await one.ok("\(command) Sent")
        #expect(try Self.uids(mail, "Sent").count == 6)
    }

    /// RFC 3502 section 6.3.11.
    @Test func aMultiappendThatFails() async throws {
        let (mail, hook) = try Self.six()
        let before = try mail.account().quota().bytes
        let dialogue = await IMAPDialogue.alice(mail)
        hook.arm(after: 2, .noSpace)
        let (lines, result) = await dialogue.command("APPEND Sent {1+}\r\na {1+}\r\nb {1+}\r\nc {1+}\r\nd")
        hook.arm(after: .max)
        #expect(lines.isEmpty && result.hasPrefix("NO [LIMIT]"), "\(lines) \(result)")
        #expect(try Self.uids(mail, "Sent").isEmpty)
        #expect(try mail.account().quota().bytes == before)
        await dialogue.ok("APPEND Sent {1+}\r\na {1+}\r\nb {1+}\r\nc {1+}\r\nd")
    }

    // MARK: In progress

    @Test(arguments: [
        ("COPY 1:* Sent", []), ("UID MOVE 1:6 Sent", ["* 6 EXPUNGE"]), (#"STORE 1:* +FLAGS.SILENT (\Seen)"#, []),
        (#"UID STORE 1:* +FLAGS (\Flagged)"#, ["* 6 FETCH (UID 6 FLAGS (\\Flagged \\Deleted \\Recent))"]),
        ("EXPUNGE", ["* 6 EXPUNGE"]), ("UID EXPUNGE 1:*", ["* 6 EXPUNGE"]),
    ]) func reportsProgress(command: String, also: [String]) async throws {
        let (mail, _) = try Self.six()
        _ = try mail.mailbox().changeFlags((1...6).map { UID($0) }, .add(.deleted))
        // Each reading of the clock is ten seconds after the previous one.
        let time = Locked(Int64(1_700_000_000))
        let dialogue = await IMAPDialogue.alice(
            mail,
            select: "INBOX",
            { ($0.copyPiece, $0.changePiece) = (2, 2) },
            now: {
                time.withLock { time in
                    time += 10
                    return time
                }
            })
        let lines = await dialogue.send("p \(command)\r\n")
        let signs = lines.filter { $0.contains("INPROGRESS") }
        #expect(
            signs == [
                #"* OK [INPROGRESS ("p" 2 6)] Still working"#, #"* OK [INPROGRESS ("p" 4 6)] Still working"#,
            ], "\(lines)")
        #expect(lines.last?.hasPrefix("p OK ") == true, "\(lines)")
        for line in also { #expect(lines.contains(line), "\(lines)") }
    }

    @Test func aConditionalStoreInPieces() async throws {
        let (mail, _) = try Self.six()
        let dialogue = await IMAPDialogue.alice(mail) { $0.changePiece = 2 }
        let before = try mail.mailbox().snapshot().highestModSeq
        _ = try mail.mailbox().changeFlags([UID(2), UID(5)], .add(.flagged))
        let (lines, result) = await dialogue.command("STORE 1:* (UNCHANGEDSINCE \(before)) +FLAGS.SILENT (\\Seen)")
        #expect(result.hasPrefix("OK [MODIFIED 2,5] "), "\(result)")
        #expect(lines.count { $0.contains(" FETCH (") } == 6, "\(lines)")
        let seen = await dialogue.ok("SEARCH SEEN")
        #expect(seen == ["* SEARCH 1 3 4 6"])
    }

    // MARK: Without a client

    /// A command ends between two pieces when its client hangs up.
    @Test(arguments: [
        ("COPY 1:* Sent", 6, 0), ("MOVE 1:* Sent", 4, 2), (#"STORE 1:* +FLAGS (\Seen)"#, 6, 0), ("EXPUNGE", 4, 0),
        ("CLOSE", 0, 0),
    ]) func hangingUp(command: String, inbox: Int, sent: Int) async throws {
        let (mail, hook) = try Self.six()
        _ = try mail.mailbox().changeFlags((1...6).map { UID($0) }, .add(.deleted))
        let dialogue = await IMAPDialogue.alice(mail) { ($0.copyPiece, $0.changePiece) = (2, 2) }
        let output = dialogue.output
        hook.arm(after: 1) { output.hangUp() }
        // Names of expunged messages have a different form, so the hook does not see them.
        if command == "EXPUNGE" || command == "CLOSE" { output.hangUp() }
        _ = await dialogue.send("p \(command)\r\n")
        #expect(dialogue.isClosed)
        #expect(try Self.uids(mail, "INBOX").count == inbox)
        #expect(try Self.uids(mail, "Sent").count == sent)
        let seen = try mail.mailbox().snapshot().messages.totals.unseen
        if command.hasPrefix("STORE") { #expect(seen == 4) }
    }

    // MARK: Invalid numbers

    /// RFC 9051 section 9, `seq-number`: BAD for a number beyond the last message, and for `*` in an empty mailbox. Any
    /// UID is allowed, and searches find nothing for a nonexistent number.
    @Test(arguments: [
        "FETCH 6 FLAGS", "FETCH 4:999 FLAGS", "FETCH 1,999 FLAGS", "FETCH 999:4 FLAGS", "FETCH 6:* FLAGS",
        "FETCH *:999 FLAGS", "FETCH 4294967295 FLAGS", #"STORE 6 +FLAGS (\Seen)"#, #"STORE 1,999 +FLAGS.SILENT (x)"#,
        "COPY 4:6 Sent", "COPY 6:* Sent", "MOVE 1,6 Sent", "MOVE 6:* Sent", "REPLACE 6 INBOX {1+}\r\nx",
    ]) func numbersBeyondTheEnd(command: String) async throws {
        let mail = try IMAPTestMail()
        try mail.fill(5)
        let dialogue = await IMAPDialogue.alice(mail)
        let (lines, result) = await dialogue.command(command)
        #expect(lines.isEmpty && result.hasPrefix("BAD "), "\(lines) \(result)")
        #expect(try Self.uids(mail, "Sent").isEmpty && Self.uids(mail, "INBOX").count == 5)
    }

    @Test(arguments: [
        "FETCH 1:* FLAGS", "FETCH * FLAGS", "FETCH 1 FLAGS", #"STORE 1:* +FLAGS (\Seen)"#, "COPY * Sent",
        "MOVE 1:* Sent",
        "REPLACE * INBOX {1+}\r\nx",
    ]) func numbersOfAnEmptyMailbox(command: String) async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        #expect(await dialogue.fails(command).hasPrefix("BAD "))
    }

    @Test(arguments: [
        ("SEARCH 6", "* SEARCH"), ("SEARCH 4:999", "* SEARCH 4 5"), ("SEARCH 1,999", "* SEARCH 1"),
        ("SEARCH *", "* SEARCH 5"), ("SEARCH NOT 999", "* SEARCH 1 2 3 4 5"),
        ("SORT (ARRIVAL) UTF-8 4:999", "* SORT 4 5"),
        // A range with `*` includes the last message, whatever its other end.
        ("SEARCH 6:*", "* SEARCH 5"), ("UID SEARCH UID 999:*", "* SEARCH 5"), ("UID SEARCH UID 999", "* SEARCH"),
        ("UID FETCH 999 UID", nil), ("UID FETCH 999:* UID", "* 5 FETCH (UID 5)"), ("UID COPY 999 Sent", nil),
        ("UID MOVE 999 Sent", nil), (#"UID STORE 999 +FLAGS (\Seen)"#, nil), ("UID EXPUNGE 999", nil),
    ]) func numbersThatMayBeAny(command: String, answer: String?) async throws {
        let mail = try IMAPTestMail()
        try mail.fill(5)
        #expect(await IMAPDialogue.alice(mail).ok(command) == (answer.map { [$0] } ?? []))
        let lines = await IMAPDialogue.alice(try IMAPTestMail()).ok(command)
        #expect(lines.allSatisfy { $0 == "* SEARCH" || $0 == "* SORT" }, "\(lines)")
    }
}
