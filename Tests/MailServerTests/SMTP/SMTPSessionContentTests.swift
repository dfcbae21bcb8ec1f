import SMTPCodec
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

@Suite struct SMTPSessionContentTests {
    private static let start = "EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.com>\r\n"

    private func open(_ change: (inout SMTPSessionConfiguration) -> Void = { _ in }) -> SMTPDialogue {
        var dialogue = SMTPDialogue(change)
        _ = dialogue.send(Self.start)
        return dialogue
    }

    @Test(arguments: [
        ("a: b\r\n\r\nx\n.\r\nMAIL FROM:<evil@x>\r\n.\r\n", "554 5.6.0"),
        ("a: b\r\n\r\nx\r.\r\n.\r\n", "554 5.6.0"),
        ("a: b\r\n\r\nx\0\r\n.\r\n", "554 5.6.0"),
        (String(repeating: "Received: x\r\n", count: 101) + "\r\n.\r\n", "554 5.4.6"),
        (String(repeating: "received : x\r\n", count: 101) + "\r\n.\r\n", "554 5.4.6"),
        (String(repeating: "Received: x\r\n", count: 100) + "\r\n.\r\n", "250 2.0.0"),
        ("Received: x\r\n" + String(repeating: "\tReceived: x\r\n", count: 200) + "\r\n.\r\n", "250 2.0.0"),
        ("a: b\r\n\r\n" + String(repeating: "Received: x\r\n", count: 200) + ".\r\n", "250 2.0.0"),
    ]) func refusals(content: String, expected: String) {
        for step in [1, 5, Int.max] {
            var dialogue = open()
            dialogue.step = step
            #expect(
                SMTPDialogue.codes(in: dialogue.send("DATA\r\n\(content)NOOP\r\n")) == ["354", expected, "250 2.0.0"])
            #expect(dialogue.stored.count == (expected.hasPrefix("250") ? 1 : 0))
            #expect(dialogue.openMessage == nil)
        }
    }

    @Test func sizeIsCountedAsItStreams() {
        for (size, expected) in [(98, "250 2.0.0"), (99, "552 5.3.4"), (5000, "552 5.3.4")] {
            for step in [1, 64, Int.max] {
                var dialogue = open { $0.maxMessageSize = 100 }
                dialogue.step = step
                #expect(
                    dialogue.codes("DATA", String(repeating: "x", count: size), ".", "NOOP") == [
                        "354", expected, "250 2.0.0",
                    ])
                #expect(dialogue.openMessage == nil)
            }
        }
    }

    @Test func anEndlessMessageEndsTheSession() {
        var dialogue = open {
            $0.maxMessageSize = 100
            $0.maxDiscardedBytes = 1000
        }
        #expect(dialogue.codes("DATA", String(repeating: "x", count: 500)) == ["354"])
        #expect(dialogue.codes(String(repeating: "x", count: 700)) == ["552 5.3.4", "421 4.3.4"])
        #expect(dialogue.isClosed)
    }

    @Test func aLargeHeaderIsRefused() {
        var dialogue = open { $0.maxHeaderSize = 1000 }
        #expect(dialogue.codes("DATA", "Subject: \(String(repeating: "x", count: 1000))", ".") == ["354", "554 5.6.0"])
        var body = open { $0.maxHeaderSize = 1000 }
        #expect(body.codes("DATA", "Subject: x", "", String(repeating: "x", count: 9000), ".") == ["354", "250 2.0.0"])
    }

    // MARK: - BDAT

    @Test(arguments: [1, 3, Int.max]) func chunks(step: Int) throws {
        var dialogue = open()
        dialogue.step = step
        #expect(
            SMTPDialogue.codes(
                in: dialogue.send("BDAT 5\r\na: b\rBDAT 7\r\n\n\r\n.\r\nxBDAT 0 LAST\r\nNOOP\r\n"))
                == ["250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"])
        #expect(try #require(dialogue.stored.first).content.hasSuffix("+0000\r\na: b\r\n\r\n.\r\nx"))
    }

    @Test(arguments: [
        ("BDAT 3 LAST\r\na\nb", ["554 5.6.0"]),
        ("BDAT 3 LAST\r\nab\r", ["554 5.6.0"]),
        ("BDAT 3\r\na\nbBDAT 3 LAST\r\nxyz", ["554 5.6.0", "503 5.5.1"]),
        ("BDAT 3\r\nabcRSET\r\nBDAT 2 LAST\r\nabNOOP\r\n", ["250 2.0.0", "250 2.0.0", "503 5.5.1", "250 2.0.0"]),
        ("BDAT 3\r\nabcDATA\r\n", ["250 2.0.0", "503 5.5.1"]),
        ("BDAT 3\r\nabcMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.com>\r\n", ["250 2.0.0", "503 5.5.1", "503 5.5.1"]),
        ("BDAT 3\r\nabcQUIT\r\n", ["250 2.0.0", "221 2.0.0"]),
        ("BDAT 3\r\nabcEHLO a\r\n", ["250 2.0.0", "250"]),
        ("BDAT 101 LAST\r\n\(String(repeating: "x", count: 101))NOOP\r\n", ["552 5.3.4", "250 2.0.0"]),
        (
            "BDAT 60\r\n\(String(repeating: "x", count: 60))BDAT 41 LAST\r\n"
                + "\(String(repeating: "x", count: 41))RSET\r\n",
            ["250 2.0.0", "552 5.3.4", "250 2.0.0"]
        ),
        ("BDAT 1001 LAST\r\n", ["552 5.3.4", "421 4.3.4"]),
        ("BDAT x\r\nNOOP\r\n", ["421 4.5.4"]),
        // A message without one of its chunks is none.
        ("BDAT 6 FIRST\r\nQUIT\r\nBDAT 3 LAST\r\nabcNOOP\r\n", ["501 5.5.4", "503 5.5.1", "250 2.0.0"]),
        (
            "BDAT 3\r\nabcBDAT 6 LATE\r\nQUIT\r\nBDAT 3 LAST\r\nabcNOOP\r\n",
            ["250 2.0.0", "501 5.5.4", "503 5.5.1", "250 2.0.0"]
        ),
        ("BDAT 1001 FIRST\r\n", ["501 5.5.4", "421 4.3.4"]),
    ]) func chunkRefusals(wire: String, expected: [String]) {
        for step in [1, 7, Int.max] {
            var dialogue = open {
                $0.maxMessageSize = 100
                $0.maxDiscardedBytes = 1000
            }
            dialogue.step = step
            #expect(SMTPDialogue.codes(in: dialogue.send(wire)) == expected, "step \(step)")
            #expect(dialogue.stored.isEmpty)
        }
    }

    @Test func aChunkWithoutRecipientsIsReadAndRefused() {
        var dialogue = SMTPDialogue()
        #expect(
            SMTPDialogue.codes(
                in: dialogue.send("EHLO a\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<a@b>\r\nBDAT 6\r\nQUIT\r\nNOOP\r\n"))
                == ["250", "503 5.5.1", "250 2.1.0", "503 5.5.1", "250 2.0.0"])
    }

    @Test func contentThatNobodyAskedForIsNoCommand() {
        var dialogue = SMTPDialogue()
        #expect(
            dialogue.codes(
                "EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<x@example.com>", "DATA", "Subject: x", "", "MAIL FROM:<evil@x>")
                == ["250", "250 2.1.0", "550 5.1.1", "554 5.5.1", "421 4.5.1"])
        #expect(dialogue.isClosed)
    }

    @Test func aMalformedChunkOutsideATransactionIsRead() {
        var dialogue = SMTPDialogue()
        #expect(
            SMTPDialogue.codes(in: dialogue.send("EHLO a\r\nBDAT 6 FIRST\r\nQUIT\r\nNOOP\r\n"))
                == ["250", "501 5.5.4", "250 2.0.0"])
    }

    @Test func stopWaitsForTheEndOfARefusedChunk() {
        var dialogue = SMTPDialogue()
        #expect(SMTPDialogue.codes(in: dialogue.send("EHLO a\r\nBDAT 6 LAST\r\nabc")) == ["250"])
        #expect(dialogue.perform(dialogue.session.stop()) == "")
        #expect(SMTPDialogue.codes(in: dialogue.send("def")) == ["503 5.5.1", "421 4.3.2"])
        #expect(dialogue.isClosed)
    }

    // MARK: - The store fails

    @Test(arguments: [
        (Refusal.aMailboxFull, "452 4.2.2"), (.noSpace, "452 4.3.1"), (.cannotStore, "451 4.3.0"),
        (.tooManyMessages, "451 4.7.1"),
    ]) func storeFailures(failure: Refusal, expected: String) {
        var begin = open()
        begin.beginFailure = failure
        #expect(begin.codes("DATA", "NOOP") == [expected, "250 2.0.0"])
        var chunk = open()
        chunk.beginFailure = failure
        #expect(SMTPDialogue.codes(in: chunk.send("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")) == [expected, "250 2.0.0"])
        for content in ["a: b\r\n\r\nx\r\n.\r\n", ".\r\n"] {
            var append = open()
            append.appendFailure = failure
            #expect(
                SMTPDialogue.codes(in: append.send("DATA\r\n\(content)NOOP\r\n")) == ["354", expected, "250 2.0.0"])
            #expect(append.openMessage == nil)
            var commit = open()
            commit.commitFailure = failure
            #expect(
                SMTPDialogue.codes(in: commit.send("DATA\r\n\(content)NOOP\r\n")) == ["354", expected, "250 2.0.0"])
        }
    }
}
