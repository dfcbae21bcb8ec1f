import Primitives
import Testing

@testable import ShardFS

@Suite struct AnnotationsTests {
    private typealias Changes = [(entry: String, value: [UInt8]?)]

    private func annotations(_ scratch: AccountScratch) -> Annotations {
        Annotations(system: scratch.system, directory: scratch.directory)
    }

    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func setsAndRemoves() throws {
        let scratch = try AccountScratch()
        let notes = annotations(scratch)
        #expect(try notes.list(.account) == [:])
        try notes.change(.mailbox("m1"), [("/private/a", Self.bytes("x")), ("/shared/b", [0, 0xFF])], until: 0)
        try notes.change(.account, [("/private/a", Self.bytes("caf\u{E9}\u{0}"))], until: 0)
        #expect(try notes.list(.mailbox("m1")) == ["/private/a": Self.bytes("x"), "/shared/b": [0, 0xFF]])
        #expect(try notes.list(.account) == ["/private/a": Self.bytes("caf\u{E9}\u{0}")])
        #expect(try notes.list(.mailbox("m2")) == [:])
        #expect(
            try scratch.read("metadata.json") == """
                {
                  "account" : {
                    "/private/a" : "caf\u{E9}\\u0000"
                  },
                  "mailboxes" : {
                    "m1" : {
                      "/private/a" : "x",
                      "/shared/b" : {
                        "base64" : "AP8="
                      }
                    }
                  }
                }

                """)
        let changes: Changes = [("/private/a", nil), ("/shared/b", []), ("/none", nil)]
        try notes.change(.mailbox("m1"), changes, until: 0)
        #expect(try notes.list(.mailbox("m1")) == ["/shared/b": []])
        try notes.change(.mailbox("m1"), [("/shared/b", nil)], until: 0)
        try notes.change(.account, [("/private/a", nil)], until: 0)
        #expect(try scratch.read("metadata.json") == "{\n\n}\n")
    }

    @Test func keepsWhatItDoesNotKnow() throws {
        let scratch = try AccountScratch()
        try scratch.write(
            #"{"mailboxes": {"m1": {"/x": 7, "/y": {"base64": "!"}, "/z": "z"}, "m2": 3}, "seen": [1]}"#,
            to: "metadata.json")
        let notes = annotations(scratch)
        #expect(try notes.list(.mailbox("m1")) == ["/z": Self.bytes("z")])
        #expect(try notes.list(.mailbox("m2")) == [:])
        try notes.change(.mailbox("m1"), [("/new", Self.bytes("n"))], until: 0)
        let value = try JSONValue.parse(Self.bytes(try #require(try scratch.read("metadata.json"))), name: "")
        #expect(value["seen"] == .array([.integer(1)]) && value["mailboxes"]?["m2"] == .integer(3))
        #expect(value["mailboxes"]?["m1"]?["/x"] == .integer(7))
    }

    @Test(arguments: ["", "{", "7", "[]", #"{"mailboxes": 7}"#, #"{"account": []}"#])
    func neverReplacesWhatItCannotRead(_ text: String) throws {
        let scratch = try AccountScratch()
        try scratch.write(text, to: "metadata.json")
        let notes = annotations(scratch)
        #expect(throws: StoreError(.damaged, "")) { try notes.list(.account) }
        #expect(throws: StoreError(.damaged, "")) { try notes.change(.account, [("/a", [])], until: 0) }
        #expect(try scratch.read("metadata.json") == text)
    }

    @Test func bounded() throws {
        let scratch = try AccountScratch()
        let notes = annotations(scratch)
        func refused(_ subject: Annotations.Subject, _ changes: Changes) throws {
            let before = try scratch.read("metadata.json")
            #expect(throws: StoreError(.limit, "")) { try notes.change(subject, changes, until: 0) }
            #expect(try scratch.read("metadata.json") == before)
        }
        let many: Changes = (1...AnnotationLimits.entries).map { ("/private/\($0)", [1]) }
        try notes.change(.account, many, until: 0)
        try refused(.account, [("/private/more", [1])])
        try notes.change(.account, [("/private/1", nil), ("/private/more", [1])], until: 0)
        try refused(.mailbox("a"), many + [("/private/more", [1])])
        try refused(.mailbox("a"), [("/x", [UInt8](repeating: 0x61, count: AnnotationLimits.valueSize + 1))])
        try refused(.mailbox("a"), [("/" + String(repeating: "x", count: AnnotationLimits.entryLength), [1])])
        // The largest account can still be read in its longest JSON form.
        let large = [UInt8](repeating: 1, count: AnnotationLimits.valueSize)
        var count = 0
        while (try? notes.change(.mailbox("\(count / 50)"), [("/\(count)", large)], until: 0)) != nil { count += 1 }
        #expect(count == (AnnotationLimits.total - 1000) / AnnotationLimits.valueSize)
        #expect(try notes.list(.mailbox("0")).count == 50)
        try notes.change(.mailbox("0"), [("/0", nil)], until: 0)
    }

    @Test func followTheMailbox() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", ["a"]), ("Work", []), ("Work/2024", [])])
        let account = try t.account
        let (work, play) = (try MailboxName("Work"), try MailboxName("Play"))
        try account.annotate(work, [("/private/comment", Self.bytes("work"))])
        try account.annotate(.inbox, [("/private/comment", Self.bytes("in"))])
        try account.annotate(nil, [("/private/comment", Self.bytes("mine"))])
        #expect(throws: StoreError(.notFound, "")) { try account.annotate(play, [("/private/comment", [])]) }

        try account.rename(work, to: play)
        #expect(try t.other().annotations(of: play) == ["/private/comment": Self.bytes("work")])
        #expect(throws: StoreError(.notFound, "")) { try account.annotations(of: work) }
        // INBOX keeps its own, and the new mailbox gets a copy (RFC 5464, 4.1).
        try account.rename(.inbox, to: work)
        for name in [MailboxName.inbox, work] {
            #expect(try account.annotations(of: name) == ["/private/comment": Self.bytes("in")])
        }
        try account.delete(play)
        try account.delete(MailboxName("Play/2024"))
        try account.delete(play)
        try account.create(play)
        #expect(try account.annotations(of: play) == [:])
        #expect(try account.annotations(of: nil) == ["/private/comment": Self.bytes("mine")])
        try t.checkWhole()
    }

    @Test func goWithTheMailboxForGood() throws {
        var options = StoreOptions()
        options.expungeRetentionHours = 0
        let t = try TreeScratch(options)
        try t.fill([("INBOX", []), ("Work", [])])
        let account = try t.account
        let work = try MailboxName("Work")
        try account.annotate(work, [("/private/comment", Self.bytes("work"))])
        try account.annotate(.inbox, [("/private/comment", Self.bytes("in"))])
        let id = try account.mailbox(work).id
        try account.delete(work)
        try t.reopen { $0.clock = { Clocks.wall() + 7200 } }
        try t.account.maintain()
        let notes = try t.account.context.annotations
        #expect(try notes.list(.mailbox(id)) == [:])
        #expect(try t.account.annotations(of: .inbox) == ["/private/comment": Self.bytes("in")])
        try t.checkWhole()
    }

    @Test func aReadOnlyStore() throws {
        let t = try TreeScratch()
        try t.fill([("INBOX", [])])
        try t.account.annotate(.inbox, [("/private/a", [1])])
        let account = try t.other { $0.readOnly = true }
        #expect(try account.annotations(of: .inbox) == ["/private/a": [1]])
        #expect(throws: StoreError(.readOnly, "")) { try account.annotate(.inbox, [("/private/a", nil)]) }
    }
}
