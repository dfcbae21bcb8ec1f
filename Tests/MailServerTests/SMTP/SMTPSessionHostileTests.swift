import SMTPCodec
import TestSupport
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

@Suite struct SMTPSessionHostileTests {
    private static let fragments = [
        "EHLO a\r\n", "HELO a\r\n", "MAIL FROM:<a@b>\r\n", "MAIL FROM:<alice@example.com> SIZE=10\r\n",
        "RCPT TO:<alice@example.com>\r\n", "RCPT TO:<x@y>\r\n", "DATA\r\n", "a: b\r\n", "\r\n", ".\r\n", "\n.\n",
        "BDAT 3\r\n",
        "BDAT 4 LAST\r\n", "xyz", "\r", "\n", "\0", "RSET\r\n", "NOOP\r\n", "STARTTLS\r\n", "AUTH LOGIN\r\n",
        "AUTH PLAIN\r\n",
        "*\r\n", "YQ==\r\n", SMTPDialogue.plainLogin + "\r\n", "From: a@b\r\n", "Received: x\r\n", "QUIT\r\n",
    ]

    private func dialogue(_ role: SMTPRole, isTLS: Bool, step: Int) -> SMTPDialogue {
        var dialogue = SMTPDialogue(role: role, offersTLS: isTLS, isTLS: isTLS) {
            $0.maxMessageSize = 60
            $0.maxDiscardedBytes = 100
            $0.maxHeaderSize = 40
            $0.maxReceivedFields = 2
            $0.maxErrors = 30
        }
        dialogue.step = step
        return dialogue
    }

    /// Nothing traps, every reply is well formed, and neither replies nor stored messages depend on how the input is
    /// split.
    @Test(arguments: 0..<12) func splitsDoNotMatter(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10 {
            var text =
                Bool.random(using: &generator) ? "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.com>\r\n" : ""
            for _ in 0..<Int.random(in: 1...40, using: &generator) {
                text += Self.fragments[Int.random(in: 0..<Self.fragments.count, using: &generator)]
            }
            for (role, isTLS) in [(SMTPRole.mx, false), (.submission, true)] {
                var whole = dialogue(role, isTLS: isTLS, step: .max)
                let replies = whole.send(text)
                for line in replies.split(separator: "\r\n") {
                    #expect(line.utf8.count >= 4 && line.prefix(3).allSatisfy(\.isNumber), "\(line)")
                }
                for step in [1, 7] {
                    var pieces = dialogue(role, isTLS: isTLS, step: step)
                    #expect(pieces.send(text) == replies, "\(text.debugDescription)")
                    #expect(pieces.stored == whole.stored)
                    #expect(pieces.isClosed == whole.isClosed)
                }
            }
        }
    }

    @Test func anEndlessCommandLineEndsTheSession() {
        var dialogue = SMTPDialogue()
        var output = ""
        for _ in 0..<80 { output += dialogue.send(String(repeating: "A", count: 16384)) }
        #expect(SMTPDialogue.codes(in: output) == ["500 5.5.2"])
        #expect(dialogue.isClosed)
    }

    @Test func completionsThatDoNotFitAreIgnored() {
        var dialogue = SMTPDialogue()
        #expect(dialogue.session.complete(.committed([.delivered])).isEmpty)
        _ = dialogue.send("EHLO a\r\nMAIL FROM:<a@b>\r\n")
        guard let path = SMTPAddress("alice@example.com") else { return #expect(Bool(false)) }
        #expect(dialogue.session.handle(.command(.rcpt(.address(path), .init()))).count == 1)
        #expect(dialogue.session.complete(.committed([.delivered])).isEmpty)
        #expect(
            dialogue.session.complete(.recipient(.success([SMTPDialogue.inbox("alice")]))) == [.reply(.recipientOK)])
    }
}
