import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// The operations under test.
enum FaultRun: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case append, set, flagOne, flagMany, flagFull, conditional, expunge, remove, copyOne, copyMany, copyWithin
    case copyAcrossAccounts, move, moveAcrossAccounts, moveWithin, create, createDeep, createAccount, undelete, purge
    case extraOne, extraMany, extraReplaced, extraAppend, extraSet, extraCopy, extraMove, extraUndelete
    case compact, keyword, letters, ceilings, recount, close, takeRecent, appendRaising, deliver, delete,
        deleteWithChild, rename
    case renameInbox
    case open, openStore, openAfterRestart, openAfterCleanRestart, openAfterDamage, openAdopted, openWithoutLog
    case openWithoutStatus

    var testDescription: String { rawValue }

    var places: [Place] {
        switch self {
        case .create: [.inbox, Place(mailbox: "New")]
        case .createDeep: [.inbox, Place(mailbox: "New"), Place(mailbox: "New/Below")]
        case .createAccount: [.inbox]
        case .delete, .deleteWithChild, .rename, .renameInbox:
            [.inbox, .sent, Place(mailbox: "A"), Place(mailbox: "A/B"), Place(mailbox: "New"), Place(mailbox: "New/B")]
        default: [.inbox, .sent, .bob]
        }
    }

    var kind: StepKind {
        switch self {
        case .set, .copyOne, .copyMany, .copyWithin, .copyAcrossAccounts, .extraSet, .extraCopy: .set
        case .extraMove, .move, .moveAcrossAccounts, .moveWithin, .renameInbox: .move
        default: .single
        }
    }

    /// Whether an error means that nothing was done.
    var isAllOrNone: Bool {
        switch self {
        case .append, .set, .copyOne, .copyMany, .copyWithin, .copyAcrossAccounts, .undelete, .appendRaising, .deliver,
            .extraAppend, .extraSet, .extraCopy, .extraUndelete:
            true
        default: false
        }
    }

    /// Whether the opening is under test, so that nothing is open before.
    var opens: Bool { rawValue.hasPrefix("open") }

    var durability: StoreOptions.Durability { self == .flagFull ? .full : .messages }

    /// The boot under which the operation runs; the prepared store was made under `boot-1`.
    var boot: String {
        self == .openAfterRestart || self == .openAfterCleanRestart || self == .openAfterDamage ? "boot-2" : "boot-1"
    }

    func options(_ boot: String) -> StoreOptions {
        var options = StoreOptions()
        options.bootID = boot
        options.durability = durability
        options.clock = { 1_700_000_000 }
        options.lockWait = 0.5
        return options
    }

    /// Prepares seven messages in INBOX, UIDs 996 to 1002, with 997 \Deleted, and one in Sent.
    func prepare(_ path: String) throws {
        let options = options("boot-1")
        try CutRun.store(path, options, next: 996)
        let store = try Store.open(path, options: options)
        let inbox = try Place.inbox.open(store)
        try CutRun.messages(7, in: inbox)
        _ = try inbox.changeFlags([UID(997)], .add([.deleted, .answered]))
        _ = try inbox.changeFlags([UID(998)], .add(inbox.keywords(["Work"], create: true)))
        try Place.sent.open(store).append("one in Sent")
        _ = try inbox.remove([UID(999)])
        let alice = try store.account(AccountAddress(parsing: Place.inbox.address))
        let directory = "\(path)/\(Store.path(alice.address))/mailboxes/INBOX"
        switch self {
        case .letters:
            // A full table, of which message 1003 had a letter that is to be message 1004's.
            _ = try inbox.keywords(["Old"] + (0..<29).map { "word\($0)" }, create: true)
            try inbox.append("[may be Old] first")
            try inbox.append("[may be New] second")
            _ = try inbox.changeFlags([UID(1003)], .add, NamedFlags(keywords: ["Old"]))
            _ = try inbox.changeFlags([UID(1003)], .remove, NamedFlags(keywords: ["Old"]))
        case .extraOne, .extraMany, .extraReplaced, .extraAppend, .extraSet, .extraCopy, .extraMove, .extraUndelete:
            for place in [Place.inbox, .sent] {
                let mailbox = try place.open(store)
                try mailbox.fillLetters()
                _ = try mailbox.changeFlags(
                    [UID(mailbox === inbox ? 1000 : 1)], .add, NamedFlags(keywords: ["Extra", "More"]))
            }
            if self == .extraUndelete { _ = try inbox.remove([UID(1000)]) }
        case .openAfterCleanRestart, .openStore: try store.close()
        case .openAfterDamage: try Self.damage(directory, inbox)
        case .openAdopted:
            unlink("\(directory)/\(LogFile.fileName)")
            let status = #"{"uid_validity": 77, "uid_next": 1003, "mailbox_id": "0123456789abcdef0123456789abcdef"}"#
            try alice.context.files.publish(
                Array(status.utf8), as: MailboxStatus.fileName, in: inbox.directory)
        case .openWithoutLog: unlink("\(directory)/\(LogFile.fileName)")
        case .openWithoutStatus: unlink("\(directory)/\(MailboxStatus.fileName)")
        case .recount: try alice.context.ledger.markRecount()
        case .appendRaising: try Self.lowerCeiling(Place.sent.open(store))
        case .delete, .deleteWithChild, .rename, .renameInbox:
            try alice.create(MailboxName("A"))
            try alice.mailbox(MailboxName("A")).append("one in A")
            if self != .delete {
                try alice.create(MailboxName("A/B"))
                try alice.mailbox(MailboxName("A/B")).append("one in A/B")
            }
        default: break
        }
    }

    /// Lowers the ceiling, so that the next append must raise it.
    private static func lowerCeiling(_ mailbox: Mailbox) throws {
        var status = try mailbox.readStatus()
        status.uidCeiling = UInt64(try mailbox.snapshot().uidNext.rawValue) + 3
        try mailbox.context.files.publish(
            status.serialized(), as: MailboxStatus.fileName, in: mailbox.directory)
    }

    private static func damage(_ directory: String, _ inbox: Mailbox) throws {
        precondition(link("\(directory)/0000/00000996_.eml", "\(directory)/0000/00000996_FS.eml") == 0)
        let gone = try inbox.recoverableMessages()[0]
        let bin = "\(directory)/.expunged/\(gone.hour)/\(ExpungedName.string(gone.uidValidity, gone.uid, gone.flags))"
        precondition(link(bin, "\(directory)/0000/00000999_.eml") == 0)
        try inbox.state.withLock({ $0.log }).append(LogRecord(.set, done: false, uid: 1003, token: 77, size: 3))
        let half = try inbox.finished("half a set").staged
        let fd = try SystemCalls().openDirectory(AT_FDCWD, "\(directory)/0001")
        try half.link(fd, "00001004_.eml")
        SystemCalls().close(fd)
    }

    func run(_ store: Store) throws {
        func mailbox(_ place: Place = .inbox) throws -> Mailbox { try place.open(store) }
        let alice = try AccountAddress(parsing: Place.inbox.address)
        switch self {
        case .append: try mailbox().append(CutRun.text(8), .seen, date: 1_600_000_008)
        case .set: _ = try mailbox().append(CutRun.stage([8, 9, 10], in: mailbox()))
        case .flagOne: _ = try mailbox().changeFlags([UID(996)], .add(.flagged))
        case .flagMany, .flagFull:
            _ = try mailbox().changeFlags([UID(996), UID(1000), UID(1001)], FlagChange(add: .flagged, remove: .seen))
        case .conditional:
            let now = try mailbox().snapshot().highestModSeq
            _ = try mailbox().changeFlags([UID(996), UID(1001)], .add(.seen), unchangedSince: now)
        case .expunge: _ = try mailbox().expunge()
        case .remove: _ = try mailbox().remove([UID(996), UID(997), UID(998), UID(1001)])
        case .copyOne: _ = try mailbox().copy([UID(996)], to: mailbox(.sent))
        case .copyMany: _ = try mailbox().copy([UID(997), UID(998), UID(1001)], to: mailbox(.sent))
        case .copyWithin: _ = try mailbox().copy([UID(996), UID(1001)], to: mailbox())
        case .copyAcrossAccounts: _ = try mailbox().copy([UID(998), UID(1001)], to: mailbox(.bob))
        case .move: _ = try mailbox().move([UID(997), UID(998), UID(1001)], to: mailbox(.sent))
        case .moveAcrossAccounts: _ = try mailbox().move([UID(997), UID(1001)], to: mailbox(.bob))
        case .moveWithin: _ = try mailbox().move([UID(998)], to: mailbox())
        case .create: try store.account(alice).create(MailboxName("New"), specialUse: "\\Drafts")
        case .createDeep: try store.account(alice).create(MailboxName("New/Below"))
        case .createAccount: _ = try store.createAccount(AccountAddress(parsing: "carol@elsewhere.example"))
        case .undelete: _ = try mailbox().undelete(mailbox().recoverableMessages()[0])
        case .purge: _ = try mailbox().purgeExpunged(before: "9999999999")
        case .compact: try mailbox().compact()
        case .extraOne: _ = try mailbox().changeFlags([UID(996)], .add, NamedFlags(.flagged, keywords: ["Extra"]))
        case .extraMany:
            _ = try mailbox().changeFlags(
                [UID(996), UID(1000), UID(1001)], .add, NamedFlags(.flagged, keywords: ["Extra", "Other"]))
        case .extraReplaced: _ = try mailbox().changeFlags([UID(1000)], .replace, NamedFlags(keywords: ["More"]))
        case .extraAppend:
            _ = try mailbox().append(
                mailbox().finished(CutRun.text(8), date: 1_600_000_008),
                flags: NamedFlags(.seen, keywords: ["Extra", "New"]))
        case .extraSet:
            _ = try mailbox().append(
                CutRun.stage([8, 9], in: mailbox()).map { ($0.message, NamedFlags(keywords: ["Extra"])) })
        case .extraCopy: _ = try mailbox().copy([UID(1000), UID(1001)], to: mailbox(.sent))
        case .extraMove: _ = try mailbox().move([UID(1000), UID(1001)], to: mailbox(.sent))
        case .extraUndelete:
            let gone = try mailbox().recoverableMessages().first { $0.uid == UID(1000) }
            _ = try mailbox().undelete(#require(gone))
        case .letters: _ = try mailbox().changeFlags([UID(1004)], .add, NamedFlags(keywords: ["New"]))
        case .keyword: _ = try mailbox().keywords(["Later", "Work"], create: true)
        case .ceilings: try mailbox().raiseCeilings(uids: 600, records: 0, always: true)
        case .recount: _ = try store.account(alice).quota()
        case .close: try store.close()
        case .takeRecent: _ = try mailbox().takeRecent()
        case .appendRaising: try mailbox(.sent).append(CutRun.text(8), date: 1_600_000_008)
        case .deliver:
            let message = try CutRun.stage([8], in: mailbox())[0].message
            _ = try Delivery.deliver(message, to: [mailbox(), mailbox(.bob), mailbox(.sent)])
        case .delete, .deleteWithChild: try store.account(alice).delete(MailboxName("A"))
        case .rename: try store.account(alice).rename(MailboxName("A"), to: MailboxName("New"))
        case .renameInbox: try store.account(alice).rename(.inbox, to: MailboxName("New"))
        case .open, .openStore, .openAfterRestart, .openAfterCleanRestart, .openAfterDamage, .openAdopted,
            .openWithoutLog, .openWithoutStatus:
            _ = try store.world([.inbox])
        }
    }
}

/// One kind of run, ready to be repeated from the same starting point.
final class FaultBench {
    let run: FaultRun
    let image: DiskImage
    let scratch = FastScratch()
    /// The client's view before the operation, and after it if nothing fails.
    let before: World
    let after: World

    init(_ run: FaultRun) throws {
        self.run = run
        let path = scratch.next()
        mkdir(path, 0o700)
        try run.prepare(path)
        image = DiskImage(of: path)
        let options = run.options(run.boot)
        before = try Store.open(scratch.copy(image), options: options).world(run.places)
        let again = try Store.open(scratch.copy(image), options: options)
        if !run.opens { _ = try again.world(run.places) }
        try run.run(again)
        after = try again.world(run.places)
    }

    /// Opens a store with `hook`, with its mailboxes open unless opening is under test.
    func store(_ path: String, _ hook: FaultHook) throws -> Store {
        var options = run.options(run.boot)
        options.hook = hook
        let store = try Store.open(path, options: options)
        if !run.opens { _ = try store.world(run.places) }
        return store
    }

    /// The number of calls of the operation that can fail.
    func calls() throws -> Int {
        let hook = FaultHook()
        let path = scratch.copy(image)
        defer { removeTree(path) }
        if run == .openStore {
            hook.arm(.count)
            _ = try store(path, hook)
        } else {
            let store = try store(path, hook)
            hook.arm(.count)
            try run.run(store)
        }
        return hook.disarm().calls
    }

    /// Replaces ids and UIDVALIDITYs of mailboxes made by the operation, which differ each time, with those of `after`.
    func adopting(_ now: World) -> World {
        var now = now
        for (key, mailbox) in after where !before.values.contains(where: { $0.id == mailbox.id }) {
            if let id = now[key]?.id, !before.values.contains(where: { $0.id == id }) { now[key]?.id = mailbox.id }
        }
        return now
    }

    func rules() -> Rules { Rules(before: before, after: after, kind: run.kind) }
}

extension FastScratch {
    func copy(_ image: DiskImage) -> String {
        let path = next()
        image.materialise(in: path)
        return path
    }
}
