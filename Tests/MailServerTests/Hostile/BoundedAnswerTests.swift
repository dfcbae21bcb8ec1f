import MIME
import NIOCore
import Primitives
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Answers that are many times as large as their commands go out in pieces, whatever they are made of.
@Suite struct BoundedAnswerTests {
    private static let piece = 32_768

    /// The octets that come for a command, and the most of them at a time.
    private static func answer(_ mail: IMAPTestMail, _ command: String) async -> (
        total: Int, largest: Int, end: String?
    ) {
        let dialogue = await IMAPDialogue.alice(mail) {
            $0.outputPiece = piece
            $0.maxLineLength = 1 << 20
            $0.parseLimits = .init(headerBytes: 3 << 20)
        }
        let sizes = Locked<[Int]>([])
        dialogue.output.onPiece { size in sizes.withLock { $0.append(size) } }
        let lines = await dialogue.send("x \(command)\r\n")
        let pieces = sizes.withLock { $0 }
        return (pieces.reduce(0, +), pieces.max() ?? 0, lines.last)
    }

    private static func check(
        _ mail: IMAPTestMail, _ command: String, atLeast: Int, _ location: SourceLocation = #_sourceLocation
    ) async {
        let (total, largest, end) = await answer(mail, command)
        #expect(end?.hasPrefix("x OK") == true, "\(end ?? "nothing")", sourceLocation: location)
        #expect(total >= atLeast, "\(total)", sourceLocation: location)
        // A literal's name and the end of the command beside it.
        #expect(largest <= piece + 4_096, "\(largest)", sourceLocation: location)
    }

    @Test func manyItemsOfALargeHeader() async throws {
        let mail = try IMAPTestMail()
        let field = "X-Field: " + String(repeating: "x", count: 90) + "\n"
        try mail.append("Subject: s\n" + String(repeating: field, count: 4_000) + "\nbody\n")
        let items = (0..<10).map { "BODY.PEEK[HEADER.FIELDS.NOT (x\($0))]" }.joined(separator: " ")
        await Self.check(mail, "FETCH 1 (\(items))", atLeast: 10 * 400_000)
        let kept = (0..<10).map { "BODY.PEEK[HEADER.FIELDS (x-field x\($0))]<\($0).300000>" }.joined(separator: " ")
        await Self.check(mail, "FETCH 1 (\(kept))", atLeast: 10 * 300_000)
        let plain = (0..<10).map { "BODY.PEEK[HEADER]<\($0).300000>" }.joined(separator: " ")
        await Self.check(mail, "FETCH 1 (\(plain))", atLeast: 10 * 300_000)
    }

    @Test func structuresOfManyParts() async throws {
        let mail = try IMAPTestMail()
        let part = "--b\nContent-Type: text/plain; name=\"a\"\n\nx\n"
        try mail.append("Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: part, count: 5_000))
        await Self.check(mail, "FETCH 1 (BODYSTRUCTURE BODY ENVELOPE)", atLeast: 5_000 * 80)
        await Self.check(
            mail, "FETCH 1 (\((1...400).map { "BODY.PEEK[\($0).MIME]" }.joined(separator: " ")))", atLeast: 400 * 40)
    }

    @Test func envelopesOfManyAddresses() async throws {
        let mail = try IMAPTestMail()
        let people = (0..<10_000).map { "p\($0) <a\($0)@example.com>" }.joined(separator: ",\n ")
        try mail.append("From: \(people)\nTo: \(people)\n\nx\n")
        await Self.check(mail, "FETCH 1 (ENVELOPE)", atLeast: 4 * 10_000 * 30)
    }

    /// What a slow client leaves waiting holds no more than a connection may.
    @Test func whatIsKeptOfAMessageIsBounded() throws {
        let mail = try IMAPTestMail()
        let part = "--b\nContent-Type: text/plain; name=\"a\"\n\nx\n"
        let uid = try mail.append(
            "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: part, count: 5_000))
        var reader = MessageReader(mailbox: try mail.mailbox(), uid: UID(uid), limits: .standard)
        _ = try reader.structure()
        #expect(reader.memory > 1 << 20)
        reader.shed(beyond: 1 << 20)
        #expect(reader.memory <= 1 << 20)
        #expect(try reader.structure().root.structure != .single, "it is read again")
    }

    // MARK: messages under way

    /// A tree of many parts, or many header fields, in few octets.
    private static let hostile = [
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + String(repeating: "--b\r\n\r\n", count: 9_000),
        String(repeating: "a:\r\n", count: 200_000) + "\r\nx",
        "To: " + String(repeating: "a@b,", count: 50_000) + "\r\n\r\nx",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            + String(repeating: "--b\r\nContent-Type: a/b;a=b;c=d;e=f;g=h;i=j;k=l\r\n\r\n", count: 9_000),
    ]

    @Test(arguments: hostile.indices) func aMessageThatComesInKeepsLittle(place: Int) throws {
        let mail = try IMAPTestMail()
        let limit = 1 << 20
        let content = IncomingContent(try mail.mailbox().stage(), limits: .standard, memory: limit)
        var most = 0
        let bytes = Array(Self.hostile[place].utf8)
        for start in stride(from: 0, to: bytes.count, by: 65_536) {
            try content.write(Array(bytes[start..<min(start + 65_536, bytes.count)]))
            most = max(most, content.memory)
        }
        #expect(most <= limit + 65_536, "\(most)")
        content.endSummary(memory: limit)
        #expect(content.memory <= 16_384)
    }

    @Test func manyMessagesOfOneCommandKeepLittle() async throws {
        let mail = try IMAPTestMail(usesIndex: true)
        let dialogue = await IMAPDialogue.alice(mail, select: nil) { $0.memory = 100_000 }
        let header = (0..<60).map { "X-\($0): \(String(repeating: "x", count: 60))\r\n" }.joined()
        let people = (0..<80).map { "p\($0) <a\($0)@example.com>" }.joined(separator: ", ")
        let message = "From: a@example.com\r\nTo: \(people)\r\n\(header)\r\nbody\r\n"
        await dialogue.send("x APPEND INBOX {\(message.utf8.count)+}\r\n\(message)")
        for _ in 0..<99 { await dialogue.send(" {\(message.utf8.count)+}\r\n\(message)") }
        let kept = await dialogue.session.appendingMemory
        #expect(kept > 0 && kept <= 250_000, "\(kept)")
        #expect(await dialogue.send("\r\n").last?.hasPrefix("x OK") == true)
        #expect(try mail.mailbox().snapshot().messages.count == 100)
    }
}

extension IMAPSession {
    /// Memory of the messages of an APPEND under way, in bytes.
    fileprivate var appendingMemory: Int { appending?.messages.reduce(0) { $0 + $1.content.memory } ?? 0 }
}
