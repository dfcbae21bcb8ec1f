import DurableFiles

@testable import ShardFS

// Operations on what processes made that died before they synced it.

extension CutRun {
    /// An account of another domain, with levels of its own.
    private static let carol = Place(address: "carol@other.org", mailbox: "A/B")

    /// - Parameter isAlone: whether nothing else is in the store.
    private static func ground(isAlone: Bool = false) throws -> CutScenario {
        let places = [carol] + ["A", "A/C"].map { Place(address: carol.address, mailbox: $0) }
        let s = try CutScenario(isAlone ? places : [.inbox] + places) {
            if !isAlone { try store($0, $1, messages: 3) }
        }
        try s.dead {
            let account = try $0.createAccount(AccountAddress(parsing: carol.address))
            try account.create(MailboxName(carol.mailbox))
        }
        return s
    }

    /// An account with one mailbox: `mailboxes` was made after the only fsync of the account's directory, that of its
    /// UIDVALIDITY.
    private static let (dave, erin) = (
        Place(address: "dave@other.org", mailbox: "A"), Place(address: "erin@other.org", mailbox: "A")
    )

    static func inFirstMailbox(_ run: CutRun) throws -> CutScenario {
        let isAlone = run != .firstCopy && run != .firstMove
        // A mailbox of the dead that no step writes to may be lost.
        let places = isAlone ? (run == .firstDeliver ? [dave, erin] : [dave]) : [.inbox, dave]
        let s = try CutScenario(places) {
            if !isAlone { try store($0, $1, messages: 3) }
        }
        try s.dead {
            for place in s.places where place != .inbox {
                try $0.createAccount(AccountAddress(parsing: place.address)).create(MailboxName(place.mailbox))
            }
        }
        switch run {
        case .firstSet:
            try s.step("set", .set) { _ = try $0.mailbox(dave).append(stage([4, 5], in: $0.mailbox(dave))) }
        case .firstDeliver:
            try s.step("deliver", .set) {
                let message = try stage([4], in: $0.mailbox(dave))[0].message
                _ = try Delivery.deliver(message, to: [$0.mailbox(dave), $0.mailbox(erin)])
            }
        case .firstCopy:
            try s.step("copy", .set) { _ = try $0.mailbox().copy([UID(1), UID(2)], to: $0.mailbox(dave)) }
        case .firstMove:
            try s.step("move", .move) { _ = try $0.mailbox().move([UID(1), UID(2)], to: $0.mailbox(dave)) }
        default:
            try s.step("append") { try $0.mailbox(dave).append(text(4)) }
        }
        return s
    }

    static func onUnsyncedGround(_ run: CutRun) throws -> CutScenario {
        switch run {
        case .groundSet:
            let s = try ground(isAlone: true)
            try s.step("set", .set) { _ = try $0.mailbox(carol).append(stage([4, 5], in: $0.mailbox(carol))) }
            return s
        case .groundCopy:
            let s = try ground()
            try s.step("copy", .set) { _ = try $0.mailbox().copy([UID(1), UID(2)], to: $0.mailbox(carol)) }
            return s
        case .groundMove:
            let s = try ground()
            try s.step("move", .move) { _ = try $0.mailbox().move([UID(1), UID(2)], to: $0.mailbox(carol)) }
            return s
        case .groundDeliver:
            let s = try ground(isAlone: true)
            try s.step("deliver", .set) {
                let message = try stage([4], in: $0.mailbox(carol))[0].message
                let other = Place(address: carol.address, mailbox: "A")
                _ = try Delivery.deliver(message, to: [$0.mailbox(carol), $0.mailbox(other)])
            }
            return s
        case .groundCreate:
            let s = try ground(isAlone: true)
            try s.step("create") {
                try $0.store.account(AccountAddress(parsing: carol.address)).create(MailboxName("A/C"))
            }
            return s
        default:
            let s = try ground(isAlone: true)
            try s.step("append") { try $0.mailbox(carol).append(text(4)) }
            return s
        }
    }

    /// A change of the tree where levels above were made by the dead.
    static func treeOnUnsyncedGround(_ run: CutRun) throws -> CutScenario {
        let (old, above, new) = (Place(mailbox: "Old"), Place(mailbox: "L"), Place(mailbox: "L/M/New"))
        let s = try CutScenario([.inbox, old, above, Place(mailbox: "L/M"), new]) {
            try store($0, $1, messages: 1)
            let account = try Store.open($0, options: $1).account(AccountAddress(parsing: old.address))
            try account.create(MailboxName("Old"))
            try messages(2, in: account.mailbox(MailboxName("Old")))
        }
        func account(_ store: Store) throws -> Account { try store.account(AccountAddress(parsing: old.address)) }
        switch run {
        case .groundRename:
            try s.dead { try account($0).create(MailboxName("L/M")) }
            try s.step("rename") { try account($0.store).rename(MailboxName("Old"), to: MailboxName("L/M/New")) }
        default:
            try s.dead {
                try SystemCalls(hook: s.recorder).makeDirectory(
                    account($0).context.directory, AccountContext.deletedDirectory)
            }
            s.willDelete("Old")
            try s.step("delete") { try account($0.store).delete(MailboxName("Old")) }
        }
        return s
    }

    /// `.expunged` and the hour in it were made by the dead.
    static func expungeOnUnsyncedGround() throws -> CutScenario {
        let s = try CutScenario { try store($0, $1, messages: 3) }
        try s.dead {
            let (system, inbox) = (SystemCalls(hook: s.recorder), try Place.inbox.open($0))
            for path in [ExpungedName.directory, "\(ExpungedName.directory)/\(ExpungedName.hour(inbox.context.now))"] {
                try system.makeDirectory(inbox.directory, path)
            }
        }
        try s.step("expunge") { _ = try $0.mailbox().remove([UID(2)]) }
        return s
    }

    /// Two files under one UID, in a mailbox whose next UID is the first of a shard that does not exist.
    static func recoveryOfTwins() throws -> CutScenario {
        let copy = FastScratch()
        let path = copy.next()
        let s = try CutScenario(boot: "boot-2", recordsOpening: true) { root, options in
            try store(root, options, next: 1990)
            let inbox = try Place.inbox.open(Store.open(root, options: options))
            try messages(2, in: inbox)
            let other = try inbox.finished("another under the same UID", date: 1_600_000_005).staged
            try other.link(SystemCalls().openDirectory(inbox.directory, "0001"), "00001990_F.eml")
            try inbox.updateStatus { (status) throws(StoreError) in status.uidCeiling = 2000 }
            DiskImage(of: root).materialise(in: path)
        }
        var options = s.options
        options.bootID = "boot-other"
        let before = try Store.open(path, options: options)
        try s.began(with: before.world(s.places), before.saveDates(s.places))
        let uid = s.start[Place.inbox.key]?.messages.first { $0.value.text == "another under the same UID" }?.key
        s.stray = (uid ?? 0, "another under the same UID")
        try s.step("recovery") { _ = try $0.mailbox() }
        return s
    }

    /// A mailbox is created, deleted and purged: nothing but the counter tells of its UIDVALIDITY.
    static func createAfterPurge() throws -> CutScenario {
        let s = try CutScenario { try store($0, $1, messages: 1) }
        let alice = try s.store.account(AccountAddress(parsing: Place.inbox.address))
        try s.step("create") { _ in try alice.create(MailboxName("Short")) }
        s.willDelete("Short")
        try s.step("delete") { _ in try alice.delete(MailboxName("Short")) }
        s.purged()
        try s.step("purge") { _ in
            for name in try alice.context.entries(in: AccountContext.deletedDirectory) {
                alice.context.removeTree("\(AccountContext.deletedDirectory)/\(name)")
            }
        }
        return s
    }
}
