import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// status.json and the log damaged together, in every combination, with and without a restart of the machine.
///
/// Every message is there afterwards. Under the old UIDVALIDITY each has the UID that it had, no UID or mod-sequence
/// is given out again; else the UIDVALIDITY is higher than any that the account ever had.
@Suite struct DamageTableTests {
    /// What is found in the place of a file.
    enum Found: String, CaseIterable, Sendable {
        case right, missing, empty, torn, garbage
        /// As it was before the last change, and as it was before the last recovery.
        case old, older
        case sibling, otherAccount
        // Of a log alone.
        case headerAlone, tornInHeader, newSlotWrong, oldSlotWrong, bothSlotsWrong, wrongRecord, wrongEnd

        static let statuses: [Found] = [
            .right, .missing, .empty, .torn, .garbage, .old, .older, .sibling, .otherAccount,
        ]
    }

    /// A store, the files of a mailbox at several times, and what clients know of it.
    struct Bench {
        let image: DiskImage
        var status: [Found: [UInt8]] = [:]
        var log: [Found: [UInt8]] = [:]
        var texts: [UInt32: String] = [:]
        var uidValidity: UInt32 = 0
        var highestUID: UInt32 = 0
        var highestModSeq: ModSeq = 0
        var highestUIDValidity: UInt32 = 0

        static let account = "domains/example.com/users/alice"
        static let inbox = "\(account)/mailboxes/INBOX"

        static var options: StoreOptions {
            var options = StoreOptions()
            options.bootID = "boot-1"
            options.durability = .none
            options.clock = { 1_700_000_000 }
            return options
        }

        init() throws {
            let scratch = FastScratch()
            let root = scratch.next()
            var options = Self.options
            options.bootID = "boot-0"
            try Self.begin(root, options)
            func read(_ name: String, of mailbox: String = Bench.inbox) -> [UInt8] {
                DiskImage.contents("\(root)/\(mailbox)/\(name)")
            }
            status[.older] = read(MailboxStatus.fileName)
            log[.older] = read(LogFile.fileName)
            options.bootID = "boot-1"
            try Self.goOn(root, options)
            status[.old] = read(MailboxStatus.fileName)
            log[.old] = read(LogFile.fileName)
            let (world, highestUID) = try Self.end(root, options)
            self.highestUID = highestUID
            texts = world.messages.mapValues(\.text)
            uidValidity = world.uidValidity
            highestModSeq = world.highestModSeq
            status[.right] = read(MailboxStatus.fileName)
            log[.right] = read(LogFile.fileName)
            for (found, mailbox) in [
                (Found.sibling, "\(Self.account)/mailboxes/Sent"),
                (.otherAccount, "domains/example.com/users/bob/mailboxes/INBOX"),
            ] {
                status[found] = read(MailboxStatus.fileName, of: mailbox)
                log[found] = read(LogFile.fileName, of: mailbox)
            }
            // Before anything is damaged, which counter and mailboxes tell.
            let text = String(decoding: read("uidvalidity", of: Self.account), as: UTF8.self)
            highestUIDValidity = UInt32(text.dropLast()) ?? 0
            image = DiskImage(of: root)
            spoil()
        }

        /// What an old backup of an old epoch has.
        private static func begin(_ root: String, _ options: StoreOptions) throws {
            let store = try Store.open(root, options: options)
            let alice = try store.createAccount(AccountAddress(parsing: "alice@example.com"))
            for name in ["INBOX", "Sent", "Gone"] { try alice.create(MailboxName(name)) }
            let bob = try store.createAccount(AccountAddress(parsing: "bob@example.com"))
            for name in ["INBOX", "Later"] { try bob.create(MailboxName(name)) }
            for mailbox in try [alice.mailbox(.inbox), alice.mailbox(MailboxName("Sent")), bob.mailbox(.inbox)] {
                for i in 1...3 { try mailbox.append("\(mailbox.id) \(i)") }
            }
        }

        private static func goOn(_ root: String, _ options: StoreOptions) throws {
            let inbox = try inbox(root, options)
            let work = try inbox.keywords(["Work"], create: true)
            for i in 4...8 { try inbox.append("message \(i)", i == 5 ? work : []) }
            _ = try inbox.changeFlags([UID(1)], .add(.seen))
        }

        /// The mailbox as clients know it, and the highest UID given out: of a message expunged since.
        private static func end(_ root: String, _ options: StoreOptions) throws -> (MailboxWorld, UInt32) {
            let inbox = try inbox(root, options)
            var uids: [UID] = []
            for i in 9...14 { uids.append(try inbox.append("message \(i)")) }
            _ = try inbox.remove([uids[1], uids[4], uids[5]])
            _ = try inbox.changeFlags([UID(2), uids[0]], .add(.flagged))
            let store = try Store.open(root, options: options)
            try store.account(AccountAddress(parsing: "alice@example.com")).delete(MailboxName("Gone"))
            return (try MailboxWorld(inbox), uids[5].rawValue)
        }

        static func inbox(_ root: String, _ options: StoreOptions) throws -> Mailbox {
            try Store.open(root, options: options).account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        }

        private mutating func spoil() {
            for (found, length) in [(Found.empty, 0), (.torn, 60)] {
                status[found] = Array((status[.right] ?? []).prefix(length))
            }
            let right = log[.right] ?? []
            let garbage = (0..<right.count).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) }
            status[.garbage] = Array(garbage.prefix(status[.right]?.count ?? 0))
            log[.garbage] = garbage
            log[.empty] = []
            log[.torn] = Array(right.dropLast(30))
            log[.headerAlone] = Array(right.prefix(LogHeader.size))
            log[.tornInHeader] = Array(right.prefix(5000))
            func wrong(_ places: [Int]) -> [UInt8] {
                var bytes = right
                for place in places { for i in place..<place + 40 { bytes[i] = ~bytes[i] } }
                return bytes
            }
            // Slots by their sequence numbers.
            let second = right.withUnsafeBytes { raw in
                LogHeader(UnsafeRawBufferPointer(rebasing: raw[..<LogHeader.size]))?.sequence.isMultiple(of: 2) ?? false
            }
            log[.newSlotWrong] = wrong([second ? 4096 : 0])
            log[.oldSlotWrong] = wrong([second ? 0 : 4096])
            log[.bothSlotsWrong] = wrong([0, 4096])
            log[.wrongRecord] = wrong([Int(LogFile.offset(of: 3))])
            log[.wrongEnd] = wrong([right.count - 50])
        }
    }

    static let bench = Result { try Bench() }

    @Test(arguments: Found.statuses, Found.allCases) func everyCombination(_ status: Found, _ log: Found) throws {
        let bench = try Self.bench.get()
        #expect(bench.log[.right]?.count ?? 0 > LogHeader.size + 20 * LogRecord.size)
        for boot in ["boot-1", "boot-2"] {
            let scratch = FastScratch()
            let root = scratch.next()
            bench.image.materialise(in: root)
            try put(bench.status[status], "\(root)/\(Bench.inbox)/\(MailboxStatus.fileName)")
            try put(bench.log[log], "\(root)/\(Bench.inbox)/\(LogFile.fileName)")
            for problem in try problems(root, boot, bench) {
                Issue.record("status.json \(status), log \(log), \(boot): \(problem)")
            }
        }
    }

    private func put(_ bytes: [UInt8]?, _ path: String) throws {
        try #require(unlink(path) == 0)
        guard let bytes else { return }
        let fd = open(path, O_WRONLY | O_CREAT, 0o600)
        defer { close(fd) }
        try #require(bytes.isEmpty || write(fd, bytes, bytes.count) == bytes.count)
    }

    private func problems(_ root: String, _ boot: String, _ bench: Bench) throws -> [String] {
        var wrong: [String] = []
        var options = Bench.options
        options.bootID = boot
        let inbox = try Bench.inbox(root, options)
        let found = try MailboxWorld(inbox)
        if found.uidValidity == bench.uidValidity {
            if found.messages.mapValues(\.text) != bench.texts { wrong.append("other messages: \(found.listing)") }
            if found.highestModSeq < bench.highestModSeq { wrong.append("the highest mod-sequence went back") }
            let uid = try inbox.append("a later message").rawValue
            if uid <= bench.highestUID { wrong.append("UID \(uid) again, \(bench.highestUID) was given out") }
        } else {
            let texts = found.messages.values.map(\.text).sorted()
            if texts != bench.texts.values.sorted() { wrong.append("other messages: \(found.listing)") }
            if found.uidValidity <= bench.highestUIDValidity {
                wrong.append("UIDVALIDITY \(found.uidValidity), the account has had \(bench.highestUIDValidity)")
            }
            try inbox.append("a later message")
        }
        let later = try MailboxWorld(inbox)
        for finding in try StoreCheck(root: root).run().errors { wrong.append("\(finding)") }
        options.bootID = "boot-3"
        let again = try MailboxWorld(Bench.inbox(root, options))
        if again.messages != later.messages || again.uidValidity != later.uidValidity {
            wrong.append("a second recovery: \(again.listing), not \(later.listing)")
        }
        return wrong
    }
}
