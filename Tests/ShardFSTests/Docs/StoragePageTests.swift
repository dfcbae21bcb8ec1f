import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// The engine writes and reads the log that docs/storage.md shows byte by byte.
@Suite struct StoragePageTests {
    private static let epoch: UInt64 = 0x0123_4567_89ab_cdef
    private static let mailboxID = "0123456789abcdef0123456789abcdef"
    private static let tokens: [UInt64] = [0x5eed_c0de_0000_0001, 0x5eed_c0de_0000_0002]
    private static let text = "Subject: Hello\r\n\r\nHi!\r\n"
    private static let time: Int64 = 1_700_000_000
    private static let shownFrom = LogHeader.slotSize
    private static let records = 4

    /// The bytes of the page's dump by file offset; a line has an offset, two spaces, and bytes.
    private static func dump() throws -> [Int: UInt8] {
        let page = try Program.text(Repository.path + "/docs/storage.md")
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "### A log, byte by byte"))
        var bytes: [Int: UInt8] = [:]
        for line in lines[(start + 1)...].prefix(while: { !$0.hasPrefix("#") }) {
            let words = line.split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].utf8.count == 4, let offset = Int(words[0], radix: 16) else { continue }
            var rest = words[1].drop { $0 == " " }
            var at = offset
            while let byte = UInt8(rest.prefix(2), radix: 16) {
                #expect(bytes.updateValue(byte, forKey: at) == nil, "two bytes for one place: \(line)")
                at += 1
                rest = rest.dropFirst(2)
                guard rest.first == " " else { break }
                rest = rest.dropFirst()
            }
        }
        return bytes
    }

    /// The whole file, with zeros where the dump has nothing.
    private static func file() throws -> [UInt8] {
        var file = [UInt8](repeating: 0, count: LogHeader.size + records * LogRecord.size)
        for (place, byte) in try dump() { file[place] = byte }
        return file
    }

    private static func fixedStore() throws -> TestStore {
        var options = StoreOptions()
        options.clock = { time }
        options.bootID = "this boot"
        return try TestStore(options)
    }

    /// The log of a mailbox with one message and one flag change, with the page's numbers for random ones.
    private static func written() throws -> [UInt8] {
        let t = try fixedStore()
        let inbox = try t.mailbox()
        let work = try inbox.keywords(["$Work"], create: true)
        try inbox.append(text, date: time)
        _ = try inbox.changeFlags([UID(1)], .add([.seen, work]))

        let log = inbox.state.withLock { $0.log }
        var header = try log.header()
        header.epoch = epoch
        header.mailboxID = mailboxID
        var known: [UInt64: UInt64] = [:]
        var all: [LogRecord] = []
        #expect(
            try log.scan(from: 0, to: .max) { record, _ in
                var record = record
                known[record.token] = known[record.token] ?? tokens[known.count]
                record.token = known[record.token]!
                all.append(record)
            } == .end)
        return [UInt8](repeating: 0, count: shownFrom) + header.slot() + LogFile.encode(all, seed: header.seed)
    }

    @Test func dumpIsWhatTheEngineWrites() throws {
        let (shown, written) = (try Self.file(), try Self.written())
        try #require(shown.count == written.count)
        let differing = shown.indices.filter { shown[$0] != written[$0] }
        #expect(differing.isEmpty, "written otherwise at \(differing.map { String($0, radix: 16) })")
    }

    @Test func everyByteOfTheRecordsIsShown() throws {
        let dump = try Self.dump()
        for place in LogHeader.size..<LogHeader.size + Self.records * LogRecord.size {
            #expect(dump[place] != nil, "\(String(place, radix: 16))")
        }
    }

    @Test func dumpIsWhatTheEngineReads() throws {
        let t = try Self.fixedStore()
        try t.mailbox().append(Self.text, date: Self.time)
        try t.store.close()
        let directory = try t.directory()
        let system = try SystemCalls().openDirectory(SystemCalls.currentDirectory, directory)
        defer { close(system) }
        let publisher = FilePublisher(system: SystemCalls())
        try publisher.publish(Self.file(), as: LogFile.fileName, in: system)
        var status = MailboxStatus()
        status.uidValidity = UInt32(Self.time) + 1
        status.mailboxID = Self.mailboxID
        status.keywords.set(UInt8(ascii: "0"), "$Work")
        status.epoch = Self.epoch
        status.boots = ["local": "this boot"]
        status.uidCeiling = 1_001
        status.modSeqCeiling = 1_000_001
        try publisher.publish(status.serialized(), as: MailboxStatus.fileName, in: system)
        try #require(rename("\(directory)/0000/00000001_.eml", "\(directory)/0000/00000001_0S.eml") == 0)

        try t.reopen()
        let inbox = try t.mailbox()
        let snapshot = try inbox.snapshot()
        let message = try #require(snapshot.messages.first)
        #expect(snapshot.messages.count == 1)
        #expect(snapshot.uidNext == 2)
        #expect(snapshot.highestModSeq == 5)
        #expect(snapshot.mailboxID == Self.mailboxID)
        #expect(message.flags.letters == "0S")
        #expect(message.modSeq == 5)
        #expect(message.size == 23)
        #expect(snapshot.keywords.names(in: message.flags) == ["$Work"])
        let details = try inbox.details(message)
        #expect(try inbox.open(UID(1)).digest() == details.digest)
        #expect(details.saved == Self.time)
        // Read unchanged, not recreated.
        #expect(inbox.state.withLock { $0.log.epoch } == Self.epoch)
    }
}
