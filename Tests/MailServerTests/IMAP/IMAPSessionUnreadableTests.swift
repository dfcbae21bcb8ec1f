import FoundationEssentials
import Primitives
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// One message cannot be read: the others are, and the operator learns which one it is.
@Suite struct IMAPSessionUnreadableTests {
    /// Five messages; in place of the third one's file is a directory.
    private static func mail(usesIndex: Bool? = nil) throws -> IMAPTestMail {
        let mail = try IMAPTestMail(usesIndex: usesIndex)
        try mail.fill(5)
        let file = "\(mail.store.root)/domains/example.com/users/alice/mailboxes/INBOX/0000/00000003_.eml"
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
        return mail
    }

    @Test(
        arguments: [
            "BODY.PEEK[]", "BODY[]", "ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "PREVIEW",
            "(UID BODY.PEEK[TEXT])", "BINARY.PEEK[1]", "BINARY.SIZE[1]", "(ENVELOPE BODY.PEEK[])",
        ], [1, 131_072])
    func fetchAnswersTheOthers(item: String, piece: Int) async throws {
        let mail = try Self.mail()
        let dialogue = await IMAPDialogue.alice(mail) { $0.outputPiece = piece }
        let (lines, result) = await dialogue.command("FETCH 1:5 \(item)")
        let numbers = lines.filter { $0.contains(" FETCH (") && !$0.contains(" FETCH (FLAGS ") }
            .map { $0.split(separator: " ")[1] }
        #expect(numbers == ["1", "2", "4", "5"], "\(lines)")
        #expect(result.hasPrefix("NO [SERVERBUG] 1 of the messages"))
        #expect(!dialogue.isClosed)
        let faults = mail.backend.faults.withLock { $0 }
        #expect(faults.count == 1 && faults[0].hasPrefix("FETCH, mailbox "), "\(faults)")
        #expect(faults.first?.contains("INBOX: UID 3: ") == true, "\(faults)")
        #expect(await dialogue.ok("FETCH 1:5 (UID RFC822.SIZE)").count == 5)
    }

    @Test(arguments: [
        ("SEARCH BODY body", "* SEARCH 1 2 4 5"), ("SEARCH NOT BODY 1", "* SEARCH 2 4 5"),
        ("SEARCH SUBJECT message", "* SEARCH 1 2 4 5"), ("SORT (REVERSE SUBJECT) UTF-8 ALL", "* SORT 5 4 2 1"),
        ("THREAD REFERENCES UTF-8 ALL", "* THREAD (1)(2)(4)(5)"),
    ]) func searchesGoOn(command: String, answer: String) async throws {
        let mail = try Self.mail()
        let dialogue = await IMAPDialogue.alice(mail)
        for _ in 1...2 {
            let lines = await dialogue.ok(command)
            #expect(lines.count == 2 && lines[line: 0].hasPrefix("* NO [SERVERBUG] "), "\(lines)")
            #expect(lines.last == answer)
        }
        #expect(mail.backend.faults.withLock { $0.count } == 2)
        #expect(await dialogue.ok("SEARCH ALL") == ["* SEARCH 1 2 3 4 5"])
    }

    @Test func manyAreCounted() {
        var messages = UnreadableMessages()
        for uid in 1...12 as ClosedRange<UInt32> { messages.note(UID(uid), StoreError(.damaged, "broken")) }
        #expect(messages.count == 12)
        #expect(messages.description.hasPrefix("UID 1: broken; ") && messages.description.hasSuffix("; 2 more"))
    }
}
