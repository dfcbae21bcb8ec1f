import ShardFS
import TestSupport
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Criteria in criteria: what they mean, and that their depth costs nothing.
@Suite struct IMAPSessionSearchNestingTests {
    private static func mail() throws -> IMAPTestMail {
        let mail = try IMAPTestMail()
        try mail.append("From: ann@example.org\nSubject: apple\n\nfirst text\n", .seen)
        try mail.append("From: bob@example.org\nSubject: pear\n\nsecond text\n", [.flagged])
        try mail.append("From: ann@example.org\nSubject: pear\n\nthird\n", [.seen, .draft])
        try mail.append("Subject: none\n\nfourth\n")
        return mail
    }

    /// Keys of every cost and the messages that have them.
    private static let keys: [(text: String, found: Set<Int>)] = [
        ("ALL", [1, 2, 3, 4]), ("SEEN", [1, 3]), ("UNSEEN", [2, 4]), ("DRAFT", [3]), ("2:3", [2, 3]),
        ("UID 3:*", [3, 4]),
        ("NEW", [2, 4]), ("FROM ann", [1, 3]), ("SUBJECT pear", [2, 3]), ("BODY text", [1, 2]),
        ("SENTON 1-Jan-1990", []),
        ("SINCE 1-Jan-1990", [1, 2, 3, 4]), ("KEYWORD nope", []), ("UNKEYWORD nope", [1, 2, 3, 4]),
    ]

    private static func random(
        _ random: inout SeededGenerator, depth: Int
    ) -> (text: String, found: Set<Int>) {
        guard depth > 0, !random.one(in: 4) else { return random.pick(keys) }
        let first = Self.random(&random, depth: depth - 1)
        switch random.below(4) {
        case 0: return ("NOT \(first.text)", Set(1...4).subtracting(first.found))
        case 1:
            let second = Self.random(&random, depth: depth - 1)
            return ("OR \(first.text) \(second.text)", first.found.union(second.found))
        case 2: return ("(\(first.text))", first.found)
        default:
            let second = Self.random(&random, depth: depth - 1)
            return ("(\(first.text) \(second.text))", first.found.intersection(second.found))
        }
    }

    @Test(arguments: [1, 2]) func meansWhatTheOperatorsSay(seed: UInt64) async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let (text, found) = Self.random(&random, depth: 6)
            let expected = "* SEARCH" + found.sorted().map { " \($0)" }.joined()
            let lines = await dialogue.ok("SEARCH \(text)")
            guard lines == [expected] else {
                Issue.record("\(text): \(lines), not \(expected)")
                return
            }
        }
    }

    /// 10,000 keys, operators or parentheses: as many as a line holds.
    @Test(arguments: [
        (String(repeating: "OR 1 ", count: 9_999) + "FROM ann", "1 3"),
        (String(repeating: "OR ", count: 9_999) + String(repeating: "4 ", count: 9_999) + "FROM ann", "1 3 4"),
        (String(repeating: "OR FROM x@y.z ", count: 4_000) + "FROM bob", "2"),
        (String(repeating: "NOT ", count: 10_000) + "FROM ann", "1 3"),
        (String(repeating: "NOT ", count: 10_001) + "FROM ann", "2 4"),
        (String(repeating: "(", count: 10_000) + "FROM ann" + String(repeating: ")", count: 10_000), "1 3"),
        (String(repeating: "(OR (NOT ", count: 3_000) + "1" + String(repeating: ") DRAFT)", count: 3_000), "1 3"),
        (String(repeating: "NOT (SEEN OR 4 ", count: 2_000) + "1" + String(repeating: ")", count: 2_000), "1 2 4"),
        (String(repeating: "1:3 ", count: 9_999) + "SUBJECT pear", "2 3"),
    ]) func depthIsWhatALineHolds(keys: String, numbers: String) async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail())
        #expect(await dialogue.ok("SEARCH \(keys)") == ["* SEARCH \(numbers)"])
        #expect(await dialogue.ok("SORT (ARRIVAL) UTF-8 \(keys)") == ["* SORT \(numbers)"])
        #expect(await dialogue.ok("UID SEARCH RETURN (COUNT) \(keys)").count == 1)
    }

    @Test func moreIsALimit() async throws {
        let dialogue = await IMAPDialogue.alice(try Self.mail()) { $0.maxSearchKeys = 100 }
        for _ in 0..<30 {
            #expect(await dialogue.fails("SEARCH" + String(repeating: " ALL", count: 101)).hasPrefix("NO [LIMIT] "))
        }
        #expect(await dialogue.ok("SEARCH" + String(repeating: " ALL", count: 100)) == ["* SEARCH 1 2 3 4"])
    }
}
