import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

@Suite struct IMAPSessionThreadTests {
    @Test func references() async throws {
        let mail = try IMAPTestMail()
        for (number, header) in [
            "Message-ID: <a@x>\nSubject: one",
            "Message-ID: <b@x>\nReferences: <a@x>\nSubject: Re: one",
            "Message-ID: <\"c\"@x>\nReferences: <a@x>\n <b@x>\nSubject: other",
            "Message-ID: <d@x>\nIn-Reply-To: <c@x> <zzz@x>\nSubject: Re: other",
            "Message-ID: <e@x>\nReferences: rubbish\nIn-Reply-To: Your mail <c@x>\nSubject: Re: other",
            "Message-ID: <a@x>\nSubject: the same id",
            "Subject: Fwd: lone",
            "Subject: lone",
        ].enumerated() {
            try mail.append("\(header)\nDate: \(number + 1) Jan 2024 00:00:00 +0000\n\nx\n")
        }
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(await dialogue.ok("THREAD REFERENCES UTF-8 ALL") == ["* THREAD (1 2 3 (4)(5))(6)(8 7)"])
        // Without the first message with that id, the second one owns it.
        #expect(await dialogue.ok("THREAD REFERENCES UTF-8 2:7") == ["* THREAD (6 2 3 (4)(5))(7)"])
        // The common parent is not among the messages found.
        #expect(await dialogue.ok("THREAD REFERENCES UTF-8 4,5,6") == ["* THREAD ((4)(5))(6)"])
        #expect(await dialogue.ok("THREAD ORDEREDSUBJECT UTF-8 ALL") == ["* THREAD (1 2)(3 (4)(5))(6)(7 8)"])
        #expect(await dialogue.ok(#"THREAD ORDEREDSUBJECT US-ASCII TEXT "gewp""#) == ["* THREAD"])
        await dialogue.ok(#"STORE 1 +FLAGS.SILENT \Deleted"#)
        await dialogue.ok("EXPUNGE")
        #expect(await dialogue.ok("UID THREAD REFERENCES UTF-8 1:3") == ["* THREAD (2 3 4)"])
        #expect(await dialogue.ok("THREAD REFERENCES UTF-8 1:3") == ["* THREAD (1 2 3)"])
    }

    /// Without a Date field, the arrival date counts.
    @Test func datesOfArrival() async throws {
        let mail = try IMAPTestMail()
        for day in [3, 1, 2] as [Int64] { try mail.append("Subject: \(day)\n\nx\n", date: day * 86_400) }
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(await dialogue.ok("THREAD REFERENCES UTF-8 ALL") == ["* THREAD (2)(3)(1)"])
        #expect(await dialogue.ok("THREAD ORDEREDSUBJECT UTF-8 ALL") == ["* THREAD (2)(3)(1)"])
    }

    /// A megabyte of References, of which the nearest thousand are followed.
    @Test func hostileReferences() async throws {
        let mail = try IMAPTestMail()
        try mail.append("Message-ID: <0@x>\nSubject: root\n\nx\n")
        let many = (0..<80_000).map { "<\($0)@x>" }.joined(separator: "\n ")
        try mail.append("Message-ID: <m@x>\nReferences: \(many)\nSubject: leaf\n\nx\n")
        try mail.append("Message-ID: <n@x>\nReferences: <m@x>\nSubject: leaf's child\n\nx\n")
        let dialogue = await IMAPDialogue.alice(mail)
        #expect(await dialogue.ok("THREAD REFERENCES UTF-8 ALL") == ["* THREAD (1)(2 3)"])
    }
}
