import DurableFiles

@testable import ShardFS

// Operations on what processes made that died before they synced it.

extension CutRun {
    /// An account of another domain, with levels of its own.
    private static let carol = Place(address: "carol@other.org", mailbox: "A/B")

    private static func ground(_ prepare: @escaping (Mailbox) throws -> Void = { _ in }) throws -> CutScenario {
        let s = try CutScenario([.inbox, carol, Place(address: carol.address, mailbox: "A")]) {
            try store($0, $1, messages: 3)
            try prepare(Place.inbox.open(Store.open($0, options: $1)))
        }
        try s.dead {
            let account = try $0.createAccount(AccountAddress(parsing: carol.address))
            try account.create(MailboxName(carol.mailbox))
        }
        return s
    }

    static func onUnsyncedGround(_ run: CutRun) throws -> CutScenario {
        switch run {
        case .groundSet:
            let s = try ground()
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
            let s = try ground()
            try s.step("deliver", .set) {
                let message = try stage([4], in: $0.mailbox())[0].message
                _ = try Delivery.deliver(message, to: [$0.mailbox(), $0.mailbox(carol)])
            }
            return s
        default:
            let s = try ground()
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
        case .groundCreate:
            try s.dead { try account($0).create(MailboxName("L/M")) }
            try s.step("create") { try account($0.store).create(MailboxName("L/M/New")) }
        case .groundRename:
            try s.dead { try account($0).create(MailboxName("L/M")) }
            try s.step("rename") { try account($0.store).rename(MailboxName("Old"), to: MailboxName("L/M/New")) }
        default:
            try s.dead {
                try SystemCalls(hook: s.recorder).makeDirectory(
                    account($0).context.directory, AccountContext.deletedDirectory)
            }
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
}
