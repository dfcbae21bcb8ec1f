import MIME
import NIOCore
import Primitives
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Commands that cost their server much more than their client: what they cost is counted, no turn of them is long, and
/// they end when nobody wants them any more.
@Suite struct BoundedWorkTests {
    /// A mailbox of `count` messages with `size` octets of text each.
    private static func mail(_ count: Int, size: Int) throws -> IMAPTestMail {
        let mail = try IMAPTestMail()
        let text = String(repeating: "The quick brown fox jumps over it.\n", count: size / 35)
        for number in 1...count {
            try mail.append(
                "From: a@example.com\nSubject: message \(number)\nMessage-ID: <\(number)@example.com>\n\n\(text)")
        }
        return mail
    }

    /// Runs commands of alice's with a pool of their own; what they cost.
    private static func work(
        _ mail: IMAPTestMail, _ commands: [String],
        _ body: (IMAPDialogue, String) async -> Void = { _ = await $0.ok($1) }
    ) async -> (total: Int, largest: Int) {
        let pool = BlockingPool(threads: 2, maximumWaiting: 100)
        let dialogue = await IMAPDialogue.alice(mail, pool: pool) { $0.maxLineLength = 1 << 20 }
        for command in commands { await body(dialogue, command) }
        // The last turn is counted when it is over.
        await pool.shutdown()
        return pool.work
    }

    private static let turn = 2 * Turn.budget + 200_000

    @Test func searchesOfBodies() async throws {
        let mail = try Self.mail(30, size: 200_000)
        let work = await Self.work(mail, ["SEARCH BODY absent", "SEARCH TEXT absent"])
        #expect(work.total >= 2 * 30 * 190_000)
        #expect(work.largest <= Self.turn)
    }

    /// Two hundred keys read each message two hundred times.
    @Test func searchesWithManyKeys() async throws {
        let mail = try Self.mail(2, size: 200_000)
        let key = (0..<200).map { "NOT BODY absent\($0)" }.joined(separator: " ")
        let work = await Self.work(mail, ["SEARCH \(key)"])
        #expect(work.total >= 2 * 200 * 190_000)
        #expect(work.largest <= Self.turn)
    }

    @Test func searchesOfHeadersWithManyKeys() async throws {
        let mail = try IMAPTestMail()
        let subject = String(repeating: "word ", count: 3_000)
        for number in 1...20 { try mail.append("Subject: \(number)\n \(subject)\n\nbody\n") }
        let key = (0..<300).map { "NOT SUBJECT absent\($0)" }.joined(separator: " ")
        for _ in 0..<2 {
            let work = await Self.work(mail, ["SEARCH \(key)"])
            #expect(work.total >= 20 * 300 * 15_000)
            #expect(work.largest <= Self.turn)
        }
    }

    /// Nothing is read, but every message is held against every term.
    @Test func searchesOfFlagsWithManyKeys() async throws {
        let mail = try IMAPTestMail()
        try mail.fill(500)
        // Flags alone would become one test.
        let key = Array(repeating: "UNSEEN", count: 2_000).joined(separator: " LARGER 1 ")
        let work = await Self.work(mail, ["SEARCH \(key)"])
        #expect(work.total >= 500 * 3_999)
        #expect(work.largest <= Self.turn)
    }

    @Test func sortsAndThreads() async throws {
        let mail = try IMAPTestMail()
        for number in 0..<3_000 {
            let references = (0..<5).map { "<\((number &* 7_919 + $0) % 3_000)@x>" }.joined(separator: " ")
            try mail.append(
                "Subject: \((number &* 31) % 97)\nMessage-ID: <\(number)@x>\nReferences: \(references)\n\nx\n")
        }
        let work = await Self.work(
            mail,
            ["SORT (REVERSE SUBJECT FROM DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "SORT (ARRIVAL) UTF-8 ALL"])
        #expect(work.largest <= Self.turn)
        #expect(work.total >= 3_000 * 11 * 16)
    }

    @Test func listsWithLongReferencesAndManyWildcards() async throws {
        let mail = try IMAPTestMail()
        let account = try mail.account()
        for number in 0..<40 { try account.create(MailboxName(String(repeating: "a", count: 150) + "\(number)")) }
        let wild = String(repeating: "*a", count: 70) + "b"
        let long = String(repeating: "%a", count: 30_000)
        let work = await Self.work(
            mail,
            [
                "LIST \"\" \(wild)", "LIST \"\(long)\" *",
                "LIST \"\" (\(Array(repeating: wild, count: 10).joined(separator: " ")))", "LSUB \"\(long)\" %",
            ])
        #expect(work.total >= 11 * 40 * 141 * 150)
        // The long one matches no name that short, and costs nothing.
        #expect(work.total < 13 * 40 * 141 * 153)
        #expect(work.largest <= Self.turn)
    }

    @Test func fetchesOfManyItems() async throws {
        let mail = try IMAPTestMail()
        let field = "X-Field: " + String(repeating: "x", count: 60) + "\n"
        try mail.append("Subject: s\n" + String(repeating: field, count: 4_000) + "\nbody\n")
        let items = (0..<100).map { "BODY.PEEK[HEADER.FIELDS.NOT (x\($0))]" }.joined(separator: " ")
        let work = await Self.work(mail, ["FETCH 1 (\(items))"])
        #expect(work.total >= 100 * 280_000)
        #expect(work.largest <= Self.turn)
    }

    /// The walk over the tree is paid for, whatever the patterns.
    @Test(arguments: ["LIST \"\" nothing", "LSUB \"\" nothing", "NOTIFY SET (PERSONAL (MailboxName))"])
    func walksOverManyMailboxes(command: String) async throws {
        let mail = try IMAPTestMail()
        let account = try mail.account()
        for number in 0..<300 { try account.create(MailboxName("Box\(number)")) }
        let work = await Self.work(mail, [command])
        #expect(work.total >= 300 * 4_096)
        #expect(work.largest <= 2 * Turn.budget + 303 * 4_096)
    }

    /// Addresses are parsed and decoded once for a message, not for each key.
    @Test(arguments: [false, true]) func addressesAreParsedOnce(usesIndex: Bool) async throws {
        let mail = try IMAPTestMail(usesIndex: usesIndex)
        let people = (0..<40).map { "=?utf-8?q?gr=C3=BC=C3=9Fe?= <\($0)@example.com>" }.joined(separator: ",\n ")
        for number in 1...10 { try mail.append("From: \(people)\nSubject: \(number)\n\nbody\n") }
        let key = (0..<2_500).map { "NOT FROM absent\($0)" }.joined(separator: " ")
        let before = EncodedWord.decodedWords
        _ = await Self.work(mail, ["SEARCH \(key)"])
        // One message alone would have 100,000 for the keys; other tests decode some meanwhile.
        #expect(EncodedWord.decodedWords - before < 50_000)
    }

    /// A header too large for a summary is decoded for the first search alone.
    @Test func largeHeadersAreDecodedOnce() async throws {
        let mail = try IMAPTestMail(usesIndex: true)
        let charsets = ["utf-8", "iso-8859-2", "koi8-r", "shift_jis", "utf-16", "gb18030"]
        let words = (0..<900).map { "=?\(charsets[$0 % charsets.count])?b?ZmlzaA==?=" }.joined(separator: "\n ")
        try mail.append(String(repeating: "Subject: \(words)\n", count: 20) + "\nbody\n")
        let dialogue = await IMAPDialogue.alice(mail)
        func decoded(_ command: String) async -> (words: Int, answer: [String]) {
            let before = EncodedWord.decodedWords
            let answer = await dialogue.ok(command)
            return (EncodedWord.decodedWords - before, answer)
        }
        let first = await decoded("SEARCH SUBJECT fish")
        #expect(first.words >= 900)
        let others = await decoded("SEARCH SUBJECT absent")
        #expect(others.answer == ["* SEARCH"])
        for _ in 0..<3 {
            let again = await decoded("SEARCH SUBJECT absent")
            #expect(again.words < 9_000 && again.answer == ["* SEARCH"])
        }
    }

    // MARK: the end

    private static let heavy = [
        "SEARCH BODY absent", "SORT (SUBJECT) UTF-8 BODY absent", "THREAD REFERENCES UTF-8 BODY absent",
    ]

    @Test(arguments: heavy) func aHeavyCommandEndsWhenTheServerStops(command: String) async throws {
        let mail = try Self.mail(40, size: 200_000)
        let work = await Self.work(mail, [command]) { dialogue, command in
            dialogue.session.owner.stop()
            #expect(await dialogue.ok("NOOP") == [], "short ones are finished")
            let (lines, _) = await dialogue.command(command)
            #expect(lines.last?.hasPrefix("* BYE") == true && dialogue.isClosed)
        }
        #expect(work.total <= 3 * Turn.budget)
    }

    /// An account that is disabled meanwhile ends its commands, with the reason.
    @Test(arguments: heavy) func aHeavyCommandEndsWhenItsAccountIsDisabled(command: String) async throws {
        let mail = try Self.mail(40, size: 200_000)
        let work = await Self.work(mail, [command]) { dialogue, command in
            dialogue.session.revoke()
            let (lines, _) = await dialogue.command(command)
            #expect(lines.last == "* BYE The account is disabled" && dialogue.isClosed)
        }
        #expect(work.total <= 3 * Turn.budget)
    }

    @Test(arguments: heavy) func aHeavyCommandEndsWhenItsClientIsGone(command: String) async throws {
        let mail = try Self.mail(40, size: 200_000)
        let work = await Self.work(mail, [command]) { dialogue, command in
            dialogue.output.hangUp()
            _ = await dialogue.command(command)
            #expect(dialogue.isClosed)
        }
        #expect(work.total <= 3 * Turn.budget)
    }
}
