import DurableFiles
import Glibc
import Testing

@testable import ShardFS

/// Everything works on a file system without optional capabilities; calls that need a missing one fail.
@Suite struct CapabilityTests {
    static let missing: [Set<Capability>] = [
        [], [.unnamedFiles], [.renameNoReplace], [.hardLinks], [.unnamedFiles, .renameNoReplace],
        [.unnamedFiles, .hardLinks], [.unnamedFiles, .renameNoReplace, .hardLinks],
    ]

    @Test(arguments: missing) func everyOperation(_ missing: Set<Capability>) throws {
        let scratch = FastScratch()
        let path = scratch.next()
        var options = StoreOptions()
        options.bootID = "boot-1"
        options.withoutCapabilities = missing
        options.hook = LackingHook(missing)
        let store = try Store.open(path, options: options)
        #expect(store.capabilities.isDisjoint(with: missing))
        let alice = try store.createAccount(AccountAddress(parsing: Place.inbox.address))
        let bob = try store.createAccount(AccountAddress(parsing: Place.bob.address))
        for account in [alice, bob] { try account.create(.inbox) }
        try alice.create(MailboxName("Sent"))
        let inbox = try alice.mailbox(.inbox)
        let sent = try alice.mailbox(MailboxName("Sent"))
        let other = try bob.mailbox(.inbox)
        try CutRun.messages(4, in: inbox)
        _ = try inbox.append(CutRun.stage([5, 6], in: inbox))
        let work = try inbox.keywords(["Work"], create: true)
        #expect(try inbox.changeFlags([UID(1), UID(2)], .add(work.union(.seen))).changed.count == 2)
        #expect(try inbox.changeFlags([UID(3)], .add(.deleted)).changed.count == 1)
        #expect(try inbox.copy([UID(1)], to: sent).copied.count == 1)
        #expect(try inbox.copy([UID(1), UID(2)], to: other).copied.count == 2)
        #expect(try inbox.copy([UID(1), UID(2)], to: inbox).copied.map(\.target) == [UID(7), UID(8)])
        #expect(try inbox.move([UID(4), UID(5)], to: sent).copied.count == 2)
        #expect(try inbox.move([UID(7)], to: other).copied.count == 1)
        #expect(try inbox.expunge() == [UID(3)])
        #expect(try inbox.undelete(inbox.recoverableMessages()[0]).uid == UID(9))
        let delivered = try Delivery.deliver(CutRun.stage([7], in: inbox)[0].message, to: [inbox, sent, other])
        #expect(delivered.map(\.uid) == [UID(10), UID(4), UID(4)])
        try inbox.compact()
        try alice.rename(MailboxName("Sent"), to: MailboxName("Gone/Sent"))
        let renamed = Place(mailbox: "Gone/Sent")
        let places = [Place.inbox, renamed, .bob]
        let now = try store.world(places)
        #expect(now[Place.inbox.key]?.listing == "1:0S 2:0S 6:S 8:0S 9: 10:")
        #expect(now[renamed.key]?.listing == "1:0S 2: 3: 4:")
        #expect(now[Place.bob.key]?.listing == "1:0S 2:0S 3:0S 4:")
        #expect(now[Place.inbox.key]?.messages[9]?.text == CutRun.text(3))
        #expect(now[Place.bob.key]?.messages[2]?.text == CutRun.text(2))
        #expect(now[Place.bob.key]?.messages[2]?.date == 1_600_000_002)
        #expect(now[renamed.key]?.messages[4]?.text == CutRun.text(7))
        #expect(try AtRest(store: store, places: places).violations() == [])

        options.bootID = "boot-2"
        let later = try Store.open(path, options: options)
        for (key, mailbox) in try later.world(places) { #expect(mailbox.messages == now[key]?.messages) }
        try alice.delete(MailboxName("Gone/Sent"))
        _ = try Place.inbox.open(later).purgeExpunged(before: "9999999999")
        #expect(try AtRest(store: later, places: [.inbox, .bob]).violations() == [])
        #expect(AtRest(store: later, places: []).leftovers() == [])
    }
}

/// Fails the calls that a file system without some capabilities would fail. A rename that must not replace looks like
/// any other here, so only the store's own choice distinguishes it.
private final class LackingHook: SystemHook {
    let missing: Set<Capability>
    init(_ missing: Set<Capability>) { self.missing = missing }

    func before(_ call: SystemCall) -> Errno? {
        switch call {
        case .openUnnamed: missing.contains(.unnamedFiles) ? .notSupported : nil
        case .link, .linkUnnamed: missing.contains(.hardLinks) ? .notPermitted : nil
        default: nil
        }
    }
}

extension CapabilityTests {
    /// Accounts on two file systems: files that cannot be linked or renamed across are copied.
    @Test func acrossFileSystems() throws {
        let scratch = FastScratch()
        let path = scratch.next()
        var options = StoreOptions()
        options.bootID = "boot-1"
        try CutRun.store(path, options, messages: 4)
        options.hook = TwoFileSystems()
        let store = try Store.open(path, options: options)
        let inbox = try Place.inbox.open(store)
        let other = try Place.bob.open(store)
        #expect(try inbox.copy([UID(1), UID(2)], to: other).copied.map(\.target) == [UID(1), UID(2)])
        // The attempted renames leave two UIDs unused.
        #expect(try inbox.move([UID(2), UID(3)], to: other).copied.map(\.target) == [UID(5), UID(6)])
        let world = try store.world([.inbox, .bob])
        #expect(world[Place.inbox.key]?.listing == "1: 4:")
        #expect(world[Place.bob.key]?.messages[6]?.text == CutRun.text(3))
        #expect(world[Place.bob.key]?.messages[6]?.date == 1_600_000_003)
        let staged = try store.stage()
        try staged.write(Array("staged in the store".utf8))
        #expect(try Delivery.deliver(staged.finish(), to: [inbox, other]).count == 2)
        #expect(
            try [inbox, other].map { try $0.text($0.snapshot().messages.last!.uid) }.allSatisfy {
                $0 == "staged in the store"
            })
        #expect(try AtRest(store: store, places: [.inbox, .bob]).violations() == [])
    }
}

/// Simulates a separate file system for each account.
private final class TwoFileSystems: SystemHook {
    func before(_ call: SystemCall) -> Errno? {
        switch call {
        case .link(let from, _, let to, _), .rename(let from, _, let to, _), .linkUnnamed(let from, let to, _):
            Self.isBob(from) == Self.isBob(to) ? nil : .crossDevice
        default: nil
        }
    }

    private static func isBob(_ fd: Int32) -> Bool {
        var target = [CChar](repeating: 0, count: 4096)
        guard readlink("/proc/self/fd/\(fd)", &target, 4095) > 0 else { return false }
        return String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).contains(
            "/bob/")
    }
}
