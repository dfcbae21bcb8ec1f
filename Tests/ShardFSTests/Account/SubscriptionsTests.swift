import Primitives
import TestSupport
import Testing

@testable import ShardFS

@Suite struct SubscriptionsTests {
    private func subscriptions(_ scratch: AccountScratch) -> Subscriptions {
        Subscriptions(system: scratch.system, directory: scratch.directory)
    }

    private func names(_ list: [String]) throws -> [MailboxName] { try list.map { try MailboxName($0) } }

    @Test func addsAndRemoves() throws {
        let scratch = try AccountScratch()
        let list = subscriptions(scratch)
        #expect(try list.list() == [])
        #expect(try list.add(MailboxName("Work/2024"), until: 0))
        #expect(try list.add(.inbox, until: 0))
        #expect(try !list.add(MailboxName("inbox"), until: 0))
        #expect(try list.list() == names(["Work/2024", "INBOX"]))
        #expect(try list.remove(MailboxName("Work/2024"), until: 0))
        #expect(try !list.remove(MailboxName("Work/2024"), until: 0))
        #expect(try scratch.read("subscriptions.json") == "{\n  \"mailboxes\" : [\n    \"INBOX\"\n  ]\n}\n")
    }

    @Test(arguments: [
        #"["inbox", "A"]"#, #"{"mailboxes": ["inbox", "A"]}"#,
        #"{"mailboxes": ["A/", 7, "INBOX", null, "A", "Inbox"]}"#,
    ])
    func readsBothForms(_ text: String) throws {
        let scratch = try AccountScratch()
        try scratch.write(text, to: "subscriptions.json")
        #expect(try subscriptions(scratch).list() == names(["INBOX", "A"]))
    }

    @Test func keepsWhatItDoesNotKnow() throws {
        let scratch = try AccountScratch()
        try scratch.write(
            #"{"mailboxes": ["../x", "Entwu\#u{308}rfe", 7], "seen": 18446744073709551615}"#, to: "subscriptions.json")
        let list = subscriptions(scratch)
        #expect(try list.add(MailboxName("B"), until: 0))
        #expect(try list.remove(MailboxName("Entw\u{FC}rfe"), until: 0))
        let bytes = Array(try #require(try scratch.read("subscriptions.json")).utf8)
        let value = try JSONValue.parse(bytes, name: "")
        #expect(value["mailboxes"] == .array([.string("../x"), .integer(7), .string("B")]))
        #expect(value["seen"] == .unsigned(.max))
    }

    @Test(arguments: ["", "{", "7", #"{"mailboxes": 7}"#])
    func neverReplacesWhatItCannotRead(_ text: String) throws {
        let scratch = try AccountScratch()
        try scratch.write(text, to: "subscriptions.json")
        let list = subscriptions(scratch)
        #expect(throws: StoreError(.damaged, "")) { try list.list() }
        #expect(throws: StoreError(.damaged, "")) { try list.add(.inbox, until: 0) }
        #expect(try scratch.read("subscriptions.json") == text)
    }

    @Test func bounded() throws {
        let scratch = try AccountScratch()
        let names = (0..<10_000).map { "\"\($0)\"" }.joined(separator: ",")
        try scratch.write("[\(names)]", to: "subscriptions.json")
        #expect(throws: StoreError(.limit, "")) { try subscriptions(scratch).add(.inbox, until: 0) }
    }

    @Test func loseNoUpdateAmongThreads() throws {
        let scratch = try AccountScratch()
        onThreads(4) { index in
            for n in 0..<5 {
                _ = try? subscriptions(scratch).add(MailboxName("m\(index)-\(n)"), until: inMilliseconds(20_000))
            }
        }
        #expect(try subscriptions(scratch).list().count == 20)
    }
}
