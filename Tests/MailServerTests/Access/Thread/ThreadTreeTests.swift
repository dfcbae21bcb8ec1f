import IMAPCodec
import NIOCore
import Testing

@testable import MailAccess

@Suite struct ThreadTreeTests {
    private static func rendered(_ tokens: [IMAPThreadToken]) -> String {
        var buffer = ByteBuffer()
        IMAPResponseEncoder().encode(.thread(tokens), into: &buffer)
        return String(String(buffer: buffer).dropFirst("* THREAD ".count).dropLast())
    }

    private static func id(_ text: String) -> Fingerprint { Fingerprint(Array(text.utf8), as: .messageID) }

    /// Threads the mails the way THREAD does, with numbers from 1.
    private static func references(_ mails: [NaiveThreads.Mail]) -> String {
        var forest = ReferenceForest()
        var messages: [ThreadedMessage] = []
        for (index, mail) in mails.enumerated() {
            let subject = mail.subject.isEmpty ? nil : Fingerprint(Array(mail.subject.utf8), as: .subject)
            messages.append(
                ThreadedMessage(
                    number: UInt32(index + 1), uid: 0, sentDate: mail.date, subject: subject,
                    isReplyOrForward: mail.isReply))
            forest.add(mail.id.map(id), references: mail.references.map(id))
        }
        return rendered(ThreadTree(messages, linkedBy: forest).tokens { messages[$0].number })
    }

    /// Mails `a`, `b`, … by their references.
    private static func mails(_ references: String...) -> [NaiveThreads.Mail] {
        zip("abcdefghij", references).enumerated().map { index, pair in
            NaiveThreads.Mail(
                id: String(pair.0), references: pair.1.split(separator: " ").map(String.init), date: Int64(index))
        }
    }

    @Test(arguments: [
        ([], ""),
        (mails(""), "(1)"),
        (mails("", "a"), "(1 2)"),
        (mails("", "a", "a"), "(1 (2)(3))"),
        (mails("", "a", "a b"), "(1 2 3)"),
        // A missing parent, with one child and with two.
        (mails("x"), "(1)"),
        (mails("x", "x"), "((1)(2))"),
        (mails("x y", "x y z"), "((1)(2))"),
        (mails("", "a x", "a x"), "(1 (2)(3))"),
        // The reply came first.
        (mails("b", ""), "(2 1)"),
        // No loop is created.
        (mails("b", "a"), "(2 1)"),
        (mails("a"), "(1)"),
        (mails("b a", "a b"), "(1)(2)"),
        // A truncated list: a message's own references count.
        (mails("", "a", "", "c b"), "(1 2 4)(3)"),
    ])
    func links(mails: [NaiveThreads.Mail], threads: String) {
        #expect(Self.references(mails) == threads)
        #expect(NaiveThreads(mails).answer() == threads)
    }

    /// Mails by subject; `!` marks a reply, `+` a missing first mail.
    @Test(arguments: [
        (["x", "x!"], "(1 2)"),
        (["x!", "x"], "(2 1)"),
        (["x", "x"], "((1)(2))"),
        (["x!", "x!"], "((1)(2))"),
        (["x", "y", "x!", "y!"], "(1 3)(2 4)"),
        (["x", "x", "x!"], "((1)(2)(3))"),
        (["x!", "x", "x!"], "(2 (1)(3))"),
        (["", ""], "(1)(2)"),
    ])
    func subjects(subjects: [String], threads: String) {
        let mails = subjects.enumerated().map { index, subject in
            NaiveThreads.Mail(
                date: Int64(index), subject: subject.replacing("!", with: ""), isReply: subject.hasSuffix("!"))
        }
        #expect(Self.references(mails) == threads)
        #expect(NaiveThreads(mails).answer() == threads)
    }

    @Test func agreesWithTheRFCWordByWord() {
        var random = SystemRandomNumberGenerator()
        for round in 0..<3_000 {
            let count = Int.random(in: 1...12, using: &random)
            let names = (0..<Int.random(in: 1...14, using: &random)).map { "id\($0)" }
            let mails = (0..<count).map { _ in
                NaiveThreads.Mail(
                    id: Int.random(in: 0..<5, using: &random) == 0 ? nil : names.randomElement(using: &random),
                    references: (0..<Int.random(in: 0...4, using: &random)).map { _ in
                        names.randomElement(using: &random)!
                    },
                    date: .random(in: 0...8, using: &random),
                    subject: ["", "x", "y", "z"].randomElement(using: &random)!,
                    isReply: .random(using: &random))
            }
            let expected = NaiveThreads(mails).answer()
            #expect(Self.references(mails) == expected, "round \(round): \(mails)")
        }
    }

    // MARK: Hostile

    /// A reply to a reply to a reply: stack and time must stay bounded.
    @Test(arguments: ["forwards", "backwards", "shuffled"])
    func chainOfAHundredThousand(direction: String) {
        let count = 100_000
        var numbers = Array(0..<count)
        if direction == "backwards" { numbers.reverse() }
        if direction == "shuffled" { numbers.shuffle() }
        let mails = numbers.map { number in
            NaiveThreads.Mail(id: "\(number)", references: number == 0 ? [] : ["\(number - 1)"], date: Int64(number))
        }
        let threads = Self.references(mails)
        #expect(threads.utf8.filter { $0 == UInt8(ascii: "(") }.count == 1)
        #expect(threads.split(separator: " ").count == count)
    }

    /// All messages claim to be each other's parents.
    @Test func cycles() {
        let count = 20_000
        let mails = (0..<count).map { number in
            NaiveThreads.Mail(
                id: "\(number)", references: ["\((number + 1) % count)", "\((number + 7) % count)"], date: 0)
        }
        #expect(Self.references(mails).utf8.filter { $0 == UInt8(ascii: "(") }.count > 0)
    }

    @Test func manySiblings() {
        let mails = (0..<50_000).map { number in
            NaiveThreads.Mail(id: "\(number)", references: number == 0 ? [] : ["0"], date: Int64(-number))
        }
        #expect(Self.references(mails).hasPrefix("(1 (50000)(49999)"))
    }

    // MARK: ORDEREDSUBJECT

    @Test func orderedSubject() {
        let subjects = ["b", "a", "b", "c", "a", "b", "", ""]
        let messages = zip(subjects, [5, 4, 3, 2, 1, 6, 0, 7] as [Int64]).enumerated().map { index, pair in
            ThreadedMessage(
                number: UInt32(index + 1), uid: 0, sentDate: pair.1,
                subject: pair.0.isEmpty ? nil : Fingerprint(Array(pair.0.utf8), as: .subject))
        }
        let tree = ThreadTree(orderedSubjects: messages)
        #expect(Self.rendered(tree.tokens { messages[$0].number }) == "(7 8)(5 2)(4)(3 (1)(6))")
    }
}
