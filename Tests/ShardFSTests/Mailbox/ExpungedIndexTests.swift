import DurableFiles
import Glibc
import Primitives
import Testing

@testable import ShardFS

@Suite struct ExpungedIndexTests {
    /// Counts the bytes of directory listings.
    private final class ListHook: SystemHook {
        private let listed = Locked(0)
        var bytes: Int { listed.withLock { $0 } }
        func before(_ call: SystemCall) -> Errno? { nil }
        func after(_ call: SystemCall, result: Int) {
            if case .list = call { listed.withLock { $0 += result } }
        }
    }

    /// Bytes listed to open `count` messages that were expunged; by the mailbox's own process or by another.
    private func work(_ count: Int, byAnother: Bool) throws -> Int {
        let hook = ListHook()
        var options = StoreOptions()
        options.durability = .none
        options.hook = hook
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        var uids: [UID] = []
        for number in 1...count { uids.append(try inbox.append("message \(number)")) }
        let second = try TestStore.second(t)
        let address = try AccountAddress(parsing: "alice@example.com")
        let other = byAnother ? try second.account(address).mailbox(.inbox) : inbox
        let entries = uids.compactMap { try? inbox.snapshot().messages.entry(of: $0) }
        #expect(try other.remove(uids).count == count)
        let before = hook.bytes
        for (number, uid) in uids.enumerated() { #expect(try inbox.text(uid) == "message \(number + 1)") }
        for entry in entries { _ = try inbox.internalDate(of: entry) }
        let work = hook.bytes - before
        t.check()
        return work
    }

    /// A listing for each of them would cost the square.
    @Test(arguments: [false, true]) func openingWhatWasExpungedIsLinear(byAnother: Bool) throws {
        let (some, twice) = (try work(300, byAnother: byAnother), try work(600, byAnother: byAnother))
        #expect(twice <= 3 * some, "\(some) and \(twice)")
        #expect(twice < 600 * 600)
    }

    @Test func expungesFlagsAndPurgesOfOthersAreSeen() throws {
        let t = try TestStore()
        let inbox = try t.mailbox()
        let uids = try (1...4).map { try inbox.append("message \($0)") }
        let address = try AccountAddress(parsing: "alice@example.com")
        let other = try TestStore.second(t).account(address).mailbox(.inbox)
        for (number, uid) in uids.enumerated() {
            _ = try other.changeFlags([uid], .add(.flagged))
            #expect(try inbox.text(uid) == "message \(number + 1)", "renamed")
            _ = try other.remove([uid])
            #expect(try inbox.text(uid) == "message \(number + 1)", "expunged")
        }
        #expect(try other.purgeExpunged(before: "9999010100") == 4)
        for uid in uids { #expect(throws: StoreError(.notFound, "")) { try inbox.open(uid) } }
        t.check()
    }
}
