import DurableFiles
import FoundationEssentials
import Glibc
import Primitives
import Testing

@testable import ShardFS

@Suite struct StoreCheckTests {
    /// A store with some of everything: five messages, one expunged, a copy, a keyword, a compacted log.
    private static func store() throws -> TestStore {
        var options = StoreOptions()
        options.durability = .none
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        let sent = try t.mailbox("Sent")
        let work = try inbox.keywords(["Work"], create: true)
        for i in 1...5 { try inbox.append("message \(i)", i == 2 ? work : []) }
        _ = try inbox.remove([UID(3)])
        _ = try inbox.copy([UID(1), UID(2)], to: sent)
        try inbox.compact()
        _ = try inbox.changeFlags([UID(1)], .add([.seen]))
        // The first quota request counts the messages.
        _ = try t.account().quota()
        return t
    }

    @Test func soundStore() throws {
        let t = try Self.store()
        t.check()
        let report = try StoreCheck(root: t.path).run()
        #expect(report.findings == [])
        #expect(report.accounts == 1)
        #expect(report.mailboxes == 2)
        #expect(report.messages == 6)
        try t.store.close()
        #expect(try StoreCheck(root: t.path).run().findings == [])
        #expect(try StoreCheck(root: t.path).run(AccountAddress(parsing: "alice@example.com"), .inbox).findings == [])
        let nowhere = try MailboxName("Nowhere")
        #expect(throws: StoreError(.notFound, "")) {
            try StoreCheck(root: t.path).run(AccountAddress(parsing: "alice@example.com"), nowhere)
        }
    }

    /// A kind of damage and the code that must be found.
    struct Damage: Sendable, CustomTestStringConvertible {
        var code: CheckFinding.Code
        var testDescription: String
        var body: @Sendable (Hands) throws -> Void

        init(_ code: CheckFinding.Code, _ what: String, _ body: @escaping @Sendable (Hands) throws -> Void) {
            self.code = code
            testDescription = "\(code): \(what)"
            self.body = body
        }
    }

    static let damages: [Damage] = [
        Damage(.foreignName, "a file that is no message") { try $0.write("x", to: "0000/notes.txt") },
        Damage(.foreignName, "a file beside the shards") { try $0.write("x", to: "README") },
        Damage(.foreignName, "in the account") { try $0.write("x", to: "../../todo") },
        Damage(.foreignName, "in the root") { try $0.write("x", to: "../../../../../../lost") },
        Damage(.foreignName, "no domain's name") { try $0.makeDirectory("../../../../../EXAMPLE") },
        Damage(.foreignName, "no account's name") { try $0.makeDirectory("../../../UPPER") },
        Damage(.foreignName, "no mailbox's directory") { try $0.makeDirectory("../status.json") },
        Damage(.foreignName, "no hour") { try $0.makeDirectory(".expunged/today") },
        Damage(.foreignName, "a file with a shard's name") { try $0.write("x", to: "0007") },
        Damage(.nonCanonicalName, "a short UID") { try $0.rename("0000/00000004_.eml", "0000/4_.eml") },
        Damage(.leftover, "a status on its way") { try $0.write("{", to: ".status.json.1.tmp") },
        Damage(.leftover, "a staged message") {
            try $0.makeDirectory(".tmp")
            try $0.write("x", to: ".tmp/1.2")
        },
        Damage(.leftover, "a message staged in the store") {
            try $0.makeDirectory("../../../../../../.tmp")
            try $0.write("x", to: "../../../../../../.tmp/1.2")
        },
        Damage(.leftover, "a mailbox on its way") { try $0.makeDirectory("../.new.12") },
        Damage(.unknownFlag, "no letter of ours") {
            try $0.rename("0000/00000004_.eml", "0000/00000004_Z.eml")
            try $0.log(LogRecord(.flags, done: true, uid: 4, flags: MessageFlags(letter: UInt8(ascii: "Z"))))
        },
        Damage(.headerDisagrees, "a keyword less") { try $0.setStatus("keywords", .object([:])) },
        Damage(.wrongShard, "a message of shard 0 in 1") {
            try $0.makeDirectory("0001")
            try $0.rename("0000/00000004_.eml", "0001/00000004_.eml")
        },
        Damage(.uidTwice, "two names") { try $0.link("0000/00000004_.eml", "0000/00000004_F.eml") },
        Damage(.uidTwice, "expunged twice") {
            try $0.makeDirectory(".expunged/1999010100")
            try $0.link("0000/00000005_.eml", ".expunged/1999010100/7.5_.eml")
            try $0.makeDirectory(".expunged/1999010101")
            try $0.link("0000/00000005_.eml", ".expunged/1999010101/7.5_.eml")
        },
        Damage(.uidInShardAndExpunged, "live and expunged") {
            let validity = try $0.statusNumber("uid_validity")
            try $0.makeDirectory(".expunged/1999010100")
            try $0.link("0000/00000005_.eml", ".expunged/1999010100/\(validity).5_.eml")
        },
        Damage(.notAFile, "a directory") { try $0.makeDirectory("0000/00000009_.eml") },
        Damage(.formatBad, "a newer layout") {
            try $0.write(#"{"version": 9, "store_id": "x"}"#, to: "../../../../../../format.json")
        },
        Damage(.documentBad, "no JSON") { try $0.write("{", to: "../../subscriptions.json") },
        Damage(.documentBad, "no JSON either") { try $0.write("{", to: "../../metadata.json") },
        Damage(.statusMissing, "removed") { try $0.remove("status.json") },
        Damage(.statusMissing, "with the log") {
            try $0.remove("status.json")
            try $0.remove("changes.log")
        },
        Damage(.leftover, "a deletion half way") { try $0.rename("changes.log", ".deleting.log") },
        Damage(.statusBad, "no JSON") { try $0.write("{", to: "status.json") },
        Damage(.statusInsane, "no id") { try $0.setStatus("mailbox_id", .string("abc")) },
        Damage(.statusInsane, "floor above the ceiling") { try $0.setStatus("modseq_ceiling", .integer(0)) },
        Damage(.uidAboveCeiling, "low ceiling") {
            try $0.setStatus("uid_ceiling", .integer(4))
            try $0.setStatus("uid_next", .integer(4))
        },
        Damage(.modSeqAboveCeiling, "low ceiling") { try $0.setStatus("modseq_ceiling", .integer(2)) },
        Damage(.logMissing, "removed") { try $0.remove("changes.log") },
        Damage(.logHeaderBad, "both slots") {
            try $0.poke("changes.log", 100)
            try $0.poke("changes.log", 4196)
        },
        Damage(.logOfAnotherEpoch, "another epoch") { try $0.setStatus("epoch", .string("0000000000000001")) },
        Damage(.headerDisagrees, "another UIDVALIDITY") { try $0.setStatus("uid_validity", .integer(7)) },
        Damage(.headerDisagrees, "a lower ceiling") { try $0.setStatus("modseq_ceiling", .integer(900)) },
        Damage(.cleanMarkWrong, "a mark that is not there") { try $0.setStatus("clean", .integer(9)) },
        Damage(.recordBad, "a record in the middle") { try $0.poke("changes.log", 8192 + 64 + 20) },
        Damage(.logTorn, "half a record") { try $0.append([1, 2, 3], to: "changes.log") },
        Damage(.logTorn, "a wrong last record") { try $0.append([UInt8](repeating: 1, count: 64), to: "changes.log") },
        Damage(.modSeqOrder, "an own number behind plain ones") {
            try $0.log(LogRecord(.flags, done: true, uid: 1, flags: .seen, modSeq: 7))
        },
        Damage(.uidOrder, "a lower UID") { try $0.log(LogRecord(.append, done: true, uid: 2, size: 9)) },
        Damage(.uidReturned, "an expunged UID") { try $0.log(LogRecord(.append, done: true, uid: 3, size: 9)) },
        Damage(.intentOpen, "a dead writer") { try $0.log(LogRecord(.flags, done: false, uid: 1, token: 9)) },
        Damage(.messageMissing, "removed") { try $0.remove("0000/00000004_.eml") },
        Damage(.messageUnlogged, "slipped in") { try $0.write("x", to: "0000/00000009_.eml") },
        Damage(.flagsDiffer, "renamed") { try $0.rename("0000/00000004_.eml", "0000/00000004_F.eml") },
        Damage(.sizeDiffers, "longer") { try $0.append([1], to: "0000/00000004_.eml") },
        Damage(.digestDiffers, "a bit") { try $0.poke("0000/00000004_.eml", 3) },
        Damage(.uidValidityTwice, "one mailbox copied") {
            try $0.setStatus("uid_validity", .uint($0.statusNumber("uid_validity", of: "../Sent")))
        },
        Damage(.mailboxIDTwice, "one mailbox copied") {
            try $0.setStatus("mailbox_id", .string($0.status(of: "../Sent")["mailbox_id"]?.string ?? ""))
        },
        Damage(.uidValidityAboveCounter, "a low counter") { try $0.write("5\n", to: "../../uidvalidity") },
        Damage(.uidValidityCounterBad, "no number") { try $0.write("five", to: "../../uidvalidity") },
        Damage(.quotaUnknown, "no ledger") { try $0.remove("../../quota.ledger") },
        Damage(.quotaUnknown, "torn") { try $0.write("quota 1", to: "../../quota.ledger") },
    ]

    @Test(arguments: damages) func damage(_ damage: Damage) throws {
        let t = try Self.store()
        // So that this process holds nothing open while the files are judged.
        try t.reopen()
        try damage.body(Hands(at: try t.directory()))
        var judge = StoreCheck(root: t.path)
        judge.verifyContent = true
        let report = try judge.run()
        #expect(report.has(damage.code), "\(report.findings)")
        if damage.code.severity < .error { #expect(report.errors == []) }
    }

    @Test func quotaThatDoesNotAddUp() throws {
        let t = try Self.store()
        let account = try t.account()
        _ = try account.context.ledger.reserve(bytes: 5, messages: 1, limits: .none)
        #expect(try StoreCheck(root: t.path).run().has(.quotaWrong))
        try account.context.ledger.release(bytes: 5, messages: 1)
        t.check()
    }

    @Test func restartIsNotDamage() throws {
        let t = try Self.store()
        try Hands(at: try t.directory()).poke("changes.log", 8192 + 64 + 20)
        var judge = StoreCheck(root: t.path)
        judge.bootID = "a later start"
        let report = try judge.run()
        #expect(report.has(.needsRecovery))
        #expect(report.errors == [])
    }

    @Test func readsOnly() throws {
        let t = try Self.store()
        try Hands(at: try t.directory()).append([1, 2, 3], to: "changes.log")
        let before = try Hands(at: t.path).listing()
        _ = try StoreCheck(root: t.path).run()
        #expect(try Hands(at: t.path).listing() == before)
    }
}

/// Makes changes to a mailbox's files that the engine never would.
struct Hands {
    let directory: String
    init(at directory: String) { self.directory = directory }

    private func path(_ name: String) -> String { "\(directory)/\(name)" }
    private func succeed(_ result: Int32) throws { if result != 0 { throw Errno.last } }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path(name)))
    }

    func append(_ bytes: [UInt8], to name: String) throws {
        let fd = Glibc.open(path(name), O_WRONLY | O_APPEND)
        defer { close(fd) }
        #expect(Glibc.write(fd, bytes, bytes.count) == bytes.count)
    }

    /// Flips one bit.
    func poke(_ name: String, _ offset: Int) throws {
        let fd = Glibc.open(path(name), O_RDWR)
        defer { close(fd) }
        var byte: UInt8 = 0
        try #require(pread(fd, &byte, 1, offset) == 1)
        byte ^= 1
        try #require(pwrite(fd, &byte, 1, offset) == 1)
    }

    func makeDirectory(_ name: String) throws { try succeed(mkdir(path(name), 0o700)) }
    func remove(_ name: String) throws { try succeed(unlink(path(name))) }
    func rename(_ from: String, _ to: String) throws { try succeed(Glibc.rename(path(from), path(to))) }
    func link(_ from: String, _ to: String) throws { try succeed(Glibc.link(path(from), path(to))) }

    func status(of mailbox: String = ".") throws -> JSONValue {
        try JSONValue.parse(Array(try Data(contentsOf: URL(filePath: path("\(mailbox)/status.json")))), name: "status")
    }

    func statusNumber(_ key: String, of mailbox: String = ".") throws -> UInt64 {
        try #require(try status(of: mailbox)[key]?.unsignedInteger)
    }

    func setStatus(_ key: String, _ value: JSONValue) throws {
        var keys = try #require(try status().object)
        keys[key] = value
        try write(String(decoding: try JSONValue.object(keys).serialized(), as: UTF8.self), to: "status.json")
    }

    /// Appends a record with a correct checksum to the log.
    func log(_ record: LogRecord) throws {
        let fd = try SystemCalls().openDirectory(SystemCalls.currentDirectory, directory)
        defer { close(fd) }
        try #require(try LogFile.open(SystemCalls(), in: fd)).append(record)
    }

    /// Lists every file below with its size, inode and times.
    func listing() throws -> [String] {
        var found: [String] = []
        var open = ["."]
        while let parent = open.popLast() {
            for name in try DirectoryListing.names(SystemCalls(), SystemCalls.currentDirectory, path(parent)).sorted() {
                let below = "\(parent)/\(name)"
                let status = try SystemCalls().status(SystemCalls.currentDirectory, path(below))
                found.append("\(below) \(status.inode) \(status.size) \(status.modified) \(status.changed)")
                if status.isDirectory { open.append(below) }
            }
        }
        return found
    }
}
