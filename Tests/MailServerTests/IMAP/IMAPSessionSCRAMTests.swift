import IMAPCodec
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// AUTHENTICATE SCRAM-SHA-256 with the messages of RFC 7677.
@Suite struct IMAPSessionSCRAMTests {
    private static let first = SCRAMTestUsers.first
    private static let challenge = "+ " + SCRAMTestUsers.challenge
    private static let last = SCRAMTestUsers.last
    private static let proof = "+ " + SCRAMTestUsers.proof

    private static func base64(_ text: String) -> String { SCRAMTestUsers.base64(text) }

    private static func begin(_ mail: IMAPTestMail) async -> IMAPDialogue {
        let dialogue = await IMAPDialogue(mail) { $0.makeNonce = { SCRAMTestUsers.nonce } }
        #expect(dialogue.take()[line: 0].contains(" AUTH=SCRAM-SHA-256"))
        return dialogue
    }

    @Test(arguments: [false, true]) func theRFCsExample(inOneGo: Bool) async throws {
        let dialogue = await Self.begin(try IMAPTestMail())
        if inOneGo {
            #expect(await dialogue.send("a AUTHENTICATE SCRAM-SHA-256 \(Self.first)\r\n") == [Self.challenge])
        } else {
            #expect(await dialogue.send("a authenticate scram-sha-256\r\n") == ["+ "])
            #expect(await dialogue.send("\(Self.first)\r\n") == [Self.challenge])
        }
        #expect(await dialogue.send("\(Self.last)\r\n") == [Self.proof])
        #expect(await dialogue.send("\r\n")[line: 0].hasPrefix("a OK [CAPABILITY IMAP4rev1 "))
        await dialogue.ok("SELECT INBOX")
    }

    @Test func aWrongProofAndANameThatNobodyHasLookAlike() async throws {
        let mail = try IMAPTestMail()
        for user in ["user", "nobody"] {
            let dialogue = await Self.begin(mail)
            let first = Self.base64("n,,n=\(user),r=rOprNGfwEbeRWgbNEkqO")
            let challenge = await dialogue.send("a AUTHENTICATE SCRAM-SHA-256 \(first)\r\n")
            #expect(challenge.count == 1 && challenge[line: 0].hasPrefix("+ "))
            #expect(
                await dialogue.send("\(SCRAMTestUsers.wrongLast)\r\n") == [
                    "a NO [AUTHENTICATIONFAILED] Wrong name or password"
                ])
            await dialogue.ok("NOOP")
        }
    }

    @Test(arguments: [
        ("n,,n=busy,r=abc", "a NO [UNAVAILABLE]"), ("n,,n=locked,r=abc", "a NO [UNAVAILABLE]"),
        ("p=tls-exporter,,n=user,r=abc", "a NO [CANNOT]"), ("n,a=bob,n=user,r=abc", "a NO [AUTHORIZATIONFAILED]"),
        ("nonsense", "a BAD "),
    ]) func refusals(message: String, answer: String) async throws {
        let dialogue = await Self.begin(try IMAPTestMail())
        let lines = await dialogue.send("a AUTHENTICATE SCRAM-SHA-256 \(Self.base64(message))\r\n")
        #expect(lines.count == 1 && lines[line: 0].hasPrefix(answer), "\(lines)")
        await dialogue.ok("NOOP")
    }

    @Test func givingUpAtTheEnd() async throws {
        for ending in ["*", "AAAA"] {
            let dialogue = await Self.begin(try IMAPTestMail())
            _ = await dialogue.send("a AUTHENTICATE SCRAM-SHA-256 \(Self.first)\r\n")
            _ = await dialogue.send("\(Self.last)\r\n")
            #expect(await dialogue.send("\(ending)\r\n")[line: 0].hasPrefix("a BAD "))
            #expect(await dialogue.fails("SELECT INBOX").hasPrefix("BAD "))
        }
    }

    @Test func failuresEndTheConnection() async throws {
        let dialogue = await Self.begin(try IMAPTestMail())
        var lines: [String] = []
        for _ in 1...10 {
            _ = await dialogue.send("a AUTHENTICATE SCRAM-SHA-256 \(Self.first)\r\n")
            let wrong = "c=biws,r=rOprNGfwEbeRWgbNEkqOx,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
            lines = await dialogue.send("\(Self.base64(wrong))\r\n")
        }
        #expect(lines.last?.hasPrefix("* BYE") == true && dialogue.isClosed)
    }

    @Test func itWaitsForTLSLikeTheOthers() async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail(), offersTLS: true)
        #expect(!dialogue.take()[line: 0].contains("SCRAM"))
        #expect(
            await dialogue.fails("AUTHENTICATE SCRAM-SHA-256 \(Self.first)").hasPrefix("NO [PRIVACYREQUIRED]"))
    }
}
