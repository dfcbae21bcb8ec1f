import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

@Suite struct IMAPSessionAuthTests {
    private static let login = "LOGIN alice@example.com \(IMAPTestMail.password)"
    /// NUL alice@example.com NUL secret
    private static let plain = "AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA=="

    @Test func greetingAndCapabilities() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail())
        let greeting = dialogue.take()
        #expect(greeting.count == 1 && greeting[line: 0].hasPrefix("* OK [CAPABILITY IMAP4rev1 "))
        #expect(greeting[line: 0].contains(" AUTH=PLAIN") && !greeting[line: 0].contains("STARTTLS"))
        let (_, result) = await dialogue.command(Self.login)
        #expect(result.hasPrefix("OK [CAPABILITY IMAP4rev1 ") && result.contains(" IDLE ") && result.contains(" MOVE "))
        #expect(await dialogue.ok("CAPABILITY")[line: 0].contains(" UIDPLUS "))
        #expect(await dialogue.ok("NAMESPACE") == [#"* NAMESPACE (("" "/")) NIL NIL"#])
        #expect(await dialogue.ok("ID NIL")[line: 0].hasPrefix(#"* ID ("name" "rmail""#))
    }

    @Test func credentialsWaitForTLS() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail(), offersTLS: true)
        let greeting = dialogue.take()[line: 0]
        #expect(greeting.contains(" STARTTLS LOGINDISABLED") && !greeting.contains("AUTH="))
        #expect(await dialogue.fails(Self.login).hasPrefix("NO [PRIVACYREQUIRED]"))
        #expect(await dialogue.fails("AUTHENTICATE PLAIN \(Self.plain)").hasPrefix("NO [PRIVACYREQUIRED]"))
        await dialogue.ok("STARTTLS")
        #expect(dialogue.startedTLS)
        #expect(await dialogue.fails("STARTTLS").hasPrefix("BAD "))
        #expect(await dialogue.ok("CAPABILITY")[line: 0].contains(" AUTH=PLAIN"))
        await dialogue.ok(Self.login)
    }

    @Test func theWaysToLogIn() async throws {
        let mail = try IMAPTestMail()
        let initial = await IMAPDialogue(mail)
        _ = initial.take()
        await initial.ok("AUTHENTICATE PLAIN \(Self.plain)")
        #expect(await initial.fails(Self.login).hasPrefix("BAD "))

        let asked = await IMAPDialogue(mail)
        _ = asked.take()
        #expect(await asked.send("a AUTHENTICATE PLAIN\r\n") == ["+ "])
        #expect(await asked.send("\(Self.plain)\r\n")[line: 0].hasPrefix("a OK "))

        let login = await IMAPDialogue(mail)
        _ = login.take()
        #expect(await login.send("a AUTHENTICATE LOGIN\r\n") == ["+ VXNlcm5hbWU6"])
        #expect(await login.send("YWxpY2VAZXhhbXBsZS5jb20=\r\n") == ["+ UGFzc3dvcmQ6"])
        #expect(await login.send("c2VjcmV0\r\n")[line: 0].hasPrefix("a OK "))

        let literal = await IMAPDialogue(mail)
        _ = literal.take()
        #expect(await literal.send("a LOGIN {17+}\r\nalice@example.com {6}\r\n") == ["+ OK"])
        #expect(await literal.send("secret\r\n")[line: 0].hasPrefix("a OK "))
    }

    @Test(arguments: [
        ("LOGIN alice@example.com wrong", "NO [AUTHENTICATIONFAILED]"),
        ("LOGIN nobody@example.com secret", "NO [AUTHENTICATIONFAILED]"),
        ("LOGIN busy secret", "NO [UNAVAILABLE]"),
        ("LOGIN disabled secret", "NO [CONTACTADMIN]"),
        ("AUTHENTICATE SCRAM-SHA-1", "NO [CANNOT]"),
        ("AUTHENTICATE PLAIN eA==", "BAD "),
        ("AUTHENTICATE PLAIN Ym9iAGFsaWNlAHNlY3JldA==", "NO [AUTHORIZATIONFAILED]"),
        ("SELECT INBOX", "BAD "), ("IDLE", "BAD "), ("APPEND INBOX {3+}\r\nabc", "BAD "), ("ENABLE CONDSTORE", "BAD "),
        ("LIST \"\" *", "BAD "), ("NAMESPACE", "BAD "), ("FETCH 1 FLAGS", "BAD "), ("CLOSE", "BAD "),
    ]) func refusedBeforeALogin(command: String, answer: String) async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail())
        _ = dialogue.take()
        // The literal of an APPEND is over the limit before login, which may be fatal; either way it is refused.
        let (_, result) = await dialogue.command(command)
        #expect(result.hasPrefix(answer) || command.hasPrefix("APPEND"), "\(command): \(result)")
        #expect(await dialogue.command("NOOP").result.hasPrefix("OK ") || dialogue.isClosed)
    }

    @Test func anExchangeCanBeGivenUp() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail())
        _ = dialogue.take()
        _ = await dialogue.send("a AUTHENTICATE PLAIN\r\n")
        #expect(await dialogue.send("*\r\n")[line: 0].hasPrefix("a BAD "))
        _ = await dialogue.send("b AUTHENTICATE PLAIN\r\n")
        #expect(await dialogue.send("!!!\r\n")[line: 0].hasPrefix("b BAD "))
        await dialogue.ok(Self.login)
    }

    @Test func tenFailedLoginsEndTheConnection() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail())
        _ = dialogue.take()
        for _ in 1...9 { await dialogue.fails("LOGIN alice@example.com wrong") }
        let lines = await dialogue.send("z LOGIN alice@example.com wrong\r\n")
        #expect(lines.last?.hasPrefix("* BYE") == true && dialogue.isClosed)
        #expect(await dialogue.send("y NOOP\r\n").isEmpty)
    }

    @Test func logout() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        #expect(await dialogue.send("x LOGOUT\r\n") == ["* BYE Logging out", "x OK LOGOUT completed"])
        #expect(dialogue.isClosed)
    }

    @Test(arguments: [IMAPSessionInput.stop, .timeOut]) func endingsFromOutside(input: IMAPSessionInput) async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        let lines = await dialogue.give(input)
        #expect(lines.count == 1 && lines[line: 0].hasPrefix("* BYE") && dialogue.isClosed)
    }

    /// RFC 2971 section 3.3: 30 pairs, names of 30 octets, values of 1,024.
    @Test func theLongestIDBeforeAndAfterALogin() async throws {
        let mail = try IMAPTestMail()
        let dialogue = await IMAPDialogue(mail)
        _ = dialogue.take()
        let name = String(repeating: "n", count: 30)
        let value = String(repeating: "v", count: 1_024)
        let escaped = String(repeating: #"\""#, count: 1_024)
        let pairs = [
            #""\#(name)" "\#(value)""#, #""\#(name)" "\#(escaped)""#, "{30+}\r\n\(name) {1024+}\r\n\(value)",
        ]
        for step in ["before", "after"] {
            for pair in pairs {
                await dialogue.ok("ID (\(Array(repeating: pair, count: 30).joined(separator: " ")))")
            }
            if step == "before" { await dialogue.ok("LOGIN alice@example.com \(IMAPTestMail.password)") }
        }
        #expect(await dialogue.fails("ID (\(Array(repeating: pairs[0], count: 31).joined(separator: " ")))") != "")
    }
}
