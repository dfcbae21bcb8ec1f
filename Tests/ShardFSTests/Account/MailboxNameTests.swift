import Primitives
import TestSupport
import Testing

@testable import ShardFS

@Suite struct MailboxNameTests {
    @Test(arguments: [
        ("INBOX", "INBOX"), ("inbox", "INBOX"), ("InBoX/Lists", "INBOX/Lists"), ("Work/inbox", "Work/inbox"),
        ("inboxes", "inboxes"), ("Entwürfe", "Entwürfe"), ("a b/c*d%", "a b/c*d%"), ("...", "..."), (".hid", ".hid"),
        ("日本語/メール", "日本語/メール"),
    ])
    func keeps(_ row: (String, String)) throws {
        #expect(try MailboxName(row.0).description == row.1)
    }

    @Test(arguments: [
        "", "/", "a/", "/a", "a//b", ".", "..", "a/..", "../a", "a/../b", "a/./b", "a\u{0}b", "a\nb", "a\rb",
        "../../../../etc/passwd",
    ])
    func refusesAsInvalid(_ name: String) {
        #expect(throws: StoreError(.invalidName, "")) { try MailboxName(name) }
    }

    private static let tooMuch = [
        String(repeating: "x", count: 256), String(repeating: "x", count: 300),
        // 128 control characters: short, but too long as a directory name.
        String(repeating: "\u{1}", count: 128),
        Array(repeating: "a", count: 65).joined(separator: "/"),
        Array(repeating: "a", count: 10_000).joined(separator: "/"),
        Array(repeating: String(repeating: "x", count: 100), count: 10).joined(separator: "/"),
        String(repeating: "e\u{301}", count: 2_000_000),
    ]

    @Test(arguments: tooMuch.indices)
    func refusesAsTooMuch(_ index: Int) {
        #expect(throws: StoreError(.limit, "")) { try MailboxName(Self.tooMuch[index]) }
    }

    @Test func aSeparatorStaysOneBeforeACombiningMark() throws {
        #expect(try MailboxName("a/\u{338}b/c").components == ["a", "\u{338}b", "c"])
        #expect(throws: StoreError(.invalidName, "")) { try MailboxName("a\u{301}/../\u{301}b") }
        #expect(MailboxName(directoryName: Array("a%2F\u{301}".utf8), in: nil) == nil)
    }

    @Test func acceptsUpToTheLimits() throws {
        #expect(try MailboxName(Array(repeating: "a", count: 64).joined(separator: "/")).components.count == 64)
        #expect(try MailboxName(String(repeating: "x", count: 255)).directoryName.utf8.count == 255)
        // A path that the system accepts in one piece, whatever characters the name has.
        let control = Array(repeating: String(repeating: "\u{1}", count: 14), count: 64).joined(separator: "/")
        let name = try MailboxName(control)
        #expect(name.description.utf8.count > 900)
        #expect(name.relativePath.utf8.count < 4096)
    }

    @Test(
        arguments: [[0xFF], [0x61, 0xC3], [0xED, 0xA0, 0x80], [0xC0, 0xAF], [0xF4, 0x90, 0x80, 0x80]] as [[UInt8]])
    func refusesWhatIsNoUTF8(_ bytes: [UInt8]) {
        #expect(throws: StoreError(.invalidName, "")) { try MailboxName(utf8: bytes) }
    }

    @Test func oneSpellingPerName() throws {
        let composed = try MailboxName("Entw\u{FC}rfe/\u{AC00}")
        let decomposed = try MailboxName("Entwu\u{308}rfe/\u{1100}\u{1161}")
        #expect(composed == decomposed)
        #expect(Set([composed, decomposed]).count == 1)
        #expect(Array(decomposed.relativePath.utf8) == Array("mailboxes/Entw\u{FC}rfe/mailboxes/\u{AC00}".utf8))
        #expect(try MailboxName("a") != MailboxName("A"))
    }

    @Test(arguments: [
        // UAX 15: ordering of marks, blocked marks, singletons, exclusions, chains.
        ("e\u{301}", "\u{E9}"), ("\u{1E0A}\u{323}", "\u{1E0C}\u{307}"), ("D\u{307}\u{323}", "\u{1E0C}\u{307}"),
        ("\u{212B}", "\u{C5}"), ("\u{2126}", "\u{3A9}"), ("\u{958}", "\u{915}\u{93C}"),
        ("\u{1E9B}\u{323}", "\u{1E9B}\u{323}"),
        ("a\u{5AE}\u{300}\u{315}b", "\u{E0}\u{5AE}\u{315}b"), ("u\u{308}\u{304}", "\u{1D6}"), ("\u{301}a", "\u{301}a"),
        ("\u{1112}\u{1161}\u{11AB}", "\u{D55C}"), ("\u{FB01}", "\u{FB01}"),
        ("a\u{346}\u{301}", "a\u{346}\u{301}"), ("\u{F81}", "\u{F71}\u{F80}"),
    ])
    func composes(_ row: (String, String)) {
        #expect(Array(Normalization.nfc(row.0).unicodeScalars) == Array(row.1.unicodeScalars))
        #expect(Array(Normalization.nfc(row.1).unicodeScalars) == Array(row.1.unicodeScalars))
    }

    @Test(arguments: [
        ("INBOX", "INBOX"), ("a%b", "a%25b"), (".hidden", "%2Ehidden"), ("...", "%2E.."), ("a.b", "a.b"),
        ("a\tb", "a%09b"), ("\u{7F}", "%7F"), ("\u{85}", "%C2%85"), ("mailboxes", "%6Dailboxes"),
        ("Mailboxes", "Mailboxes"), ("status.json", "%73tatus.json"), ("changes.log", "%63hanges.log"),
        ("0000", "%30000"), ("1000", "%31000"), ("4294967", "%34294967"), ("4294968", "4294968"), ("000", "000"),
        ("00000", "00000"), ("%2E", "%252E"), ("é", "é"),
    ])
    func encodes(_ row: (String, String)) throws {
        let name = try MailboxName(row.0)
        #expect(name.directoryName == row.1)
        #expect(MailboxName(directoryName: Array(row.1.utf8), in: nil) == name)
    }

    @Test(arguments: [
        "", "%", "%2", "%2e", "%2G", "%41", ".hidden", "..", "%2E", "%2E%2E", "a%2Fb", "a%00b", "a%0Ab", "mailboxes",
        "0000", "inbox", "Inbox", "%49NBOX", "u\u{308}", "%C2", "a%C3%BC", "a\tb", "%C3%BC", "a/b",
    ])
    func foreignDirectories(_ name: String) {
        #expect(MailboxName(directoryName: Array(name.utf8), in: nil) == nil)
    }

    @Test func inboxBelowTheTopIsAnOrdinaryName() throws {
        let parent = try MailboxName("Work")
        #expect(MailboxName(directoryName: Array("inbox".utf8), in: parent) == (try MailboxName("Work/inbox")))
        #expect(MailboxName(directoryName: [0xFF], in: parent) == nil)
    }

    @Test func relations() throws {
        let name = try MailboxName("A/B/C")
        #expect(name.parent == (try MailboxName("A/B")))
        #expect(name.leaf == "C")
        #expect(try MailboxName("A").parent == nil)
        #expect(name.isDescendant(of: try MailboxName("A")))
        #expect(!name.isDescendant(of: name))
        #expect(try !MailboxName("AB").isDescendant(of: MailboxName("A")))
        #expect(name.relativePath == "mailboxes/A/mailboxes/B/mailboxes/C")
        #expect(MailboxName.inbox.isInbox)
        #expect(try !MailboxName("INBOX/x").isInbox)
        #expect(try name.renamed(from: MailboxName("A/B"), to: MailboxName("inbox/Z")).description == "INBOX/Z/C")
        #expect(try name.renamed(from: MailboxName("X"), to: MailboxName("Y")) == name)
        #expect(throws: StoreError(.limit, "")) {
            try name.renamed(
                from: MailboxName("A"), to: MailboxName(Array(repeating: "a", count: 63).joined(separator: "/")))
        }
    }

    /// An accepted name, whatever a client sends, is recovered from its directories, and no directory name can lead
    /// elsewhere.
    @Test func anyNameComesBackFromItsDirectories() {
        var random = SeededGenerator(seed: 1)
        let alphabet: [Unicode.Scalar] = [
            "a", "Z", "0", "0", "0", ".", ".", "/", "/", "%", "2", "E", "\t", "\u{1}", "\u{7F}", "\u{85}", "\u{308}",
            "\u{323}",
            "u", "é", "日", "😀", " ", "~", "\\", "*", "\u{1100}", "\u{1161}", "\u{0}", "\n", "\u{338}",
        ]
        var accepted = 0
        for _ in 0..<4000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<(1 + random.below(8)) { text.append(alphabet[random.below(alphabet.count)]) }
            guard let name = try? MailboxName(String(text)) else { continue }
            accepted += 1
            #expect((try? MailboxName(name.description)) == name)
            var back: MailboxName?
            for component in name.components {
                let directory = MailboxDirectoryName.encode(component)
                #expect(!directory.isEmpty && directory.utf8.first != 0x2E && !directory.utf8.contains(0x2F))
                #expect(directory.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
                #expect(ShardName.parse(directory) == nil && !MailboxDirectoryName.reserved.contains(directory))
                back = MailboxName(directoryName: Array(directory.utf8), in: back)
                #expect(back != nil)
            }
            #expect(back == name)
        }
        #expect(accepted > 1000)
    }

    /// A directory name of any bytes is either foreign or the one directory name of a mailbox name.
    @Test func anyDirectoryNameIsForeignOrCanonical() {
        var random = SeededGenerator(seed: 2)
        let alphabet: [UInt8] = Array("%%%%0123456789ABCDEFabm.x/".utf8) + [0xC3, 0xBC, 0xCC, 0x88, 0x00, 0xFF]
        for _ in 0..<10_000 {
            let bytes = (0..<random.below(9)).map { _ in alphabet[random.below(alphabet.count)] }
            if let name = MailboxName(directoryName: bytes, in: nil) {
                #expect(Array(name.directoryName.utf8) == bytes)
            }
        }
    }
}
