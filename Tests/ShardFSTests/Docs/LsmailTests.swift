import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// `contrib/lsmail.py` knows the format from docs/storage.md alone; its output must match the engine's.
@Suite("The format is as written: lsmail.py reads what the engine wrote", .enabled(if: Program.hasPython))
struct LsmailTests {
    static let script = Repository.path + "/contrib/lsmail.py"

    /// One line for each message, in the format of lsmail.py.
    static func engineListing(_ account: Account) throws -> [String] {
        var lines: [String] = []
        let names = try account.list().filter(\.isSelectable).map(\.name)
        for name in names.sorted(by: { $0.description.utf8.lexicographicallyPrecedes($1.description.utf8) }) {
            let snapshot = try account.mailbox(name).snapshot()
            let shown = name.description.unicodeScalars.map { $0 == "\t" ? #"\t"# : String($0) }.joined()
            snapshot.messages.forEach { entry in
                let flags = flagNames(entry.flags, snapshot.keywords).joined(separator: " ")
                lines.append("\(shown)\t\(entry.uid)\t\(flags.isEmpty ? "-" : flags)\t\(entry.size)\t\(entry.modSeq)")
            }
        }
        return lines
    }

    private static func flagNames(_ flags: MessageFlags, _ keywords: KeywordTable) -> [String] {
        let system: [(MessageFlags, String)] = [
            (.answered, #"\Answered"#), (.deleted, #"\Deleted"#), (.flagged, #"\Flagged"#), (.seen, #"\Seen"#),
            (.draft, #"\Draft"#),
        ]
        let all = system.filter { flags.contains($0.0) }.map(\.1) + keywords.names(in: flags)
        return all.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func lsmail(_ arguments: String...) throws -> [String] {
        let (output, status) = Program.run(["python3", script] + arguments)
        try #require(status == 0)
        return output.split(separator: "\n").map(String.init)
    }

    /// A closed store with some of everything that affects a listing.
    static func sample() throws -> (TestStore, account: String) {
        var options = StoreOptions()
        options.bootID = "first"
        let test = try TestStore(options)
        let restarted = try test.mailbox("Restarted")
        for i in 1...4 { try restarted.append("before \(i)\r\n", i == 2 ? .seen : []) }
        _ = try restarted.changeFlags([UID(3)], .add(.flagged))
        _ = try restarted.remove([UID(1)])

        // The machine reboots: every mailbox that was open is recovered.
        try test.reopen { $0.bootID = "second" }
        try test.mailbox("Restarted").append("after\r\n", .draft)

        let inbox = try test.mailbox("INBOX")
        for i in 1...12 {
            let flags: MessageFlags = i % 3 == 0 ? [.answered, .seen] : []
            try inbox.append(String(repeating: "x", count: i) + "\r\n", flags)
        }
        let work = try inbox.keywords(["$Work", "later"], create: true)
        _ = try inbox.changeFlags([UID(1), UID(2), UID(3), UID(9)], .add(work))
        _ = try inbox.changeFlags([UID(3)], .remove(.seen))
        _ = try inbox.changeFlags([UID(4), UID(5)], .add(.deleted))
        _ = try inbox.expunge()

        let nested = try test.mailbox("Lists/Grüße/日本")
        _ = try nested.keywords(["other"], create: true)
        _ = try inbox.copy([UID(1), UID(3), UID(9)], to: nested)
        let sent = try test.mailbox("Sent")
        _ = try inbox.move([UID(2), UID(6)], to: sent)
        for i in 0..<40 { _ = try sent.changeFlags([UID(1)], i % 2 == 0 ? .add(.flagged) : .remove(.flagged)) }
        try sent.compact()
        _ = try sent.changeFlags([UID(2)], .add(.deleted))
        try sent.append("behind the compaction\r\n")
        let batch: [(message: FinishedMessage, flags: MessageFlags)] = try ["a\r\n", "bc\r\n", "def\r\n"].map {
            (try sent.finished($0), $0 == "bc\r\n" ? .seen : [])
        }
        _ = try sent.append(batch)

        // Names that collide with the layout's, and a level without messages.
        for name in ["0000", ".hidden", "mailboxes", "100% %41", "a\tb", "Gone/Child"] {
            try test.mailbox(name).append(name)
        }
        try test.account().delete(MailboxName("Gone"))

        // A mailbox of the old program whose next UID soon needs more digits and another shard.
        let big = try test.directory("Big")
        #expect(mkdir(big, 0o700) == 0)
        let status = Array(#"{"uid_validity": 7, "uid_next": 99999998}"#.utf8)
        let directory = try SystemCalls().openDirectory(SystemCalls.currentDirectory, big)
        defer { close(directory) }
        try FilePublisher(system: SystemCalls()).publish(status, as: MailboxStatus.fileName, in: directory)
        for i in 0..<4 { try test.mailbox("Big").append("\(i)\r\n") }
        try test.store.close()
        return (test, "\(test.path)/\(Store.path(try AccountAddress(parsing: "alice@example.com")))")
    }

    @Test func everyMessage() throws {
        let (test, path) = try Self.sample()
        let listed = try Self.lsmail(path)
        let expected = try Self.engineListing(test.account())
        #expect(listed == expected)
        #expect(expected.count == 31)
        #expect(expected.contains { $0.hasPrefix("Big\t100000001\t") })
        #expect(expected.contains { $0.hasPrefix("INBOX\t3\t$Work \\Answered later\t5\t") })
        #expect(expected.contains { $0.hasPrefix("Lists/Grüße/日本\t2\t$Work \\Answered later\t5\t") })

        // One mailbox and the levels below it.
        let below = try Self.lsmail("\(path)/mailboxes/Lists")
        #expect(below == expected.filter { $0.hasPrefix("Lists/") })
        #expect(below.count == 3)

        // The JSON output, with empty mailboxes and levels without messages.
        let text = try Self.lsmail(path, "--json").joined(separator: "\n")
        let levels = try #require(try JSONValue.parse(Array(text.utf8), name: "output").array)
        let shown = levels.map { "\($0["mailbox"]?.string ?? "?") \($0["selectable"] == .bool(true))" }
        #expect(Set(shown) == Set(try test.account().list().map { "\($0.name) \($0.isSelectable)" }))
        #expect(levels.reduce(0) { $0 + ($1["messages"]?.array?.count ?? 0) } == expected.count)
    }

    @Test func withoutLogOrStatus() throws {
        let (test, path) = try Self.sample()
        defer { withExtendedLifetime(test) {} }
        let sent = try Self.lsmail("\(path)/mailboxes/Sent")
        #expect(sent.count == 6)
        #expect(unlink("\(path)/mailboxes/Sent/\(LogFile.fileName)") == 0)
        let names = sent.map { $0.split(separator: "\t").dropLast().joined(separator: "\t") + "\t-" }
        #expect(try Self.lsmail("\(path)/mailboxes/Sent") == names)

        let inbox = try Self.lsmail("\(path)/mailboxes/INBOX")
        #expect(inbox.contains { $0.contains("$Work") })
        #expect(unlink("\(path)/mailboxes/INBOX/\(MailboxStatus.fileName)") == 0)
        #expect(try Self.lsmail("\(path)/mailboxes/INBOX") == inbox)
    }
}
