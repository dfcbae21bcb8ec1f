import Glibc
import ShardFS
import Testing

@testable import ShardIndex

/// The engine with its views in a real cache.
@Suite struct ViewTests {
    private static func append(_ mailbox: Mailbox, _ text: String) throws {
        _ = try mailbox.append(bytes: Array(text.utf8), flags: .seen)
    }

    private static func contents(_ mailbox: Mailbox) throws -> [MessageEntry] {
        var all: [MessageEntry] = []
        try mailbox.snapshot().messages.forEach { all.append($0) }
        return all
    }

    @Test func anOpeningFromTheCacheIsTheSame() throws {
        let scratch = try CacheScratch()
        let store = try CacheScratch()
        let address = scratch.address
        let name = try MailboxName("INBOX")
        func open(_ cache: ShardIndex?) throws -> (Store, Mailbox) {
            var options = StoreOptions()
            options.durability = .none
            options.viewCache = cache
            let opened = try Store.open(store.path, options: options)
            let account = try opened.createAccount(address)
            do { return (opened, try account.mailbox(name)) } catch {
                guard error.code == .notFound else { throw error }
            }
            try account.create(name)
            return (opened, try account.mailbox(name))
        }
        var expected: [MessageEntry] = []
        for damage in [DamageTests.Damage?.none] + DamageTests.Damage.allCases.filter({ $0 != .directoryInstead }) {
            let index = scratch.index()
            let (opened, mailbox) = try open(index)
            scratch.storeID = opened.id
            #expect(try Self.contents(mailbox) == expected)
            for i in 0..<50 { try Self.append(mailbox, "message \(i)") }
            _ = try mailbox.changeFlags([UID(3)], damage == .cut ? .remove([.seen]) : .add([.flagged]))
            expected = try Self.contents(mailbox)
            try opened.close()
            index.close()
            #expect(access(scratch.file(IndexFiles.data), F_OK) == 0 || damage != .none)
            #expect(try Self.contents(open(nil).1) == expected)
            if let damage, access(scratch.file(IndexFiles.data), F_OK) == 0 { DamageTests.apply(damage, scratch) }
        }
        #expect(try StoreCheck(root: store.path).run().errors.isEmpty)
    }
}
