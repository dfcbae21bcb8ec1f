import Primitives
import ShardFS
import TestSupport
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Effects of two sessions on each other's mailbox, rule by rule. RFC 3501 sections 5.2, 5.5 and 7.4.1, RFC 2180.
@Suite struct IMAPSessionPairTests {
    private static func pair(
        _ count: Int, _ name: String = "INBOX", _ change: (inout IMAPSessionConfiguration) -> Void = { _ in }
    ) async throws -> (mail: IMAPTestMail, one: IMAPDialogue, two: IMAPDialogue) {
        let mail = try IMAPTestMail()
        if name != "INBOX" { try mail.account().create(MailboxName(name)) }
        for number in 1...count { try mail.append("Subject: \(number)\n\nbody \(number)\n", to: name) }
        let one = await IMAPDialogue.alice(mail, select: name, change)
        return (mail, one, await IMAPDialogue.alice(mail, select: name, change))
    }

    // MARK: Flags that change at the same time

    /// While a STORE processes its last messages, another session changes the first: the last report must be correct.
    @Test(arguments: ["STORE", "UID STORE"], [false, true]) func aChangeRightBehindOnesOwn(
        command: String, inPieces: Bool
    ) async throws {
        let count = 600
        let (mail, one, _) = try await Self.pair(count, "INBOX") { if inPieces { $0.changePiece = 599 } }
        let mailbox = try mail.mailbox()
        let isDone = Locked(false)
        let observation = mailbox.observe {
            guard mailbox.currentSnapshot().messages.entry(of: UID(UInt32(count)))?.flags == .seen else { return }
            let isFirst = isDone.withLock { done in
                defer { done = true }
                return !done
            }
            if isFirst { _ = try? mailbox.changeFlags([UID(1)], .add(.flagged)) }
        }
        defer { observation.cancel() }
        let lines = await one.ok("\(command) 1:* +FLAGS (\\Seen)").filter { $0.hasPrefix("* 1 FETCH ") }
        #expect(isDone.withLock { $0 })
        #expect(lines.last?.contains("\\Flagged \\Seen") == true, "\(lines)")
        if command.hasPrefix("UID") { #expect(lines.last?.contains("UID 1 ") == true, "\(lines)") }
    }

    /// A FETCH sets \Seen on a message that has since got a keyword unknown to the client.
    @Test func aNewKeywordBesideSeen() async throws {
        let (_, one, two) = try await Self.pair(1)
        await two.ok("STORE 1 +FLAGS (brandnew)")
        let lines = await one.ok("FETCH 1 BODY[TEXT]")
        #expect(lines.contains { $0.hasPrefix("* 1 FETCH ") && $0.contains("brandnew") }, "\(lines)")
    }

    @Test func closingWhatIsDeleted() async throws {
        let (_, one, two) = try await Self.pair(1, "box")
        await two.ok("DELETE box")
        await one.ok("CLOSE")
        await one.ok("SELECT INBOX")
    }

    // MARK: Expunged messages, RFC 2180 section 4

    @Test func fetchOfAPendingExpunge() async throws {
        let (mail, _, two) = try await Self.pair(3)
        _ = try mail.mailbox().remove([UID(2)])
        // Its content is kept until every client has been informed (RFC 2180 section 4.1.2).
        #expect(
            await two.ok("FETCH 2 (UID FLAGS RFC822.SIZE BODY.PEEK[TEXT])")
                == ["* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 22 BODY[TEXT] {8}", "body 2", ")"])
        #expect(await two.ok("FETCH 2 BODY[TEXT]").count == 3, "its \\Seen can be set nowhere")
        #expect(await two.ok("NOOP") == ["* 2 EXPUNGE"])
        #expect(await two.ok("UID FETCH 2 FLAGS").isEmpty)
    }

    @Test(arguments: [
        (#"STORE 2 +FLAGS (\Seen)"#, "NO [EXPUNGEISSUED]"), (#"STORE 1:3 +FLAGS (\Seen)"#, "OK [EXPUNGEISSUED]"),
        // RFC 2180 section 4.2: done for all messages that still exist.
        (#"STORE 1:3 +FLAGS.SILENT (\Seen)"#, "OK [EXPUNGEISSUED]"),
        (#"UID STORE 1:3 +FLAGS.SILENT (\Seen)"#, "OK "), ("COPY 2 Sent", "NO [EXPUNGEISSUED]"),
        ("COPY 1:3 Sent", "NO [EXPUNGEISSUED]"), ("UID COPY 1:3 Sent", "OK [COPYUID "),
        ("UID COPY 2 Sent", "OK COPY"), ("MOVE 1:3 Sent", "NO [EXPUNGEISSUED]"), ("UID MOVE 1:3 Sent", "OK MOVE"),
    ]) func commandsOnPendingExpunges(command: String, answer: String) async throws {
        let (mail, _, two) = try await Self.pair(3)
        _ = try mail.mailbox().remove([UID(2)])
        #expect(await two.command(command).result.hasPrefix(answer))
        // All or none, if the client names messages by number.
        let sent = try mail.mailbox("Sent").snapshot().messages.count
        #expect(sent == (command.contains("UID") && command.contains("1:3") && command.contains("Sent") ? 2 : 0))
        let seen = try mail.mailbox().snapshot().messages.entry(of: UID(1))?.flags.contains(.seen)
        if command.contains("STORE 1:3") { #expect(seen == true, "the messages that are there are stored to") }
    }

    // MARK: Numbers

    /// Two sessions change one mailbox in turn; the updates each receives add up to its actual contents.
    @Test(arguments: [false, true], [false, true]) func bothKeepCount(
        usesVanished: Bool, inPieces: Bool
    ) async throws {
        let (mail, one, two) = try await Self.pair(20, "INBOX") { configuration in
            guard inPieces else { return }
            (configuration.outputPiece, configuration.changePiece) = (1, 1)
        }
        var generator = SeededGenerator(seed: usesVanished ? 1 : 2)
        var models = [Model(uids: Array(1...20)), Model(uids: Array(1...20))]
        if usesVanished { for dialogue in [one, two] { await dialogue.ok("ENABLE QRESYNC") } }
        for round in 0..<120 {
            let who = generator.below(2)
            let (dialogue, count) = (who == 0 ? one : two, models[who].uids.count)
            let number = count == 0 ? 0 : 1 + generator.below(count)
            let uid = number == 0 ? 0 : models[who].uids[number - 1]
            let command: String
            switch count == 0 ? 9 : generator.below(10) {
            case 0: command = #"STORE \#(number) +FLAGS.SILENT (\Deleted)"#
            case 1: command = #"UID STORE \#(uid) +FLAGS (\Deleted)"#
            case 2: command = "EXPUNGE"
            case 3: command = "FETCH \(number) (UID)"
            case 4: command = "UID FETCH \(uid) (FLAGS)"
            case 5: command = "SEARCH UID \(uid)"
            case 6: command = "MOVE \(number) Trash"
            case 7: command = "NOOP"
            default:
                try mail.append("Subject: more \(round)\n\nx\n")
                command = "NOOP"
            }
            let lines = await dialogue.command(command).lines
            try models[who].take(lines, command)
            if command.hasPrefix("FETCH"), let line = lines.first(where: { $0.contains("FETCH (UID") }) {
                #expect(line.hasPrefix("* \(number) FETCH (UID \(uid)"), "\(command): \(lines)")
            }
            if command.hasPrefix("SEARCH") { #expect(lines.contains("* SEARCH \(number)"), "\(command): \(lines)") }
            // Asks for the UIDs of new messages, as a client would.
            if models[who].unknown > 0 {
                let first = models[who].uids.count - models[who].unknown + 1
                let reported = await dialogue.ok("FETCH \(first):* (UID)")
                try models[who].learn(reported)
            }
        }
        for (dialogue, index) in [(one, 0), (two, 1)] {
            try models[index].take(await dialogue.ok("NOOP"), "NOOP")
            if models[index].unknown > 0 { try models[index].learn(await dialogue.ok("FETCH 1:* (UID)")) }
            var there: [UInt32] = []
            try mail.mailbox().snapshot().messages.forEach { there.append($0.uid.rawValue) }
            #expect(models[index].uids == there)
        }
    }

    /// A client's knowledge from the updates alone.
    private struct Model {
        var uids: [UInt32]
        /// The number of messages at the end without a UID yet (they are 0).
        var unknown: Int { uids.count { $0 == 0 } }

        mutating func take(_ lines: [String], _ command: String) throws {
            for line in lines {
                let words = line.split(separator: " ")
                if line.hasSuffix(" EXPUNGE") {
                    #expect(!["FETCH", "STORE", "SEARCH"].contains { command.hasPrefix($0) }, "\(command): \(lines)")
                    let number = try #require(Int(words[1]))
                    try #require((1...max(1, uids.count)).contains(number), "\(command): \(lines)")
                    uids.remove(at: number - 1)
                } else if line.hasPrefix("* VANISHED ") {
                    for range in words[2].split(separator: ",") {
                        let ends = range.split(separator: ":").compactMap { UInt32($0) }
                        for uid in try #require(ends.first)...(try #require(ends.last)) {
                            uids.remove(at: try #require(uids.firstIndex(of: uid), "\(uid) was not there: \(lines)"))
                        }
                    }
                } else if line.hasSuffix(" EXISTS") {
                    let count = try #require(Int(words[1]))
                    try #require(count >= uids.count, "EXISTS shrinks: \(lines)")
                    uids += Array(repeating: 0, count: count - uids.count)
                }
            }
        }

        mutating func learn(_ lines: [String]) throws {
            for line in lines where line.contains("FETCH (UID ") {
                let words = line.split { !$0.isNumber }.compactMap { UInt32($0) }
                let index = Int(try #require(words.first)) - 1
                try #require(uids.indices.contains(index), "\(lines)")
                let uid = words[1]
                #expect(uids[index] == 0 || uids[index] == uid, "\(lines)")
                uids[index] = uid
            }
        }
    }

    // MARK: \Recent

    @Test func recentIsOneSessionsAlone() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        // EXAMINE does not take \Recent (RFC 3501 section 6.3.2).
        let looking = await IMAPDialogue.alice(mail, select: nil)
        #expect(await looking.ok("EXAMINE INBOX").contains("* 2 RECENT"))
        #expect(await looking.ok("STATUS INBOX (RECENT)") == ["* STATUS INBOX (RECENT 2)"])
        let one = await IMAPDialogue.alice(mail, select: nil)
        #expect(await one.ok("SELECT INBOX").contains("* 2 RECENT"))
        #expect(await one.ok("STATUS INBOX (RECENT)") == ["* STATUS INBOX (RECENT 0)"])
        let two = await IMAPDialogue.alice(mail, select: nil)
        #expect(await two.ok("SELECT INBOX").contains("* 0 RECENT"))
        #expect(await one.ok("SEARCH RECENT") == ["* SEARCH 1 2"])
        #expect(await one.ok("SEARCH NEW") == ["* SEARCH 1 2"])
        #expect(await two.ok("SEARCH OLD") == ["* SEARCH 1 2"])
        // A client cannot change it, and it ends with the session.
        for command in [#"STORE 1 -FLAGS (\Recent)"#, #"STORE 1 +FLAGS (\Recent)"#] {
            #expect(await one.command(command).result.hasPrefix("BAD "))
        }
        await one.ok("STORE 1 FLAGS ()")
        #expect(await one.ok("FETCH 1 FLAGS") == [#"* 1 FETCH (FLAGS (\Recent))"#])
        #expect(await one.ok("SELECT INBOX").contains("* 0 RECENT"))
    }

    // MARK: Leaving

    /// CLOSE expunges silently; SELECT, UNSELECT and EXAMINE do not expunge.
    @Test(arguments: [
        ("SELECT INBOX", "CLOSE", 2, true), ("SELECT INBOX", "UNSELECT", 3, true),
        ("SELECT INBOX", "SELECT Sent", 3, false), ("SELECT INBOX", "EXAMINE INBOX", 3, false),
        ("SELECT INBOX", "SELECT nowhere", 3, true), ("EXAMINE INBOX", "CLOSE", 3, true),
        ("EXAMINE INBOX", "UNSELECT", 3, true),
    ]) func leaving(enter: String, leave: String, left: Int, isOutside: Bool) async throws {
        let mail = try IMAPTestMail()
        try mail.fill(2)
        try mail.append("Subject: x\n\ny\n", [.deleted])
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok(enter)
        let lines = await dialogue.command(leave).lines
        #expect(!lines.contains { $0.hasSuffix("EXPUNGE") })
        #expect(
            lines.contains { $0.hasPrefix("* OK [CLOSED]") } == (leave.contains("SELECT ") || leave.contains("EXAM")))
        #expect(try mail.mailbox().snapshot().messages.count == left)
        if isOutside { #expect(await dialogue.fails("CHECK").hasPrefix("BAD ")) } else { await dialogue.ok("CHECK") }
    }

    @Test func readOnlyStaysAsItIs() async throws {
        let mail = try IMAPTestMail()
        try mail.append("Subject: x\n\nbody\n", [.deleted])
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        #expect(await dialogue.ok("EXAMINE INBOX").contains { $0.hasPrefix("* OK [PERMANENTFLAGS ()]") })
        for command in [#"STORE 1 +FLAGS (\Seen)"#, "UID STORE 1 FLAGS ()", "EXPUNGE", "UID EXPUNGE 1", "MOVE 1 Sent"] {
            #expect(await dialogue.fails(command).hasPrefix("NO [READ-ONLY]"), "\(command)")
        }
        await dialogue.ok("FETCH 1 BODY[]")
        await dialogue.ok("COPY 1 Sent")
        // APPEND concerns the mailbox, not the view of it.
        await dialogue.ok("APPEND INBOX {3+}\r\na\r\n")
        #expect(try mail.mailbox().snapshot().messages.count == 2)
        #expect(try mail.mailbox().snapshot().messages[0].flags == [.deleted])
    }

    // MARK: The mailbox under the session

    @Test func theMailboxIsRenamedByAnother() async throws {
        let (mail, one, two) = try await Self.pair(3, "old")
        await one.ok("RENAME old new")
        // The session keeps its mailbox under any new name (RFC 2180 section 3.3).
        #expect(await two.ok("FETCH 2 BODY.PEEK[TEXT]") == ["* 2 FETCH (BODY[TEXT] {8}", "body 2", ")"])
        try mail.append("Subject: x\n\ny\n", to: "new")
        #expect(await two.ok("NOOP").contains("* 4 EXISTS"))
        await two.ok(#"STORE 1 +FLAGS.SILENT (\Seen)"#)
        #expect(try mail.mailbox("new").snapshot().messages[0].flags.contains(.seen))
        #expect(await two.fails("SELECT old").hasPrefix("NO [NONEXISTENT]"))
        await two.ok("SELECT new")
    }

    @Test(arguments: ["NOOP", "FETCH 1 FLAGS", #"STORE 1 +FLAGS (\Seen)"#, "SEARCH ALL", "EXPUNGE", "UID SEARCH ALL"])
    func theMailboxIsDeletedByAnother(command: String) async throws {
        let (_, one, two) = try await Self.pair(1, "gone")
        await one.ok("UNSELECT")
        await one.ok("DELETE gone")
        let lines = await two.send("a \(command)\r\n")
        #expect(lines.last?.hasPrefix("* BYE") == true && two.isClosed, "\(lines)")
    }
}
