import DurableFiles
import Glibc
import Primitives
import Testing

@testable import ShardFS

/// The runs to cut. Each is small: every order of calls matters, not many messages.
enum CutRun: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case firstAppend, append, set, flags, flagsFull, flagsKeyword
    case expunge, copy, move, moveAcrossAccounts, createMailbox, compaction
    case recovery, undelete, ceilings, cleanClose, withoutUnnamedFiles, rename, delete, deleteWithChild, deliver
    case groundAppend, groundSet, groundCopy, groundMove, groundDeliver, groundCreate, groundRename, groundDelete
    case firstMailboxAppend, firstSet, firstCopy, firstMove, firstDeliver
    case groundExpunge, recoveryOfTwins, createAfterPurge, expungeAndPurge, letters, extraKeywords
    case setBesideCompaction, renameInbox, moveIntoDeadShard, deliverFromStore, deliverFromStoreWithoutUnnamedFiles

    var testDescription: String { rawValue }

    /// Long enough for several blocks.
    static func text(_ n: Int) -> String { "message \(n) " + String(repeating: "\(n % 10)", count: 1200) }

    static func messages(_ count: Int, in mailbox: Mailbox) throws {
        for n in 1...max(1, count) where n <= count { try mailbox.append(text(n), date: 1_600_000_000 + Int64(n)) }
    }

    /// A store with INBOX and Sent and some messages in INBOX.
    static func store(_ path: String, _ options: StoreOptions, messages count: Int = 0, next: UInt32? = nil) throws {
        let store = try Store.open(path, options: options)
        let account = try store.createAccount(AccountAddress(parsing: Place.inbox.address))
        try account.create(.inbox)
        try account.create(MailboxName("Sent"))
        let bob = try store.createAccount(AccountAddress(parsing: Place.bob.address))
        try bob.create(.inbox)
        if let next { try setNextUID(next, ceiling: UInt64(next) + 900, account.context, MailboxName.inbox) }
        try messages(count, in: account.mailbox(.inbox))
    }

    /// Makes an empty mailbox continue at a UID.
    static func setNextUID(_ next: UInt32, ceiling: UInt64, _ context: AccountContext, _ name: MailboxName) throws {
        let system = SystemCalls()
        let fd = try system.openDirectory(context.directory, name.relativePath)
        defer { system.close(fd) }
        let bytes = try context.files.read(MailboxStatus.fileName, in: fd) ?? []
        var status = try MailboxStatus(parsing: bytes)
        status.uidFloor = UInt64(next)
        status.uidCeiling = ceiling
        try context.files.publish(status.serialized(), as: MailboxStatus.fileName, in: fd)
        guard var header = try LogFile.open(system, in: fd)?.header() else { return }
        header.nextUID = UInt64(next)
        header.uidCeiling = ceiling
        try LogWriter(system: system, directory: fd).publish(header, [], floor: 1)
    }

    static func stage(
        _ numbers: [Int], in mailbox: Mailbox
    ) throws -> [(message: FinishedMessage, flags: MessageFlags)] {
        try numbers.map { (try mailbox.finished(text($0), date: 1_600_000_000 + Int64($0)), $0 % 2 == 0 ? .seen : []) }
    }

    /// A message staged in the store, without a recipient yet, then appended for two accounts, with flags in one of
    /// them.
    private static func deliverFromStore(without: Set<Capability> = []) throws -> CutScenario {
        let s = try CutScenario([.inbox, .bob], without: without) { try store($0, $1, next: 999) }
        for n in 1...2 {
            try s.step("deliver \(n)", .set) {
                let staged = try $0.store.stage()
                try staged.write(Array(text(n).utf8))
                let message = try staged.finish(internalDate: 1_600_000_000 + Int64(n))
                _ = try Delivery.deliver(
                    message, to: [.init($0.mailbox()), .init($0.mailbox(.bob), flags: [.seen, .flagged])])
            }
        }
        return s
    }

    func record() throws -> CutScenario {
        switch self {
        case .firstAppend: return try Self.firstAppend()
        case .append, .withoutUnnamedFiles:
            let s = try CutScenario(without: self == .append ? [] : [.unnamedFiles]) {
                try Self.store($0, $1, next: 999)
            }
            for n in 1...3 {
                try s.step("append \(n)") { try $0.mailbox().append(Self.text(n), .seen, date: 1_600_000_000) }
            }
            return s
        case .set:
            let s = try CutScenario { try Self.store($0, $1, next: 999) }
            try s.step("set", .set) { _ = try $0.mailbox().append(Self.stage([1, 2, 3], in: $0.mailbox())) }
            try s.step("second set", .set) { _ = try $0.mailbox().append(Self.stage([4, 5], in: $0.mailbox())) }
            return s
        case .flags, .flagsFull: return try Self.flags(self == .flags ? .messages : .full)
        case .flagsKeyword: return try Self.flagsKeyword()
        case .expunge: return try Self.expunge()
        case .copy: return try Self.copy()
        case .move: return try Self.move(to: .sent)
        case .moveAcrossAccounts: return try Self.move(to: .bob)
        case .renameInbox: return try Self.renameInbox()
        case .groundAppend, .groundSet, .groundCopy, .groundMove, .groundDeliver, .groundCreate:
            return try Self.onUnsyncedGround(self)
        case .firstMailboxAppend, .firstSet, .firstCopy, .firstMove, .firstDeliver:
            return try Self.inFirstMailbox(self)
        case .groundRename, .groundDelete: return try Self.treeOnUnsyncedGround(self)
        case .recoveryOfTwins: return try Self.recoveryOfTwins()
        case .expungeAndPurge:
            let s = try CutScenario { try Self.store($0, $1, messages: 3) }
            s.purges = true
            try s.step("expunge") { _ = try $0.mailbox().remove([UID(2)]) }
            try s.step("purge") { _ = try $0.mailbox().purgeExpunged(before: "9999999999") }
            return s
        case .createAfterPurge: return try Self.createAfterPurge()
        case .groundExpunge: return try Self.expungeOnUnsyncedGround()
        case .moveIntoDeadShard: return try Self.move(to: .sent, shardOfTheDead: true)
        case .createMailbox: return try Self.createMailbox()
        case .compaction: return try Self.compaction()
        case .recovery: return try Self.recovery()
        case .undelete:
            let s = try CutScenario {
                // What comes back gets the first UID of a shard that does not exist.
                try Self.store($0, $1, next: 998)
                let inbox = try Place.inbox.open(Store.open($0, options: $1))
                try Self.messages(2, in: inbox)
                _ = try inbox.changeFlags([UID(998)], .add([.deleted, .flagged]))
                _ = try inbox.expunge()
            }
            try s.step("undelete") { _ = try $0.mailbox().undelete($0.mailbox().recoverableMessages()[0]) }
            return s
        case .ceilings: return try Self.ceilings()
        case .letters: return try Self.letters()
        case .extraKeywords: return try Self.extraKeywords()
        case .rename, .delete, .deleteWithChild: return try Self.tree(self)
        case .deliver:
            let s = try CutScenario([.inbox, .sent, .bob]) { try Self.store($0, $1, next: 999) }
            for n in 1...2 {
                try s.step("deliver \(n)", .set) {
                    let message = try Self.stage([n], in: $0.mailbox())[0].message
                    _ = try Delivery.deliver(message, to: [$0.mailbox(), $0.mailbox(.bob), $0.mailbox(.sent)])
                }
            }
            return s
        case .deliverFromStore: return try Self.deliverFromStore()
        case .deliverFromStoreWithoutUnnamedFiles: return try Self.deliverFromStore(without: [.unnamedFiles])
        case .setBesideCompaction:
            let s = try CutScenario { try Self.store($0, $1, messages: 2) }
            try s.step("set", .set) {
                // Another thread's compaction runs between the release of the lock and the sync of the log.
                let inbox = try $0.mailbox()
                let members = try Self.stage([3, 4], in: inbox).map { SetMember($0, flags: $1, time: 0) }
                let outcome = try inbox.locked(exclusive: true, uids: 2, records: 4) { () throws(StoreError) in
                    try SetWriter(mailbox: inbox).run(members)
                }
                try inbox.compact()
                _ = try inbox.finishSet(outcome)
            }
            return s
        case .cleanClose:
            let s = try CutScenario([.inbox, .sent]) { try Self.store($0, $1, messages: 2) }
            try s.step("append") { try $0.mailbox().append(Self.text(3)) }
            try s.step("compact") { try $0.mailbox().compact() }
            try s.step("flags") { _ = try $0.mailbox().changeFlags([UID(1)], .add(.seen)) }
            try s.step("close") { try $0.store.close() }
            try s.step("append after") { try $0.mailbox().append(Self.text(4)) }
            try s.step("close again") { try $0.store.close() }
            return s
        }
    }

    private static func firstAppend() throws -> CutScenario {
        let s = try CutScenario(recordsOpening: true) { _, _ in }
        try s.step("create the account") {
            _ = try $0.store.createAccount(AccountAddress(parsing: Place.inbox.address))
        }
        try s.step("create INBOX") { try $0.store.account(AccountAddress(parsing: Place.inbox.address)).create(.inbox) }
        try s.step("append") { try $0.mailbox().append(text(1), date: 1_500_000_000) }
        try s.step("append again") { try $0.mailbox().append(text(2), .answered) }
        return s
    }

    private static func flags(_ durability: StoreOptions.Durability) throws -> CutScenario {
        let s = try CutScenario(durability: durability) { try store($0, $1, messages: 3) }
        try s.step("one") { _ = try $0.mailbox().changeFlags([UID(2)], .add(.seen)) }
        try s.step("the same again") {
            _ = try $0.mailbox().changeFlags([UID(2)], FlagChange(add: .flagged, remove: .seen))
        }
        try s.step("keyword") {
            let work = try $0.mailbox().keywords(["Work"], create: true)
            _ = try $0.mailbox().changeFlags([UID(1), UID(2), UID(3)], .add(work))
        }
        try s.step("conditional") {
            let now = try $0.mailbox().snapshot().highestModSeq
            _ = try $0.mailbox().changeFlags([UID(1)], .add(.answered), unchangedSince: now)
        }
        return s
    }

    /// A keyword that the mailbox had no letter for: no message may show it under another name.
    private static func flagsKeyword() throws -> CutScenario {
        let s = try CutScenario(durability: .full) {
            try store($0, $1)
            try Place.inbox.open(Store.open($0, options: $1)).append("[may be Work] a message")
        }
        try s.step("keyword") {
            _ = try $0.mailbox().changeFlags([UID(1)], .add($0.mailbox().keywords(["Work"], create: true)))
        }
        return s
    }

    private static func expunge() throws -> CutScenario {
        let s = try CutScenario {
            try store($0, $1, next: 998)
            let store = try Store.open($0, options: $1)
            try messages(4, in: Place.inbox.open(store))
        }
        try s.step("mark") { _ = try $0.mailbox().changeFlags([UID(998), UID(1001)], .add(.deleted)) }
        try s.step("expunge") { _ = try $0.mailbox().expunge() }
        try s.step("remove") { _ = try $0.mailbox().remove([UID(999)]) }
        try s.step("append") { try $0.mailbox().append(text(5)) }
        return s
    }

    private static func copy() throws -> CutScenario {
        let s = try CutScenario([.inbox, .sent]) {
            try store($0, $1, next: 998)
            let store = try Store.open($0, options: $1)
            let inbox = try Place.inbox.open(store)
            try messages(4, in: inbox)
            try setNextUID(
                999, ceiling: 1500, store.account(AccountAddress(parsing: Place.sent.address)).context,
                MailboxName("Sent"))
            _ = try inbox.changeFlags([UID(999)], .add(inbox.keywords(["Work"], create: true)))
        }
        try s.step("copy one", .set) { _ = try $0.mailbox().copy([UID(998)], to: $0.mailbox(.sent)) }
        try s.step("copy three", .set) {
            _ = try $0.mailbox().copy([UID(999), UID(1000), UID(1001)], to: $0.mailbox(.sent))
        }
        try s.step("copy within", .set) { _ = try $0.mailbox().copy([UID(998), UID(999)], to: $0.mailbox()) }
        return s
    }

    /// - Parameter shardOfTheDead: another process made the target's shard, and died before any fsync.
    private static func move(to target: Place, shardOfTheDead: Bool = false) throws -> CutScenario {
        let s = try CutScenario([.inbox, target]) {
            try store($0, $1, next: 998)
            let store = try Store.open($0, options: $1)
            try messages(4, in: Place.inbox.open(store))
            _ = try Place.inbox.open(store).changeFlags([UID(1000)], .add(.flagged))
        }
        if shardOfTheDead {
            try SystemCalls(hook: s.recorder).makeDirectory(s.mailbox(target).directory, "0000")
        }
        try s.step("move one", .move) { _ = try $0.mailbox().move([UID(998)], to: $0.mailbox(target)) }
        try s.step("move two", .move) { _ = try $0.mailbox().move([UID(999), UID(1000)], to: $0.mailbox(target)) }
        try s.step("append there") { try $0.mailbox(target).append(text(5)) }
        return s
    }

    private static func renameInbox() throws -> CutScenario {
        let archive = Place(mailbox: "Archive")
        let s = try CutScenario([.inbox, archive]) { try store($0, $1, messages: 3) }
        try s.step("rename INBOX", .move) {
            try $0.store.account(AccountAddress(parsing: archive.address)).rename(.inbox, to: MailboxName("Archive"))
        }
        try s.step("append there") { try $0.mailbox(archive).append(text(5)) }
        return s
    }

    private static func createMailbox() throws -> CutScenario {
        let deep = Place(mailbox: "Lists/Swift")
        let s = try CutScenario([.inbox, Place(mailbox: "Lists"), deep]) { try store($0, $1, messages: 1) }
        try s.step("create") {
            try $0.store.account(AccountAddress(parsing: Place.inbox.address)).create(MailboxName("Lists/Swift"))
        }
        try s.step("append there") { try $0.mailbox(deep).append(text(2)) }
        return s
    }

    private static func tree(_ run: CutRun) throws -> CutScenario {
        let (a, b) = (Place(mailbox: "A"), Place(mailbox: "A/B"))
        let s = try CutScenario([.inbox, a, b, Place(mailbox: "New/Level"), Place(mailbox: "New/Level/B")]) {
            try store($0, $1, messages: 1)
            let alice = try Store.open($0, options: $1).account(AccountAddress(parsing: a.address))
            for place in run == .delete ? [a] : [a, b] {
                try alice.create(MailboxName(place.mailbox))
                try messages(2, in: alice.mailbox(MailboxName(place.mailbox)))
            }
        }
        let alice = try s.store.account(AccountAddress(parsing: a.address))
        if run == .rename {
            try s.step("rename") { _ in try alice.rename(MailboxName("A"), to: MailboxName("New/Level")) }
            try s.step("append there") { try $0.mailbox(Place(mailbox: "New/Level/B")).append(text(3)) }
        } else {
            s.willDelete("A")
            try s.step("delete") { _ in try alice.delete(MailboxName("A")) }
        }
        try s.step("append") { try $0.mailbox().append(text(4)) }
        return s
    }

    private static func compaction() throws -> CutScenario {
        let s = try CutScenario { try store($0, $1, messages: 3) }
        try s.step("flags") { _ = try $0.mailbox().changeFlags([UID(1), UID(2)], .add([.seen, .deleted])) }
        try s.step("expunge") { _ = try $0.mailbox().expunge([UID(2)]) }
        try s.step("compact") { try $0.mailbox().compact() }
        try s.step("set", .set) { _ = try $0.mailbox().append(stage([4, 5], in: $0.mailbox())) }
        try s.step("compact again") { try $0.mailbox().compact() }
        try s.step("append") { try $0.mailbox().append(text(6)) }
        return s
    }

    /// The remains of a cut: a message with two names, one in its shard and in `.expunged/`, half a set.
    private static func recovery() throws -> CutScenario {
        let copy = FastScratch()
        let path = copy.next()
        let s = try CutScenario(boot: "boot-2", recordsOpening: true) { root, options in
            try store(root, options, messages: 5)
            try damage(root, options)
            DiskImage(of: root).materialise(in: path)
        }
        var options = s.options
        options.bootID = "boot-other"
        let before = try Store.open(path, options: options)
        try s.began(with: before.world(s.places), before.saveDates(s.places))
        try s.step("recovery") { _ = try $0.mailbox() }
        try s.step("append") { try $0.mailbox().append(text(6)) }
        try s.step("remove") { _ = try $0.mailbox().remove([try $0.mailbox().snapshot().messages.last?.uid ?? UID(1)]) }
        try s.step("flags") { _ = try $0.mailbox().changeFlags([UID(1)], .add(.seen)) }
        return s
    }

    static func damage(_ root: String, _ options: StoreOptions) throws {
        let store = try Store.open(root, options: options)
        let inbox = try Place.inbox.open(store)
        let directory = "\(root)/\(Store.path(try AccountAddress(parsing: Place.inbox.address)))/mailboxes/INBOX"
        precondition(link("\(directory)/0000/00000002_.eml", "\(directory)/0000/00000002_FS.eml") == 0)
        _ = try inbox.remove([UID(4)])
        let gone = try inbox.recoverableMessages()[0]
        let bin = "\(directory)/.expunged/\(gone.hour)/\(ExpungedName.string(gone.uidValidity, gone.uid, gone.flags))"
        precondition(link(bin, "\(directory)/0000/00000004_.eml") == 0)
        let log = inbox.state.withLock { $0.log }
        try log.append(LogRecord(.set, done: false, uid: 6, token: 77, size: 3))
        let half = try inbox.finished("half a set").staged
        try half.link(SystemCalls().openDirectory(AT_FDCWD, "\(directory)/0000"), "00000007_.eml")
    }

    /// Frees a keyword's letter and assigns it to another keyword.
    private static func letters() throws -> CutScenario {
        let s = try CutScenario {
            try store($0, $1)
            let inbox = try Place.inbox.open(Store.open($0, options: $1))
            _ = try inbox.keywords(["Old"] + (0..<30).map { "word\($0)" }, create: true)
            try inbox.append("[may be Old] one", inbox.keywords(["Old"], create: true))
            try inbox.append("[may be New] two")
        }
        try s.step("take the old one off") {
            _ = try $0.mailbox().changeFlags([UID(1)], .remove, NamedFlags(keywords: ["Old"]))
        }
        try s.step("give its letter away") {
            _ = try $0.mailbox().changeFlags([UID(2)], .add, NamedFlags(keywords: ["New"]))
        }
        return s
    }

    /// Keywords for which there is no letter: stored, appended, moved, removed, brought back.
    private static func extraKeywords() throws -> CutScenario {
        let s = try CutScenario([.inbox, .sent]) {
            try store($0, $1, messages: 2)
            let store = try Store.open($0, options: $1)
            for place in [Place.inbox, .sent] { try place.open(store).fillLetters() }
        }
        try s.step("store") {
            _ = try $0.mailbox().changeFlags([UID(1), UID(2)], .add, NamedFlags(keywords: ["Extra", "More"]))
        }
        try s.step("append") {
            let message = try $0.mailbox().finished(text(4))
            _ = try $0.mailbox().append(message, flags: NamedFlags(keywords: ["Extra"]))
        }
        try s.step("compact") { try $0.mailbox().compact() }
        try s.step("replace") {
            _ = try $0.mailbox().changeFlags([UID(1)], .replace, NamedFlags(keywords: ["more"]))
        }
        try s.step("move", .move) { _ = try $0.mailbox().move([UID(2)], to: $0.mailbox(.sent)) }
        try s.step("remove") { _ = try $0.mailbox().remove([UID(1)]) }
        try s.step("undelete") { _ = try $0.mailbox().undelete($0.mailbox().recoverableMessages()[0]) }
        return s
    }

    /// Uses UIDs beyond the mailbox's initial ceiling.
    private static func ceilings() throws -> CutScenario {
        let s = try CutScenario { path, options in
            try store(path, options)
            let store = try Store.open(path, options: options)
            try setNextUID(
                999, ceiling: 1000, store.account(AccountAddress(parsing: Place.inbox.address)).context, .inbox)
        }
        try s.step("append") { try $0.mailbox().append(text(1)) }
        try s.step("append past the ceiling") { try $0.mailbox().append(text(2)) }
        try s.step("expunge") { _ = try $0.mailbox().remove([UID(999), UID(1000)]) }
        return s
    }
}
