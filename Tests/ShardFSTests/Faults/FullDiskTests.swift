import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// Stores whose file system takes no writes, or has no room.
@Suite struct FullDiskTests {
    /// Every call that would write fails.
    private final class NoWrites: SystemHook {
        let error = Locked<Errno?>(nil)

        func before(_ call: SystemCall) -> Errno? {
            guard let error = error.withLock({ $0 }) else { return nil }
            switch call {
            case .open(_, _, let flags):
                // On a read-only file system none can be opened for writing; on a full one only none be made.
                let writes = flags & (O_WRONLY | O_RDWR) != 0
                return error == .readOnly ? (writes ? error : nil) : (flags & O_EXCL != 0 ? error : nil)
            case .openUnnamed, .makeDirectory, .link, .linkUnnamed, .rename: return error
            case .write, .writeAt, .unlink: return error == .readOnly ? error : nil
            default: return nil
            }
        }
    }

    private static func store(_ t: TestStore, _ hook: NoWrites, boot: String = "boot-1") throws -> Store {
        var options = t.options
        options.hook = hook
        options.bootID = boot
        return try Store.open(t.path, options: options)
    }

    private static func filled() throws -> TestStore {
        var options = StoreOptions()
        options.bootID = "boot-1"
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        try inbox.append("one", .seen)
        try inbox.append("two")
        _ = try t.mailbox("Sent")
        return t
    }

    @Test(arguments: [Errno.readOnly, .noSpace, .quota]) func storeIsOpened(_ error: Errno) throws {
        let t = try Self.filled()
        let hook = NoWrites()
        hook.error.withLock { $0 = error }
        let store = try Self.store(t, hook)
        #expect(store.isReadOnly == (error == .readOnly))
        let account = try store.account(AccountAddress(parsing: "alice@example.com"))
        #expect(try account.list().map(\.name.description) == ["INBOX", "Sent"])
        #expect(try account.mailbox(.inbox).contents() == ["1:S", "2:"])
        #expect(try account.mailbox(.inbox).text(UID(2)) == "two")
    }

    /// It turns read-only under a running process, which has opened some of the mailboxes.
    @Test(arguments: [false, true]) func listsOnAFileSystemThatTurnedReadOnly(_ isOpen: Bool) throws {
        let t = try Self.filled()
        let hook = NoWrites()
        let account = try Self.store(t, hook).account(AccountAddress(parsing: "alice@example.com"))
        if isOpen { _ = try account.mailbox(.inbox).snapshot() }
        hook.error.withLock { $0 = .readOnly }
        #expect(try account.list().map(\.name.description) == ["INBOX", "Sent"])
        #expect(try account.subscriptions().map(\.description).sorted() == ["INBOX", "Sent"])
        #expect(try account.mailbox(.inbox).contents() == ["1:S", "2:"])
    }

    /// After a restart of the machine, with no room for the recovery.
    @Test(arguments: [Errno.readOnly, .noSpace]) func mailboxIsReadWithoutRecovery(_ error: Errno) throws {
        let t = try Self.filled()
        let next = try t.mailbox().snapshot().uidNext
        let hook = NoWrites()
        let store = try Self.store(t, hook, boot: "boot-2")
        hook.error.withLock { $0 = error }
        let account = try store.account(AccountAddress(parsing: "alice@example.com"))
        let inbox = try account.mailbox(.inbox)
        #expect(try inbox.contents() == ["1:S", "2:"])
        #expect(try inbox.text(UID(1)) == "one")
        let shown = try inbox.snapshot().uidNext
        #expect(shown >= next)
        let readOnly = StoreError(.readOnly, "")
        #expect(throws: readOnly) { try inbox.takeRecent() }
        #expect(throws: readOnly) { try inbox.changeFlags([UID(1)], .add(.flagged)) }
        // Room comes: the next opening recovers.
        hook.error.withLock { $0 = nil }
        let again = try account.mailbox(.inbox)
        let uid = try again.append("three")
        #expect(uid >= shown)
        #expect(try again.snapshot().messages.count == 3)
        t.check()
    }

    @Test func newMountIsLikeANewBoot() throws {
        #expect(BootID.isSame("boot", "boot"))
        #expect(BootID.isSame("boot 1", "boot 1"))
        #expect(!BootID.isSame("boot 1", "boot 2"))
        #expect(!BootID.isSame("boot 1", "other 1"))
        #expect(!BootID.isSame(nil, "boot 1"))
        // Who cannot see the mount, or could not, knows of the boot alone.
        #expect(BootID.isSame("boot 1", "boot") && BootID.isSame("boot", "boot 1"))
        #expect(BootID.boot("boot 1") == "boot")
        let t = try Self.filled()
        try t.reopen { $0.bootID = "boot-1 7" }
        let epoch = try t.mailbox().readStatus().epoch
        #expect(try t.mailbox().readStatus().boots["local"] == "boot-1")
        _ = try t.mailbox().locked(exclusive: true) { () throws(StoreError) in }
        try t.mailbox().compact()
        #expect(try t.mailbox().readStatus().epoch == epoch)
    }

    @Test func mailboxIsRecoveredUnderANewMount() throws {
        var options = StoreOptions()
        options.bootID = "boot-1 7"
        let t = try TestStore(options)
        try t.mailbox().append("one")
        let epoch = try t.mailbox().readStatus().epoch
        try t.reopen()
        #expect(try t.mailbox().readStatus().epoch == epoch)
        try t.reopen { $0.bootID = "boot-1 8" }
        #expect(try t.mailbox().readStatus().epoch != epoch)
        #expect(try t.mailbox().contents() == ["1:"])
        t.check()
    }
}

/// Removal on a full disk, and what keeps it from filling.
@Suite struct DiskRoomTests {
    /// Calls that take room fail as long as the reserve is there.
    private final class FullUntilReserveGoes: SystemHook {
        let isFull = Locked(false)

        func before(_ call: SystemCall) -> Errno? {
            guard isFull.withLock({ $0 }) else { return nil }
            switch call {
            case .unlink(_, let path, _):
                if path.hasPrefix(DiskRoom.reserveName) { isFull.withLock { $0 = false } }
                return nil
            case .write, .makeDirectory, .openUnnamed: return .noSpace
            case .open(_, _, let flags): return flags & O_EXCL != 0 ? .noSpace : nil
            default: return nil
            }
        }
    }

    private static func filled(_ hook: any SystemHook) throws -> TestStore {
        var options = StoreOptions()
        options.hook = hook
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        for text in ["one", "two", "three"] { try inbox.append(text) }
        _ = try t.mailbox("Trash")
        try t.store.maintain()
        return t
    }

    @Test(arguments: ["deleted", "expunge", "remove", "move"]) func removalUsesTheReserve(_ way: String) throws {
        let hook = FullUntilReserveGoes()
        let t = try Self.filled(hook)
        let (inbox, trash) = (try t.mailbox(), try t.mailbox("Trash"))
        #expect(access("\(t.path)/\(DiskRoom.reserveName)/data", F_OK) == 0)
        if way == "expunge" { _ = try inbox.changeFlags([UID(1), UID(2)], .add(.deleted)) }
        hook.isFull.withLock { $0 = true }
        // Nothing else may have it.
        #expect(throws: StoreError(.noSpace, "")) { try inbox.changeFlags([UID(3)], .add(.flagged)) }
        #expect(hook.isFull.withLock { $0 })
        switch way {
        case "deleted": #expect(try inbox.changeFlags([UID(1), UID(2)], .add(.deleted)).changed.count == 2)
        case "expunge": #expect(try inbox.expunge() == [UID(1), UID(2)])
        case "remove": #expect(try inbox.remove([UID(1), UID(2)]) == [UID(1), UID(2)])
        default: #expect(try inbox.move([UID(1), UID(2)], to: trash).copied.count == 2)
        }
        #expect(!hook.isFull.withLock { $0 })
        #expect(try inbox.snapshot().messages.count == (way == "deleted" ? 3 : 1))
        // It is made again when there is room.
        try t.store.maintain()
        #expect(access("\(t.path)/\(DiskRoom.reserveName)/63", F_OK) == 0)
        t.check()
    }

    @Test func belowTheFloorNothingComesAndTheOldestGoes() throws {
        let free = Locked<UInt64>(1 << 30)
        let hour = Locked<Int64>(1_700_000_000)
        let notices = Locked<[String]>([])
        var options = StoreOptions()
        options.minimumFreeBytes = 100 << 20
        options.clock = { hour.withLock { $0 } }
        options.notice = { text in notices.withLock { $0.append(text) } }
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        for text in ["one", "two", "three"] { try inbox.append(text) }
        _ = try inbox.remove([UID(1)])
        hour.withLock { $0 += 3600 }
        _ = try inbox.remove([UID(2)])
        let (older, newer) = (try inbox.recoverableMessages()[0], try inbox.recoverableMessages()[1])
        // Room comes with the first hour that is purged.
        let directory = try t.directory() + "/.expunged/\(older.hour)"
        try t.reopen {
            $0.space = {
                let bytes = access(directory, F_OK) == 0 ? free.withLock { $0 } : 1 << 30
                return DiskSpace(freeBytes: bytes, totalBytes: 1 << 40, freeFiles: 1 << 20, totalFiles: 1 << 20)
            }
        }
        let again = try t.mailbox()
        free.withLock { $0 = 10 << 20 }
        try again.append("purged for it")
        #expect(try again.recoverableMessages() == [newer])
        #expect(notices.withLock { $0.contains { $0.contains(older.hour) } })
        t.check()
    }

    @Test func belowTheFloorMailIsRefusedAndRemovalGoesOn() throws {
        let files = Locked<UInt64>(5)
        var options = StoreOptions()
        options.minimumFreeFiles = 1000
        let t = try TestStore(options)
        try t.mailbox().append("one")
        try t.mailbox("Sent").append("two")
        try t.reopen {
            $0.space = { DiskSpace(freeBytes: 1, totalBytes: 1, freeFiles: files.withLock { $0 }, totalFiles: 1 << 20) }
        }
        let (inbox, sent) = (try t.mailbox(), try t.mailbox("Sent"))
        let full = StoreError(.noSpace, "")
        #expect(throws: full) { try inbox.append("three") }
        #expect(throws: full) { try inbox.copy([UID(1)], to: sent) }
        #expect(throws: full) { try t.store.stage() }
        _ = try inbox.changeFlags([UID(1)], .add(.deleted))
        #expect(try inbox.move([UID(1)], to: sent).copied.count == 1)
        #expect(try sent.expunge().count == 1)
        try t.account().delete(MailboxName("Sent"))
        // A small file system has a small floor.
        #expect(
            !DiskRoom(
                system: SystemCalls(), root: t.store.rootDirectory,
                options: {
                    var small = options
                    small.space = { DiskSpace(freeBytes: 1, totalBytes: 1, freeFiles: 30, totalFiles: 1000) }
                    return small
                }()
            ).isLow)
        t.check()
    }
}
