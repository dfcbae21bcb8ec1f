import SMTPCodec
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

@Suite struct SMTPSessionTests {
    @Test func greets() {
        var dialogue = SMTPDialogue()
        #expect(dialogue.perform(dialogue.session.start()) == "220 mail.example.com ESMTP rmail\r\n")
    }

    @Test(arguments: [
        (
            true, false,
            ["PIPELINING", "SIZE 52428800", "8BITMIME", "STARTTLS", "CHUNKING", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        ),
        (
            true, true,
            [
                "PIPELINING", "SIZE 52428800", "AUTH SCRAM-SHA-256 PLAIN LOGIN", "8BITMIME", "CHUNKING", "SMTPUTF8",
                "ENHANCEDSTATUSCODES",
            ]
        ),
        (
            false, false,
            [
                "PIPELINING", "SIZE 52428800", "AUTH SCRAM-SHA-256 PLAIN LOGIN", "8BITMIME", "CHUNKING", "SMTPUTF8",
                "ENHANCEDSTATUSCODES",
            ]
        ),
    ]) func extensions(offersTLS: Bool, isTLS: Bool, expected: [String]) {
        var dialogue = SMTPDialogue(offersTLS: offersTLS, isTLS: isTLS)
        let lines = dialogue.send("EHLO client.example.com\r\n").split(separator: "\r\n").map { $0.dropFirst(4) }
        #expect(lines.map(String.init) == ["mail.example.com"] + expected)
        #expect(dialogue.send("HELO x\r\n") == "250 mail.example.com\r\n")
    }

    /// The session of the manual's telnet page.
    @Test(arguments: [1, 7, Int.max]) func receivesAMessage(step: Int) throws {
        var dialogue = SMTPDialogue()
        dialogue.step = step
        _ = dialogue.send("EHLO client.example.com\r\n")
        #expect(
            dialogue.send("MAIL FROM:<sender@external.com>\r\nRCPT TO:<Alice+x@EXAMPLE.com>\r\nDATA\r\n")
                == "250 2.1.0 OK\r\n250 2.1.5 OK\r\n354 End data with <CR><LF>.<CR><LF>\r\n")
        #expect(
            dialogue.send("From: a@b\r\nSubject: x\r\n\r\n..body\r\n.\r\n")
                == "250 2.0.0 OK: message accepted for delivery\r\n")
        #expect(dialogue.send("QUIT\r\n") == "221 2.0.0 mail.example.com closing connection\r\n")
        #expect(dialogue.isClosed)
        let stored = try #require(dialogue.stored.first)
        #expect(stored.envelope.destinations == [SMTPDialogue.inbox("alice")])
        #expect(
            stored.content == """
                Return-Path: <sender@external.com>\r
                Received: from client.example.com ([192.0.2.7])\r
                \tby mail.example.com with ESMTP id id1\r
                \tfor <Alice+x@example.com>;\r
                \tSat, 21 Nov 2026 02:00:00 +0000\r
                From: a@b\r
                Subject: x\r
                \r
                .body\r\n
                """)
    }

    @Test func aWholePipelinedTransactionIsAnsweredInOrder() {
        var dialogue = SMTPDialogue()
        #expect(
            dialogue.codes(
                "EHLO a", "MAIL FROM:<>", "RCPT TO:<bob@example.com>", "RCPT TO:<x@example.com>", "DATA", "", ".",
                "QUIT")
                == ["250", "250 2.1.0", "250 2.1.5", "550 5.1.1", "354", "250 2.0.0", "221 2.0.0"])
        #expect(dialogue.stored.count == 1)
    }

    @Test(arguments: [
        (["MAIL FROM:<a@b>"], ["503 5.5.1"]),
        (["EHLO a", "RCPT TO:<alice@example.com>"], ["250", "503 5.5.1"]),
        (["EHLO a", "DATA"], ["250", "503 5.5.1"]),
        (["EHLO a", "MAIL FROM:<a@b>", "DATA"], ["250", "250 2.1.0", "503 5.5.1"]),
        (["EHLO a", "MAIL FROM:<a@b>", "MAIL FROM:<a@b>"], ["250", "250 2.1.0", "503 5.5.1"]),
        (
            ["EHLO a", "MAIL FROM:<a@b>", "RSET", "RCPT TO:<alice@example.com>"],
            ["250", "250 2.1.0", "250 2.0.0", "503 5.5.1"]
        ),
        (
            ["EHLO a", "MAIL FROM:<a@b>", "EHLO a", "RCPT TO:<alice@example.com>"],
            ["250", "250 2.1.0", "250", "503 5.5.1"]
        ),
        (
            ["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<x@elsewhere.org>", "DATA"],
            ["250", "250 2.1.0", "550 5.7.1", "554 5.5.1"]
        ),
        (["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<carol@example.com>"], ["250", "250 2.1.0", "550 5.2.1"]),
        (["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<dave@example.com>"], ["250", "250 2.1.0", "452 4.2.2"]),
        (["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<later@example.com>"], ["250", "250 2.1.0", "451 4.3.0"]),
        (["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<often@example.com>"], ["250", "250 2.1.0", "450 4.7.1"]),
        (["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<Postmaster>"], ["250", "250 2.1.0", "250 2.1.5"]),
        (["EHLO a", "MAIL FROM:<a@b> SIZE=52428801"], ["250", "552 5.3.4"]),
        (["EHLO a", "MAIL FROM:<a@b> SIZE=52428800"], ["250", "250 2.1.0"]),
        (["EHLO a", "MAIL FROM:<a@b> BODY=BINARYMIME"], ["250", "555 5.5.4"]),
        (["EHLO a", "MAIL FROM:<a@b> RET=FULL"], ["250", "555 5.5.4"]),
        (["EHLO a", "MAIL FROM:<a@b> REQUIRETLS"], ["250", "555 5.5.4"]),
        (
            ["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<alice@example.com> NOTIFY=NEVER"],
            ["250", "250 2.1.0", "555 5.5.4"]
        ),
        (["EHLO a", "MAIL FROM:<\u{E4}@b>"], ["250", "553 5.6.7"]),
        (
            ["EHLO a", "MAIL FROM:<\u{E4}@b> SMTPUTF8", "RCPT TO:<\u{E4}@example.com>"],
            ["250", "250 2.1.0", "550 5.1.1"]
        ),
        (["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<\u{E4}@example.com>"], ["250", "250 2.1.0", "553 5.6.7"]),
        (
            ["VRFY alice", "EXPN x", "HELP", "NOOP x", "LHLO a", "XYZZY", "BOGUS FROM:<x>"],
            ["252 2.5.0", "502 5.5.1", "214 2.0.0", "250 2.0.0", "500 5.5.1", "500 5.5.1", "500 5.5.1"]
        ),
        (["STARTTLS"], ["502 5.5.1"]),
        (["QUIT", "NOOP"], ["221 2.0.0"]),
        (["GET / HTTP/1.1", "NOOP"], ["554 5.5.1"]),
    ]) func sequences(lines: [String], expected: [String]) {
        var dialogue = SMTPDialogue()
        #expect(SMTPDialogue.codes(in: dialogue.send(lines.map { $0 + "\r\n" }.joined())) == expected)
    }

    @Test func duplicateRecipientsGetOneCopy() throws {
        var dialogue = SMTPDialogue()
        _ = dialogue.codes(
            "EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<alice@example.com>", "RCPT TO:<ALICE+x@example.com>",
            "RCPT TO:<bob@example.com>", "DATA", ".")
        let stored = try #require(dialogue.stored.first)
        #expect(stored.envelope.recipients.count == 3)
        #expect(stored.envelope.destinations == [SMTPDialogue.inbox("alice"), SMTPDialogue.inbox("bob")])
        #expect(!stored.content.contains("for <"))
    }

    @Test func theTraceNamesARecipientWhenAllAreOneMailbox() throws {
        var dialogue = SMTPDialogue()
        _ = dialogue.codes(
            "EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<alice@example.com>", "RCPT TO:<ALICE+x@example.com>", "DATA", ".")
        #expect(try #require(dialogue.stored.first).content.contains("\tfor <alice@example.com>;"))
    }

    /// Return paths of forwarders and lists: longer than the 64 octets that RFC 5321 section 4.5.3.1.1 asks for.
    @Test(arguments: [
        String(repeating: "a", count: 65), "lists+bounce=0f3a9c2e7b=anna.longname=customers.example.net=2026-11",
        "SRS0=Zz9y=Q7=forwarder.example=weekly-letter-4711-0815-abcdefghijklmnop", String(repeating: "c", count: 237),
    ]) func longLocalParts(local: String) throws {
        var dialogue = SMTPDialogue()
        #expect(
            dialogue.codes(
                "EHLO a", "MAIL FROM:<\(local)@sender.example>", "RCPT TO:<\(local)@example.com>",
                "RCPT TO:<alice@example.com>", "DATA", "", ".")
                == ["250", "250 2.1.0", "550 5.1.1", "250 2.1.5", "354", "250 2.0.0"])
        #expect(
            try #require(dialogue.stored.first).content.hasPrefix("Return-Path: <\(local)@sender.example>\r\n"))
    }

    /// RFC 5321 section 4.5.3.1.8 asks for 100 at least.
    @Test func hundredsOfRecipients() {
        var dialogue = SMTPDialogue()
        _ = dialogue.codes("EHLO a", "MAIL FROM:<a@b>")
        for index in 0..<1000 {
            #expect(dialogue.codes("RCPT TO:<alice+\(index)@example.com>") == ["250 2.1.5"])
        }
        #expect(dialogue.codes("RCPT TO:<alice@example.com>") == ["452 4.5.3"])
    }

    @Test func limitsOfATransactionAndAConnection() {
        var dialogue = SMTPDialogue {
            $0.maxRecipients = 2
            $0.maxMessages = 1
        }
        let rcpt = "RCPT TO:<alice@example.com>"
        #expect(
            dialogue.codes("EHLO a", "MAIL FROM:<a@b>", rcpt, rcpt, rcpt, "DATA", ".", "MAIL FROM:<a@b>", "NOOP")
                == ["250", "250 2.1.0", "250 2.1.5", "250 2.1.5", "452 4.5.3", "354", "250 2.0.0", "421 4.7.0"])
        #expect(dialogue.isClosed)
    }

    @Test func tooManyErrorsEndTheSession() {
        var dialogue = SMTPDialogue()
        let output = dialogue.codes(
            "X", "DATA", "MAIL FROM:x", "MAIL FROM:<a@b>", "AUTH X", "STARTTLS", "RSET x", "X", "X", "X", "NOOP")
        #expect(output.count == 11)
        #expect(output.last == "421 4.7.0")
        #expect(dialogue.isClosed)
    }

    @Test func anAcceptedMessageClearsTheErrors() {
        var dialogue = SMTPDialogue()
        for _ in 0..<3 {
            _ = dialogue.codes(
                "X", "X", "X", "X", "X", "EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<bob@example.com>", "DATA", ".")
        }
        #expect(dialogue.stored.count == 3)
    }

    @Test func addressHarvestingEndsTheSession() {
        var dialogue = SMTPDialogue { $0.maxRefusedRecipients = 3 }
        let rcpt = "RCPT TO:<nobody@example.com>"
        #expect(
            dialogue.codes("EHLO a", "MAIL FROM:<a@b>", rcpt, rcpt, rcpt)
                == ["250", "250 2.1.0", "550 5.1.1", "550 5.1.1", "550 5.1.1", "421 4.7.0"])
    }

    @Test func aSyntaxErrorKeepsTheTransaction() {
        var dialogue = SMTPDialogue()
        #expect(
            dialogue.codes(
                "EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<alice@example.com", "RCPT TO:<alice@example.com>", "DATA", ".")
                == ["250", "250 2.1.0", "501 5.1.3", "250 2.1.5", "354", "250 2.0.0"])
    }

    @Test func stopEndsAnIdleSessionNow() {
        var dialogue = SMTPDialogue()
        _ = dialogue.codes("EHLO a", "MAIL FROM:<a@b>")
        #expect(SMTPDialogue.codes(in: dialogue.perform(dialogue.session.stop())) == ["421 4.3.2"])
        #expect(dialogue.isClosed)
    }

    @Test func stopLetsAMessageFinish() {
        var dialogue = SMTPDialogue()
        _ = dialogue.codes("EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<alice@example.com>", "DATA", "x")
        #expect(dialogue.perform(dialogue.session.stop()) == "")
        #expect(dialogue.codes("y", ".", "NOOP") == ["250 2.0.0", "421 4.3.2"])
        #expect(dialogue.stored.count == 1)
    }

    @Test func timeOutGivesAnOpenMessageUp() {
        var dialogue = SMTPDialogue()
        _ = dialogue.codes("EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<alice@example.com>", "DATA", "x")
        #expect(SMTPDialogue.codes(in: dialogue.perform(dialogue.session.timeOut())) == ["421 4.4.2"])
        #expect(dialogue.openMessage == nil)
    }
}
