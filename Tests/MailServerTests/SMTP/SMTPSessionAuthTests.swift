import SMTPCodec
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

@Suite struct SMTPSessionAuthTests {
    private static let user = "YWxpY2VAZXhhbXBsZS5jb20="
    private static let password = "c2VjcmV0"

    @Test(arguments: [
        (["EHLO a", "AUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA=="], ["250", "235 2.7.0"]),
        (
            ["EHLO a", "AUTH PLAIN", "AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA==", "NOOP"],
            ["250", "334", "235 2.7.0", "250 2.0.0"]
        ),
        (["EHLO a", "auth login", user, password, "NOOP"], ["250", "334", "334", "235 2.7.0", "250 2.0.0"]),
        (["EHLO a", "AUTH LOGIN \(user)", password], ["250", "334", "235 2.7.0"]),
        (["EHLO a", "AUTH LOGIN", "*", "NOOP"], ["250", "334", "501 5.7.0", "250 2.0.0"]),
        (["EHLO a", "AUTH PLAIN", "!", "NOOP"], ["250", "334", "501 5.5.2", "250 2.0.0"]),
        (["EHLO a", "AUTH PLAIN !", "NOOP"], ["250", "501 5.5.2", "250 2.0.0"]),
        (["EHLO a", "AUTH PLAIN =", "NOOP"], ["250", "501 5.5.2", "250 2.0.0"]),
        (["EHLO a", "AUTH LOGIN =", "NOOP"], ["250", "501 5.5.2", "250 2.0.0"]),
        (["EHLO a", "AUTH PLAIN AGFsaWNlAHdyb25n", "NOOP"], ["250", "535 5.7.8", "250 2.0.0"]),
        // The authorization identity is another user's.
        (["EHLO a", "AUTH PLAIN Ym9iAGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA=="], ["250", "535 5.7.8"]),
        (["EHLO a", "AUTH LOGIN \(user)", "d3Jvbmc="], ["250", "334", "535 5.7.8"]),
        (["EHLO a", "AUTH LOGIN", "\(user)\0", "NOOP"], ["250", "334", "500 5.5.2", "250 2.0.0"]),
        (["EHLO a", "AUTH CRAM-MD5", "NOOP"], ["250", "504 5.5.4", "250 2.0.0"]),
        (["AUTH PLAIN", "NOOP"], ["503 5.5.1", "250 2.0.0"]),
        (["HELO a", "AUTH PLAIN", "NOOP"], ["250", "503 5.5.1", "250 2.0.0"]),
        (
            ["EHLO a", SMTPDialogue.plainLogin, SMTPDialogue.plainLogin, "NOOP"],
            ["250", "235 2.7.0", "503 5.5.1", "250 2.0.0"]
        ),
        (["EHLO a", "MAIL FROM:<a@b>", "AUTH PLAIN", "NOOP"], ["250", "250 2.1.0", "503 5.5.1", "250 2.0.0"]),
    ]) func exchanges(lines: [String], expected: [String]) {
        var dialogue = SMTPDialogue()
        #expect(SMTPDialogue.codes(in: dialogue.send(lines.map { $0 + "\r\n" }.joined())) == expected)
    }

    @Test func credentialsWaitForTLS() {
        for role in [SMTPRole.mx, .submission] {
            var dialogue = SMTPDialogue(role: role, offersTLS: true)
            #expect(
                dialogue.codes("EHLO a", SMTPDialogue.plainLogin, "AUTH LOGIN", "NOOP") == [
                    "250", "538 5.7.11", "538 5.7.11", "250 2.0.0",
                ])
        }
    }

    @Test func startTLSForgetsWhatWasSaid() {
        var dialogue = SMTPDialogue(role: .submission, offersTLS: true)
        #expect(
            dialogue.codes("EHLO a", "MAIL FROM:<alice@example.com>", "STARTTLS") == ["250", "530 5.7.0", "220 2.0.0"])
        #expect(dialogue.tlsStarts == 1)
        #expect(dialogue.codes("MAIL FROM:<alice@example.com>", "STARTTLS") == ["503 5.5.1", "503 5.5.1"])
        #expect(
            dialogue.codes(
                "EHLO a", "MAIL FROM:<alice@example.com>", SMTPDialogue.plainLogin, "MAIL FROM:<alice@example.com>")
                == ["250", "530 5.7.0", "235 2.7.0", "250 2.1.0"])
    }

    @Test func whatIsPipelinedBehindSTARTTLSEndsTheSession() {
        var dialogue = SMTPDialogue(offersTLS: true)
        #expect(dialogue.codes("EHLO a", "STARTTLS", "EHLO evil") == ["250", "554 5.5.1"])
        #expect(dialogue.isClosed)
        #expect(dialogue.tlsStarts == 0)
    }

    @Test func tlsUnavailable() {
        var dialogue = SMTPDialogue(offersTLS: true)
        dialogue.isTLSUnavailable = true
        #expect(dialogue.codes("EHLO a", "STARTTLS", "NOOP") == ["250", "454 4.7.0", "250 2.0.0"])
    }

    @Test func failedLoginsEndTheSession() {
        var dialogue = SMTPDialogue { $0.maxLoginFailures = 3 }
        let attempt = "AUTH PLAIN AGFsaWNlAHdyb25n"
        #expect(
            dialogue.codes("EHLO a", attempt, attempt, attempt, "NOOP")
                == ["250", "535 5.7.8", "535 5.7.8", "535 5.7.8", "421 4.7.0"])
    }

    @Test func lockoutAndOutage() {
        var dialogue = SMTPDialogue()
        dialogue.authentication = .unavailable(reason: "")
        #expect(dialogue.codes("EHLO a", SMTPDialogue.plainLogin, "NOOP") == ["250", "454 4.7.0", "250 2.0.0"])
        dialogue.authentication = .lockedOut
        #expect(dialogue.codes(SMTPDialogue.plainLogin, "NOOP") == ["454 4.7.0"])
        #expect(dialogue.isClosed)
    }

    @Test(arguments: [
        ("<alice@example.com>", "250 2.1.0"), ("<ALICE+tag@Example.COM>", "250 2.1.0"),
        ("<bob@example.com>", "553 5.7.1"),
        ("<alice@example.org>", "553 5.7.1"), ("<>", "250 2.1.0"),
    ]) func sendersAreTheUsersOwn(sender: String, expected: String) {
        var dialogue = SMTPDialogue.loggedIn()
        #expect(dialogue.codes("MAIL FROM:\(sender)") == [expected])
    }

    /// The owner of the address is checked before the size.
    @Test func aForeignSenderIsRefusedForWhatItIs() {
        var dialogue = SMTPDialogue.loggedIn { $0.maxMessageSize = 100 }
        #expect(
            dialogue.codes("MAIL FROM:<bob@example.com> SIZE=101", "MAIL FROM:<alice@example.com> SIZE=101")
                == ["553 5.7.1", "552 5.3.4"])
    }

    @Test(arguments: [
        ("From: Alice <alice@example.com>\r\n", "250 2.0.0"),
        ("from : alice@example.com\r\n", "250 2.0.0"),
        ("Subject: no author\r\n", "250 2.0.0"),
        ("From: bob@example.com\r\n", "553 5.7.1"),
        ("From: alice@example.com, bob@example.com\r\n", "553 5.7.1"),
        ("From: alice@example.com\r\nFROM: bob@example.com\r\n", "553 5.7.1"),
        ("From: \"alice@example.com\"\r\n <bob@example.com>\r\n", "553 5.7.1"),
        ("From:\r\n", "553 5.7.1"),
        ("From: nonsense\r\n", "553 5.7.1"),
    ]) func authorsAreTheUserToo(field: String, expected: String) {
        for (sender, ending) in [
            ("<alice@example.com>", "\r\nbody\r\n.\r\n"), ("<alice@example.com>", ".\r\n"), ("<>", "\r\nbody\r\n.\r\n"),
        ] {
            var dialogue = SMTPDialogue.loggedIn()
            _ = dialogue.codes("MAIL FROM:\(sender)", "RCPT TO:<bob@example.com>", "DATA")
            #expect(SMTPDialogue.codes(in: dialogue.send(field + ending)) == [expected], "\(field)")
            #expect(dialogue.stored.count == (expected.hasPrefix("250") ? 1 : 0))
            #expect(dialogue.openMessage == nil)
        }
    }

    /// A read receipt (RFC 8098 section 3).
    @Test func aReceiptKeepsItsNullPath() throws {
        var dialogue = SMTPDialogue.loggedIn()
        _ = dialogue.codes(
            "MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA", "From: <alice@example.com>", "", "read", ".")
        #expect(try #require(dialogue.stored.first).content.hasPrefix("Return-Path: <>\r\n"))
    }

    /// Each line of the pipeline has one answer, as the exchange would have had.
    @Test func responsesPipelinedBehindARefusedAUTH() {
        var dialogue = SMTPDialogue(offersTLS: true)
        #expect(
            dialogue.codes("EHLO a", "AUTH LOGIN", Self.user, Self.password, "NOOP")
                == ["250", "538 5.7.11", "500 5.5.1", "500 5.5.1", "250 2.0.0"])
    }

    @Test func missingFieldsAreAddedForUsers() throws {
        var dialogue = SMTPDialogue.loggedIn()
        _ = dialogue.codes(
            "MAIL FROM:<alice@example.com>", "RCPT TO:<bob@example.com>", "DATA", "Subject: x", "", "body", ".")
        let content = try #require(dialogue.stored.first).content
        #expect(content.contains("with ESMTPSA id id1"))
        #expect(
            content.hasSuffix(
                "Subject: x\r\nDate: Sat, 21 Nov 2026 02:00:00 +0000\r\n"
                    + "Message-ID: <id1@mail.example.com>\r\n\r\nbody\r\n"
            ))
    }

    /// A disabled account's session ends, and what it was sending is given up.
    @Test(arguments: [
        [], ["MAIL FROM:<alice@example.com>"],
        ["MAIL FROM:<alice@example.com>", "RCPT TO:<bob@example.com>", "DATA", "From: alice@example.com", "", "x"],
        ["MAIL FROM:<alice@example.com>", "RCPT TO:<bob@example.com>", "BDAT 9"],
    ]) func aSessionWhoseAccountIsDisabled(lines: [String]) {
        var dialogue = SMTPDialogue.loggedIn()
        _ = dialogue.send(lines.map { $0 + "\r\n" }.joined())
        #expect(SMTPDialogue.codes(in: dialogue.perform(dialogue.session.revoke())) == ["421 4.7.0"])
        #expect(dialogue.isClosed && dialogue.openMessage == nil && dialogue.stored.isEmpty)
        #expect(dialogue.perform(dialogue.session.revoke()) == "")
    }

    @Test func anAccountWithTooManyConnections() {
        var dialogue = SMTPDialogue()
        dialogue.authentication = .tooManyConnections
        #expect(dialogue.codes("EHLO a", SMTPDialogue.plainLogin) == ["250", "421 4.7.0"])
        #expect(dialogue.isClosed)
    }
}
