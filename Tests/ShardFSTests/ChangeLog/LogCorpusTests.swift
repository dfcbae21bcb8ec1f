import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

@Suite struct LogCorpusTests {
    @Test func everySeedReplays() throws {
        let files = Repository.fuzzCorpus("log")
        #expect(files.count >= 20)
        for (_, bytes) in files {
            fuzzLog(bytes)
            for count in stride(from: 0, to: bytes.count, by: 7) { fuzzLog(Array(bytes[..<count])) }
        }
    }

    /// A mailbox with a seed as its log opens, accepts whatever changes it can, and shows every message that has a
    /// name.
    @Test(arguments: [false, true])
    func aMailboxLivesWithTheLogOfEverySeed(afterARestart restarts: Bool) throws {
        for (name, bytes) in Repository.fuzzCorpus("log") {
            var options = StoreOptions()
            options.durability = .none
            let t = try TestStore(options)
            for i in 1...3 { try t.mailbox().append("message \(i)") }
            guard let log = try log(bytes, like: try t.mailbox()) else { continue }
            try t.store.close()
            let file = open("\(try t.directory())/\(LogFile.fileName)", O_WRONLY | O_TRUNC)
            #expect(write(file, log, log.count) == log.count)
            close(file)
            try t.reopen { if restarts { $0.bootID = "another boot" } }
            let inbox = try t.mailbox()
            use(inbox)
            // A name unknown to the log needs a UID: it waits until there is room for one.
            #expect(try inbox.contents().count <= names(t), "\(name)")
            // The check may find damage, but does no harm.
            _ = try StoreCheck(root: t.path).run()
            try t.reopen()
            if inbox.hasRoom(uids: 3, records: 100) {
                #expect(try t.mailbox().contents().count == names(t), "\(name), opened again")
            }
        }
    }

    /// A seed converted to a log of this mailbox; nil for a seed that is not a log.
    private func log(_ bytes: [UInt8], like mailbox: Mailbox) throws -> [UInt8]? {
        let own = try mailbox.state.withLock { $0.log }.header()
        switch LogFuzzInput(bytes) {
        case .header(let slots, _): return slots
        case .records(var header, let records):
            header.epoch = own.epoch
            header.mailboxID = own.mailboxID
            header.uidValidity = own.uidValidity
            let slots = header.slot() + [UInt8](repeating: 0, count: LogHeader.slotSize)
            return slots + records.flatMap { sealed($0, seed: own.seed) }
        default: return nil
        }
    }

    /// Runs one of each operation; those that the log makes impossible (no UID left) are refused.
    private func use(_ mailbox: Mailbox) {
        func attempt(_ body: () throws -> Void) {
            do { try body() } catch { #expect(error is StoreError) }
        }
        attempt { _ = try mailbox.append("another") }
        attempt { _ = try mailbox.changeFlags([UID(1), UID(2)], .add([.flagged])) }
        attempt { _ = try mailbox.remove([UID(2)]) }
        attempt { _ = try mailbox.expunged(since: 1) }
        attempt { _ = try mailbox.takeRecent() }
        attempt { _ = try mailbox.keywords(["Work"], create: true) }
        attempt { try mailbox.compact() }
        attempt { _ = try mailbox.append("one more") }
        attempt { try mailbox.close() }
    }

    /// The number of the mailbox's message files.
    private func names(_ t: TestStore) throws -> Int {
        let directory = try t.directory()
        return try DirectoryListing.names(SystemCalls(), AT_FDCWD, directory).filter { ShardName.parse($0) != nil }
            .reduce(0) {
                try $0 + DirectoryListing.names(SystemCalls(), AT_FDCWD, "\(directory)/\($1)").count
            }
    }
}
