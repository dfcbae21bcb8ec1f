import Glibc
import TestSupport
import Testing

@testable import ShardFS

@Suite struct NamesCorpusTests {
    @Test func everySeedReplays() throws {
        let files = Repository.fuzzCorpus("names")
        #expect(files.count >= 20)
        for (_, bytes) in files {
            fuzzNames(bytes)
            for count in bytes.indices { fuzzNames(Array(bytes[..<count])) }
        }
    }

    /// The expected result for each seed, so that a seed no longer read as a name is noticed.
    @Test func seedsAreRead() throws {
        func read(_ prefix: String, _ isRead: ([UInt8]) -> Bool) throws -> [String] {
            Repository.fuzzCorpus("names").filter { $0.name.hasPrefix(prefix) && isRead($0.bytes) }.map(\.name)
        }
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        let messages = try read("message") { MessageFileName.parse(text($0)) != nil }
        #expect(messages == ["message", "message-long", "message-odd"])
        let shards = try read("shard") { ShardName.parse(text($0)) != nil }
        #expect(shards == ["shard", "shard-last"])
        let mailboxes = try read("mailbox") { (try? MailboxName(utf8: $0)) != nil }
        #expect(
            mailboxes == [
                "mailbox", "mailbox-control", "mailbox-deep", "mailbox-hangul", "mailbox-inbox", "mailbox-long",
                "mailbox-marks", "mailbox-nfd", "mailbox-reserved",
            ])
        let directories = try read("directory") { MailboxName(directoryName: $0, in: nil) != nil }
        #expect(directories == ["directory", "directory-word"])
        let addresses = try read("address") { (try? AccountAddress(parsing: text($0))) != nil }
        #expect(addresses == ["address", "address-idn"])
    }

    @Test(arguments: [0, 1, 999, 4_294_966, 4_294_967] as [UInt32])
    func uidsOfAShard(_ number: UInt32) {
        let uids = UID.inShard(number)
        #expect(uids.lowerBound == number * 1000)
        #expect(uids.count == (number == 4_294_967 ? 296 : 1000))
    }

    /// The last shard has numbers above every UID; a mailbox with such a shard opens, and is recovered.
    @Test func theLastShard() throws {
        var options = StoreOptions()
        options.durability = .none
        let t = try TestStore(options)
        try t.mailbox().append("message 1")
        let shard = "\(try t.directory())/4294967"
        mkdir(shard, 0o700)
        close(open("\(shard)/4294967295_S.eml", O_CREAT | O_WRONLY, 0o600))
        try t.reopen()
        #expect(try t.mailbox().contents() == ["1:", "2:S"], "a message that nobody appended gets a UID of its own")
        close(open("\(shard)/4294967294_.eml", O_CREAT | O_WRONLY, 0o600))
        try t.reopen { $0.bootID = "another boot" }
        #expect(try t.mailbox().contents().contains("4294967294:"))
    }
}
