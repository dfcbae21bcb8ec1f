import MIME
import ShardFS
import ShardIndex
import TestSupport
import Testing

@testable import MailAccess

/// Every response is the same with and without the read cache, however it was filled.
@Suite struct CachedAnswersTests {
    private static let commands =
        [
            "ENVELOPE", "BODY", "BODYSTRUCTURE", "PREVIEW", "(UID ENVELOPE BODYSTRUCTURE PREVIEW INTERNALDATE)",
            "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM TO CC DATE MESSAGE-ID REFERENCES CONTENT-TYPE)]",
            "BODY.PEEK[HEADER.FIELDS (subject X-Nobody-Has-This)]", "BODY.PEEK[HEADER.FIELDS (LIST-ID)]<0.7>",
            "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[HEADER.FIELDS (Received X-Mailer)] BODY.PEEK[TEXT]<0.9>)",
            "(ENVELOPE BODY.PEEK[])",
        ].map { "FETCH 1:* \($0)" }
        + [
            "SEARCH SUBJECT e", "SEARCH FROM a NOT TO b", "SEARCH HEADER Message-ID \"\"",
            "SEARCH SENTSINCE 1-Jan-2000", "SEARCH SUBJECT c", "SEARCH SUBJECT \"\" NOT SENTON 1-Jan-2022",
            "SEARCH OR BCC e OR CC e TO e", "SEARCH RETURN (COUNT MIN MAX) OR FROM gr FROM j",
            "SEARCH 2:9,12 NOT FROM a",
            "SEARCH HEADER Received \"\"", "SEARCH OR SUBJECT x BODY e", "SORT (SUBJECT) UTF-8 ALL",
            "SORT (REVERSE DATE FROM TO CC) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
            "THREAD ORDEREDSUBJECT UTF-8 ALL",
        ]

    /// Ordinary mail, ugly mail, and the fuzz corpora.
    private static func mails() throws -> [String] {
        var mails = [
            "Subject: plain\n\nbody\n", "no header at all", "\n", "Subject: only a header\n", "Subject : blank\n\nx\n",
            "From mbox\nSubject: mbox\n\nx\n", "Subject: a\nsubject: b\nSUBJECT: c\n\nx\n",
            "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nFrom: =?utf-8?q?J=C3=B6rg?= <j@x.y>\nTo: g:a@b.c,d@e.f;\n\nx\n",
            "Subject: roh: Grüße\nFrom: Jörg <jörg@x.y>\nDate: Sat, 1 Jan 2022 10:00:00 +0100\n\nx\n",
            "Subject: nul \0 here\nReferences: <a@b>\n <c@d>\nIn-Reply-To: <c@d>\nMessage-ID: <e@f>\n\nx \0\n",
            "Subject: last field without line end",
            "References: \(String(repeating: "<id@example.com> ", count: 3_000))\n\nx\n",
            "Content-Type: multipart/mixed; boundary=b\nList-ID: <l>\n\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\nx\n--b--\n",
            "Content-Type: text/html\n\n<p>Hello <b>you</b></p>\(String(repeating: "<br>", count: 30_000))\n",
        ].map { $0.replacing("\n", with: "\r\n") }
        for (_, bytes) in Repository.fuzzCorpus("mime").prefix(60) where !bytes.isEmpty {
            mails.append(String(decoding: bytes, as: UTF8.self))
        }
        return mails
    }

    private static func answers(_ dialogue: IMAPDialogue) async -> [[String]] {
        var answers: [[String]] = []
        for command in commands { answers.append(await dialogue.ok(command)) }
        return answers
    }

    private static func compare(_ found: [[String]], _ expected: [[String]], _ what: String) {
        for (command, (found, expected)) in zip(commands, zip(found, expected)) where found != expected {
            let at = zip(found, expected).prefix { $0 == $1 }.count
            func line(_ lines: [String]) -> String { at < lines.count ? lines[at] : "nothing" }
            Issue.record("\(what), \(command): \(line(found)) and not \(line(expected))")
        }
    }

    @Test(arguments: [false, true]) func answersAreTheSame(utf8: Bool) async throws {
        let mails = try Self.mails()
        let plain = try IMAPTestMail(usesIndex: false)
        let cached = try IMAPTestMail(usesIndex: true)
        let streamed = try IMAPTestMail(usesIndex: true)
        let writer = await IMAPDialogue.alice(streamed)
        for mail in mails {
            for store in [plain, cached] {
                _ = try store.mailbox().append(bytes: Array(mail.utf8), internalDate: 1_000_000_000)
            }
            if mail.utf8.contains(0) {
                // IMAP takes no NUL: this message arrives like delivered mail.
                let content = IncomingContent(try streamed.mailbox().stage(), limits: .standard, memory: 1 << 20)
                try Array(mail.utf8).withUnsafeBytes { try content.write($0) }
                let result = try streamed.mailbox().append(content.staged.finish(internalDate: 1_000_000_000))
                let index = streamed.index?.account(
                    storeID: streamed.store.id, try AccountAddress(local: "alice", domain: "example.com"))
                content.keepSummary(in: index, of: try streamed.mailbox(), result, limits: .standard)
            } else {
                await writer.ok("APPEND INBOX \"9-Sep-2001 01:46:40 +0000\" {\(mail.utf8.count)+}\r\n\(mail)")
            }
        }
        func reader(_ mail: IMAPTestMail, _ mailbox: String = "INBOX") async -> IMAPDialogue {
            let dialogue = await IMAPDialogue.alice(mail, select: nil)
            if utf8 { await dialogue.ok("ENABLE UTF8=ACCEPT") }
            await dialogue.ok("EXAMINE \(mailbox)")
            return dialogue
        }
        let expected = await Self.answers(reader(plain))
        Self.compare(await Self.answers(reader(cached)), expected, "the first time")
        flush(cached)
        Self.compare(await Self.answers(reader(cached)), expected, "the second time")
        flush(cached)
        Self.compare(await Self.answers(reader(cached)), expected, "the third time, with extracts")
        Self.compare(await Self.answers(reader(streamed)), expected, "made while they came")
        await writer.ok("COPY 1:* Sent")
        Self.compare(await Self.answers(reader(streamed, "Sent")), expected, "copied")
        await writer.ok("MOVE 1:* Trash")
        Self.compare(await Self.answers(reader(streamed, "Trash")), expected, "moved")
        #expect(hits(streamed) > 3 * mails.count, "the cache is used")
    }

    /// A search leaves extracts of the messages it examined; they are removed with the messages.
    @Test func searchesLeaveExtracts() async throws {
        let mail = try IMAPTestMail(usesIndex: true)
        let alice = await IMAPDialogue.alice(mail)
        for i in 1...70 {
            let text = "Received: by x\r\nSubject: number \(i)\r\nX-Mailer: y\r\nFrom: a@b.c\r\n\r\nbody\r\n"
            await alice.ok("APPEND INBOX {\(text.utf8.count)+}\r\n\(text)")
        }
        let mailbox = try mail.mailbox()
        let key = MailboxKey(id: mailbox.id, uidValidity: try mailbox.snapshot().uidValidity)
        let address = try AccountAddress(local: "alice", domain: "example.com")
        let index = try #require(mail.index?.account(storeID: mail.store.id, address))
        func extracts() -> [UInt32: String] {
            index.flush()
            var found: [UInt32: String] = [:]
            index.forEachExtract(key, uids: 1...70) { uid, bytes in
                found[uid] = bytes.map { String(decoding: $0.dropFirst(8), as: UTF8.self) }
                return true
            }
            return found
        }
        #expect(extracts().isEmpty)
        // Also when one extract is missing between others.
        for command in ["UID SEARCH 3:4,9 SUBJECT \"number 3\"", "UID SEARCH SUBJECT \"number 3\""] {
            let found = await alice.ok(command)
            #expect(found.first?.hasPrefix("* SEARCH 3") == true)
            if command.contains("9") {
                #expect(extracts().keys.sorted() == [3, 4, 9])
                #expect(extracts()[9] == "\u{1}\u{8}\u{0}\u{0}\u{0}number 9\u{2}\u{7}\u{0}\u{0}\u{0}<a@b.c>")
            }
        }
        #expect(extracts().count == 70)
        await alice.ok("UID STORE 3 +FLAGS (\\Deleted)")
        await alice.ok("EXPUNGE")
        #expect(extracts().count == 69)
        #expect(await alice.ok("UID SEARCH SUBJECT \"number 3\"").first?.hasPrefix("* SEARCH 30 31") == true)
    }

    private func flush(_ mail: IMAPTestMail) {
        guard let address = try? AccountAddress(local: "alice", domain: "example.com") else { return }
        mail.index?.account(storeID: mail.store.id, address)?.flush()
    }

    private func hits(_ mail: IMAPTestMail) -> Int {
        guard let address = try? AccountAddress(local: "alice", domain: "example.com") else { return 0 }
        return mail.index?.account(storeID: mail.store.id, address)?.statistics.hits ?? 0
    }
}
