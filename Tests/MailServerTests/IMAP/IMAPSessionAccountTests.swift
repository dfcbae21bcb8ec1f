import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerConfiguration
@testable import ServerRuntime

/// QUOTA (RFC 9208), OBJECTID (RFC 8474), CREATE-SPECIAL-USE (RFC 6154), ID, and suppressed capabilities.
@Suite struct IMAPSessionAccountTests {
    @Test func quota() async throws {
        let mail = try IMAPTestMail()
        try mail.limitAlice(toMiB: 1)
        try mail.append("Subject: x\n\n" + String(repeating: "x", count: 2000))
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        let capabilities = await dialogue.ok("CAPABILITY")[line: 0]
        #expect(capabilities.contains(" QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE "))
        #expect(!capabilities.contains("QUOTASET"))
        #expect(await dialogue.ok("GETQUOTA \"\"") == [#"* QUOTA "" (STORAGE 2 1024)"#])
        for mailbox in ["INBOX", "nowhere", "no/where"] {
            #expect(
                await dialogue.ok("GETQUOTAROOT \(mailbox)")
                    == [#"* QUOTAROOT \#(mailbox) """#, #"* QUOTA "" (STORAGE 2 1024)"#])
        }
        #expect(await dialogue.fails("GETQUOTAROOT a//b").hasPrefix("NO [CANNOT]"))
        #expect(await dialogue.fails("GETQUOTA other").hasPrefix("NO [NONEXISTENT]"))
        #expect(await dialogue.fails("SETQUOTA \"\" (STORAGE 512)").hasPrefix("NO [NOPERM]"))
        #expect(await dialogue.fails("SETQUOTA \"\" STORAGE").hasPrefix("BAD "))

        let size = 900_000
        let message = "Subject: y\r\n\r\n" + String(repeating: "y", count: size - 14)
        await dialogue.ok("APPEND INBOX (\\Deleted) {\(size)+}\r\n\(message)")
        #expect(
            await dialogue.ok("STATUS INBOX (DELETED DELETED-STORAGE)")
                == ["* STATUS INBOX (DELETED 1 DELETED-STORAGE \(size))"])
        #expect(await dialogue.send("q APPEND INBOX {\(size)}\r\n")[line: 0].hasPrefix("q NO [OVERQUOTA]"))
        #expect(await dialogue.fails("APPEND INBOX {\(size)+}\r\n\(message)").hasPrefix("NO [OVERQUOTA]"))
        await dialogue.ok("SELECT INBOX")
        #expect(await dialogue.fails("COPY 2 Sent").hasPrefix("NO [OVERQUOTA]"))
        await dialogue.ok("MOVE 2 Sent")
    }

    @Test func quotaOfMessages() async throws {
        let mail = try IMAPTestMail()
        try mail.limitAlice(toMiB: 0, messages: 3)
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        await dialogue.ok("APPEND INBOX {3+}\r\na\r\n {3+}\r\nb\r\n")
        #expect(await dialogue.ok("GETQUOTA \"\"") == [#"* QUOTA "" (MESSAGE 2 3)"#])
        // The second is refused before it is sent, and the first is not stored.
        #expect(await dialogue.send("q APPEND INBOX {3+}\r\nc\r\n {3}\r\n")[line: 0].hasPrefix("q NO [OVERQUOTA]"))
        #expect(await dialogue.ok("STATUS INBOX (MESSAGES)") == ["* STATUS INBOX (MESSAGES 2)"])
        await dialogue.ok("SELECT INBOX")
        #expect(await dialogue.fails("COPY 1:2 Sent").hasPrefix("NO [OVERQUOTA]"))
        await dialogue.ok("MOVE 1:2 Sent")
        try mail.limitAlice(toMiB: 1, messages: 2)
        #expect(
            await dialogue.ok("GETQUOTAROOT INBOX")
                == [#"* QUOTAROOT INBOX """#, #"* QUOTA "" (STORAGE 1 1024 MESSAGE 2 2)"#])
        #expect(await dialogue.fails("APPEND INBOX {3+}\r\nd\r\n").hasPrefix("NO [OVERQUOTA]"))
    }

    @Test func objectIDs() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(1)
        let dialogue = await IMAPDialogue.alice(mail, select: nil)
        #expect(await dialogue.ok("CAPABILITY")[line: 0].contains(" OBJECTID "))
        let (_, created) = await dialogue.command("CREATE work")
        let id = try mail.mailbox("work").id
        #expect(created == "OK [MAILBOXID (\(id))] CREATE completed")
        #expect((1...255).contains(id.utf8.count))
        #expect(id.utf8.allSatisfy { $0.isASCIILetterOrDigit || $0 == 0x2D || $0 == 0x5F })
        #expect(await dialogue.ok("STATUS work (MAILBOXID)") == ["* STATUS work (MAILBOXID (\(id)))"])
        for command in ["SELECT", "EXAMINE"] {
            #expect(await dialogue.ok("\(command) work").contains { $0.hasPrefix("* OK [MAILBOXID (\(id))] ") })
        }
        await dialogue.ok("RENAME work play")
        #expect(await dialogue.ok("STATUS play (MAILBOXID)") == ["* STATUS play (MAILBOXID (\(id)))"])
        await dialogue.ok("CREATE work")
        #expect(await dialogue.ok("STATUS work (MAILBOXID)") != ["* STATUS work (MAILBOXID (\(id)))"])
        #expect(
            await dialogue.ok("LIST \"\" play RETURN (STATUS (MAILBOXID))").last
                == "* STATUS play (MAILBOXID (\(id)))")

        await dialogue.ok("SELECT INBOX")
        let answer = await dialogue.ok("FETCH 1 (EMAILID THREADID)")[line: 0]
        #expect(answer.hasPrefix("* 1 FETCH (EMAILID (") && answer.hasSuffix(") THREADID NIL)"), "\(answer)")
        let emailID = answer.dropFirst("* 1 FETCH (EMAILID (".count).prefix { $0 != ")" }
        #expect(await dialogue.ok("SEARCH EMAILID \(emailID)") == ["* SEARCH 1"])
        #expect(await dialogue.ok("SEARCH EMAILID M0") == ["* SEARCH"])
        #expect(await dialogue.ok("SEARCH THREADID T0") == ["* SEARCH"])
        // A copy is the same email.
        await dialogue.ok("COPY 1 play")
        await dialogue.ok("SELECT play")
        #expect(await dialogue.ok("FETCH 1 EMAILID") == ["* 1 FETCH (EMAILID (\(emailID)))"])
    }

    @Test func specialUses() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        for command in [
            "CREATE two (USE (\\Sent))", "CREATE two (USE (\\Nonsense))", "CREATE two (USE (\\Junk \\Archive))",
        ] {
            #expect(await dialogue.fails(command).hasPrefix("NO [USEATTR]"), "\(command)")
        }
        #expect(await dialogue.ok("LIST \"\" two").isEmpty, "nothing was made")
        let (_, result) = await dialogue.command("CREATE two (USE (\\junk))")
        #expect(result.hasPrefix("OK [MAILBOXID ("))
        #expect(await dialogue.ok("LIST (SPECIAL-USE) \"\" two")[line: 0].contains("\\Junk"))
        #expect(await dialogue.fails("CREATE a//b (USE (\\All))").hasPrefix("NO [CANNOT]"))
    }

    @Test func identity() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail()) { $0.version = "1.2.3" }
        _ = dialogue.take()
        for command in ["ID NIL", #"ID ("name" "sodr" "version" "19.34" "vendor" NIL)"#, "ID ()"] {
            #expect(await dialogue.ok(command) == [#"* ID ("name" "rmail" "version" "1.2.3")"#])
        }
    }

    @Test func suppressedCapabilities() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail()) {
            $0.suppressedCapabilities = CapabilityNames(["idle", "APPENDLIMIT", "AUTH=login", "IMAP4REV1"])
        }
        let greeting = dialogue.take()[line: 0]
        #expect(greeting.contains(" IMAP4rev1 ") && greeting.contains("AUTH=PLAIN") && !greeting.contains("AUTH=LOGIN"))
        let (_, login) = await dialogue.command("LOGIN alice@example.com \(IMAPTestMail.password)")
        for answer in [login, await dialogue.ok("CAPABILITY")[line: 0]] {
            #expect(answer.contains(" MOVE ") && !answer.contains(" IDLE") && !answer.contains("APPENDLIMIT"))
        }
        // A client that uses it anyway is served.
        await dialogue.ok("SELECT INBOX")
        #expect(await dialogue.send("i IDLE\r\n")[line: 0].hasPrefix("+ "))
    }

    @Test func aSessionWhoseAccountIsDisabled() async throws {
        for command in ["NOOP", "IDLE"] {
            let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
            _ = await dialogue.send("x \(command)\r\n")
            #expect(await dialogue.give(.revoked) == ["* BYE The account is disabled"])
            #expect(dialogue.isClosed)
        }
    }

    @Test func aSessionThatNeverLogsIn() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail())
        _ = dialogue.take()
        #expect(await dialogue.give(.timeOut) == ["* BYE Too long without a login"])
    }
}
