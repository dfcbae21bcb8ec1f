import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

@Suite struct IMAPSessionSortTests {
    /// Messages whose order differs by every key.
    private static func mail() throws -> IMAPTestMail {
        let mail = try IMAPTestMail()
        try mail.append(
            "From: Zoe <bob@x>\nTo: m@x\nCc: q@x\nSubject: Re: banana\nDate: 3 Jan 2024 10:00:00 +0000\n\n1\n", .seen,
            date: 500)
        try mail.append(
            "From: =?UTF-8?Q?=C3=84nne?= <Carl@x>\nTo: Team: a@x;\nSubject: [list] apple\nDate: 3 Jan 2024 10:30:00 +0100"
                + "\n\n22\n", date: 400)
        try mail.append("From: alice@x\nTo: K@x\nCc: A@x\nSubject: cherry (fwd)\n\n3\n", date: 300)
        try mail.append("Subject: BANANA\nDate: 2 Jan 2024 00:00:00 +0000\n\n4444444444444444444444444444\n", date: 200)
        return mail
    }

    @Test(arguments: [
        ("ARRIVAL", "4 3 2 1"), ("REVERSE ARRIVAL", "1 2 3 4"), ("SIZE", "3 4 1 2"),
        ("SUBJECT", "2 1 4 3"), ("REVERSE SUBJECT", "3 1 4 2"), ("SUBJECT DATE", "2 4 1 3"),
        ("SUBJECT REVERSE DATE", "2 1 4 3"), ("DATE", "3 4 2 1"), ("FROM", "4 3 1 2"), ("CC", "2 4 3 1"),
        ("TO", "4 3 1 2"), ("DISPLAYFROM", "4 3 2 1"), ("DISPLAYTO", "4 3 1 2"),
        ("SUBJECT SUBJECT REVERSE SUBJECT ARRIVAL", "2 4 1 3"), ("CC REVERSE ARRIVAL", "2 4 3 1"),
    ])
    func keys(criteria: String, numbers: String) async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        #expect(await dialogue.ok("SORT (\(criteria)) UTF-8 ALL") == ["* SORT \(numbers)"], "\(criteria)")
    }

    @Test func searchesFirst() async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        #expect(await dialogue.ok("SORT (SUBJECT) UTF-8 UNSEEN") == ["* SORT 2 4 3"])
        #expect(await dialogue.ok(#"SORT (SUBJECT) US-ASCII TEXT "not in mailbox""#) == ["* SORT"])
        await dialogue.ok(#"STORE 1 +FLAGS.SILENT \Deleted"#)
        await dialogue.ok("EXPUNGE")
        #expect(await dialogue.ok("SORT (SUBJECT) UTF-8 ALL") == ["* SORT 1 3 2"])
        #expect(await dialogue.ok("UID SORT (SUBJECT) UTF-8 ALL") == ["* SORT 2 4 3"])
        #expect(await dialogue.ok("UID SORT (SUBJECT) UTF-8 1:2") == ["* SORT 2 3"])
        #expect(await dialogue.ok("UID SORT (SUBJECT) UTF-8 UID 4,3") == ["* SORT 4 3"])
        let modSeq = await dialogue.ok("SORT (ARRIVAL) UTF-8 MODSEQ 1")
        #expect(modSeq[line: 1].hasPrefix("* SORT 3 2 1 (MODSEQ "))
    }

    @Test func refusals() async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        #expect(await dialogue.fails("SORT (SUBJECT) X-NONE ALL").hasPrefix("NO [BADCHARSET (UTF-8 US-ASCII "))
        #expect(await dialogue.fails("THREAD REFERENCES X-NONE ALL").hasPrefix("NO [BADCHARSET (UTF-8 US-ASCII "))
        #expect(await dialogue.fails("THREAD OTHER UTF-8 ALL").hasPrefix("BAD "))
        #expect(await dialogue.fails("SORT (COLOUR) UTF-8 ALL").hasPrefix("BAD "))
        #expect(await dialogue.fails("SORT () UTF-8 ALL").hasPrefix("BAD "))
        #expect(await dialogue.fails("SORT (REVERSE) UTF-8 ALL").hasPrefix("BAD "))
    }

    /// RFC 5267 section 3.
    @Test func extendedAnswers() async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        func esearch(_ command: String) async -> String {
            await dialogue.ok(command).first.map { String($0.drop { $0 != ")" }.dropFirst()) } ?? ""
        }
        #expect(await esearch("SORT RETURN () (ARRIVAL) UTF-8 ALL") == " ALL 4,3,2,1")
        #expect(await esearch("UID SORT RETURN (ALL) (SUBJECT DATE) UTF-8 ALL") == " UID ALL 2,4,1,3")
        #expect(await esearch("SORT RETURN () (REVERSE ARRIVAL) UTF-8 ALL") == " ALL 1:4")
        #expect(await esearch("SORT RETURN (MIN MAX COUNT) (ARRIVAL) UTF-8 ALL") == " MIN 4 MAX 1 COUNT 4")
        #expect(await esearch("SORT RETURN (PARTIAL 2:3) (ARRIVAL) UTF-8 ALL") == " PARTIAL (2:3 3,2)")
        #expect(await esearch("SORT RETURN (COUNT) (ARRIVAL) UTF-8 DELETED") == " COUNT 0")
        #expect(await esearch("SORT RETURN (ALL) (ARRIVAL) UTF-8 DELETED") == "")
        #expect(await dialogue.ok("SORT RETURN (SAVE) (ARRIVAL) UTF-8 1:2").isEmpty)
        #expect(await dialogue.ok("UID SORT (ARRIVAL) UTF-8 UID $") == ["* SORT 2 1"])
        #expect(await dialogue.ok("THREAD REFERENCES UTF-8 $") == ["* THREAD (2)(1)"])
    }

    @Test func limits() async throws {
        let dialogue = await IMAPDialogue(try Self.mail()) {
            $0.maxSortedMessages = 3
            $0.maxSortedTextBytes = 12
            $0.maxThreadedMessages = 3
            $0.maxThreadedMessageIDs = 2
        }
        _ = dialogue.take()
        await dialogue.ok("LOGIN alice@example.com \(IMAPTestMail.password)")
        await dialogue.ok("SELECT INBOX")
        #expect(await dialogue.fails("SORT (ARRIVAL) UTF-8 ALL").hasPrefix("NO [LIMIT] "))
        #expect(await dialogue.ok("SORT (ARRIVAL) UTF-8 1:3") == ["* SORT 3 2 1"])
        #expect(await dialogue.fails("SORT (SUBJECT) UTF-8 1:3").hasPrefix("NO [LIMIT] "))
        #expect(await dialogue.ok("SORT (SUBJECT) UTF-8 1:2") == ["* SORT 2 1"])
        #expect(await dialogue.fails("THREAD ORDEREDSUBJECT UTF-8 ALL").hasPrefix("NO [LIMIT] "))
        #expect(await dialogue.fails("THREAD REFERENCES UTF-8 1:3").hasPrefix("NO [LIMIT] "))
        #expect(await dialogue.ok("THREAD REFERENCES UTF-8 1:2") == ["* THREAD (2)(1)"])
    }

    /// Compares with an independent sort that only compares pairs.
    @Test func agreesWithPairs() async throws {
        let mail = try IMAPTestMail()
        var random = SystemRandomNumberGenerator()
        var rows: [(subject: String, date: Int, size: Int)] = []
        for _ in 0..<60 {
            let subject = ["a", "B", "b", "é", "z", "_", "E"].randomElement(using: &random)!
            let row = (subject, Int.random(in: 1...9, using: &random), Int.random(in: 1...4, using: &random))
            rows.append(row)
            try mail.append(
                "Subject: \(subject)\nDate: \(row.1) Jan 2024 00:00:00 +0000\n\n"
                    + String(repeating: "x", count: subject.utf8.count > 1 ? row.2 : row.2 + 1) + "\n")
        }
        // The order of titlecase letters with separate accents: A, B, E, E´, Z, _.
        let rank = ["a": 0, "B": 1, "b": 1, "E": 2, "é": 3, "z": 4, "_": 5]
        let dialogue = await IMAPDialogue.alice(mail)
        for (criteria, key) in [
            ("SUBJECT DATE SIZE", { [rank[$0.subject]!, $0.date, $0.size] }),
            ("REVERSE DATE SIZE", { [-$0.date, $0.size] }),
            ("SIZE REVERSE SUBJECT", { [$0.size, -rank[$0.subject]!] }),
        ] as [(String, ((subject: String, date: Int, size: Int)) -> [Int])] {
            let expected = rows.indices.sorted { left, right in
                (key(rows[left]) + [left]).lexicographicallyPrecedes(key(rows[right]) + [right])
            }
            let line = "* SORT " + expected.map { "\($0 + 1)" }.joined(separator: " ")
            #expect(await dialogue.ok("SORT (\(criteria)) UTF-8 ALL") == [line], "\(criteria)")
        }
    }

    /// A message expunged by another session keeps its sequence number for this client.
    @Test func expungedElsewhere() async throws {
        let mail = try Self.mail()
        let dialogue = await IMAPDialogue.alice(mail)
        let other = await IMAPDialogue.alice(mail)
        await other.ok(#"STORE 2 +FLAGS.SILENT \Deleted"#)
        await other.ok("EXPUNGE")
        let (lines, result) = await dialogue.command("SORT (SUBJECT) UTF-8 ALL")
        #expect(result.hasPrefix("OK "))
        #expect(lines.contains("* SORT 2 1 4 3"))
        #expect(await dialogue.ok("THREAD ORDEREDSUBJECT UTF-8 ALL").last?.hasPrefix("* THREAD ") == true)
        #expect(await dialogue.ok("UID SORT (SUBJECT) UTF-8 ALL").contains("* 2 EXPUNGE"))
        #expect(await dialogue.ok("SORT (SUBJECT) UTF-8 ALL") == ["* SORT 1 3 2"])
    }
}
