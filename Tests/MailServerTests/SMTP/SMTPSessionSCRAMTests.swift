import SMTPCodec
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

/// AUTH SCRAM-SHA-256 with the messages of RFC 7677.
@Suite struct SMTPSessionSCRAMTests {
    private static func begin() -> SMTPDialogue {
        var dialogue = SMTPDialogue { $0.makeNonce = { SCRAMTestUsers.nonce } }
        #expect(dialogue.send("EHLO a\r\n").contains("250-AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"))
        return dialogue
    }

    @Test(arguments: [false, true]) func theRFCsExample(inOneGo: Bool) {
        var dialogue = Self.begin()
        if inOneGo {
            #expect(
                dialogue.send("AUTH SCRAM-SHA-256 \(SCRAMTestUsers.first)\r\n") == "334 \(SCRAMTestUsers.challenge)\r\n"
            )
        } else {
            #expect(dialogue.send("auth scram-sha-256\r\n") == "334 \r\n")
            #expect(dialogue.send("\(SCRAMTestUsers.first)\r\n") == "334 \(SCRAMTestUsers.challenge)\r\n")
        }
        #expect(dialogue.send("\(SCRAMTestUsers.last)\r\n") == "334 \(SCRAMTestUsers.proof)\r\n")
        #expect(dialogue.codes("", "NOOP") == ["235 2.7.0", "250 2.0.0"])
        #expect(dialogue.session.user?.addresses.count == 1)
        #expect(dialogue.codes("MAIL FROM:<alice@example.com>") == ["250 2.1.0"])
    }

    @Test(arguments: ["user", "nobody"]) func aWrongProofAndANameThatNobodyHasLookAlike(user: String) {
        var dialogue = Self.begin()
        let first = SCRAMTestUsers.base64("n,,n=\(user),r=rOprNGfwEbeRWgbNEkqO")
        #expect(dialogue.codes("AUTH SCRAM-SHA-256 \(first)") == ["334"])
        #expect(dialogue.codes(SCRAMTestUsers.wrongLast, "NOOP") == ["535 5.7.8", "250 2.0.0"])
        #expect(dialogue.session.user == nil && dialogue.session.loginFailureCount == 1)
    }

    @Test(arguments: [
        ("n,,n=busy,r=abc", ["454 4.7.0", "250 2.0.0"]), ("n,,n=locked,r=abc", ["454 4.7.0"]),
        ("p=tls-exporter,,n=user,r=abc", ["504 5.5.4", "250 2.0.0"]),
        ("n,a=bob,n=user,r=abc", ["535 5.7.8", "250 2.0.0"]), ("nonsense", ["501 5.5.2", "250 2.0.0"]),
        ("", ["501 5.5.2", "250 2.0.0"]),
    ]) func refusals(message: String, answers: [String]) {
        var dialogue = Self.begin()
        let response = message.isEmpty ? "=" : SCRAMTestUsers.base64(message)
        #expect(dialogue.codes("AUTH SCRAM-SHA-256 \(response)", "NOOP") == answers)
    }

    @Test(arguments: [("*", "501 5.7.0"), ("AAAA", "501 5.5.2")]) func givingUpAtTheEnd(ending: String, answer: String)
    {
        var dialogue = Self.begin()
        _ = dialogue.codes("AUTH SCRAM-SHA-256 \(SCRAMTestUsers.first)", SCRAMTestUsers.last)
        #expect(dialogue.codes(ending, "NOOP") == [answer, "250 2.0.0"])
        #expect(dialogue.session.user == nil)
    }
}
