import ShardFS
import Testing

@testable import ShardIndex

@Suite struct ValueTests {
    @Test func whatIsPutIsFound() throws {
        let scratch = try CacheScratch()
        let account = try scratch.account(scratch.index())
        #expect(account.summary(CacheScratch.mailbox, uid: 1) == nil)
        account.fill([1, 2, 3, 1000, 1001, 4_294_967_294])
        #expect(account.summary(CacheScratch.mailbox, uid: 1000) == AccountIndex.text(1000))
        #expect(account.found(1...UInt32.max) == [1, 2, 3, 1000, 1001, 4_294_967_294])
        #expect(account.found(2...1000) == [2, 3, 1000])
        #expect(account.found(4...999) == [])
        account.put(CacheScratch.mailbox, uid: 2, [1])
        account.flush()
        #expect(account.summary(CacheScratch.mailbox, uid: 2) == [1])
        #expect(scratch.messages == [])
    }

    static let lists: [[UInt32]] = [
        [], [1], [1, 2, 3], [4], [9, 10, 11], [10, 12, 14], [1, 10, 11, 12, 13, 20, 21], [5, 6, 7, 8, 30, 31],
        Array(1...40), [40, 41], [10, 20, 30], [30, 31, 40], [29, 30],
    ]

    @Test(arguments: lists) func chosenUIDs(_ wanted: [UInt32]) throws {
        let scratch = try CacheScratch()
        let account = try scratch.account(scratch.index())
        let kept: Set<UInt32> = [10, 11, 12, 14, 20, 30]
        account.fill(kept.sorted())
        var asked: [UInt32] = []
        account.forEach(CacheScratch.mailbox, uids: wanted) { uid, value in
            asked.append(uid)
            #expect((value != nil) == kept.contains(uid), "\(uid)")
            if let value { #expect(value.elementsEqual(AccountIndex.text(uid))) }
            return true
        }
        #expect(asked == wanted)
        let statistics = account.statistics
        #expect(statistics.hits == wanted.count { kept.contains($0) })
        #expect(statistics.misses == wanted.count { !kept.contains($0) })
    }

    @Test func theCallerEndsARead() throws {
        let scratch = try CacheScratch()
        let account = try scratch.account(scratch.index())
        account.fill(1...10)
        var seen: [UInt32] = []
        account.forEach(CacheScratch.mailbox, uids: Array(1...10)) { uid, _ in
            seen.append(uid)
            return uid < 4
        }
        account.forEach(CacheScratch.mailbox, in: 5...10) { uid, _ in
            seen.append(uid)
            return uid < 6
        }
        #expect(seen == [1, 2, 3, 4, 5, 6])
    }

    @Test func mailboxesAndUIDValiditiesDoNotMeet() throws {
        let scratch = try CacheScratch()
        let account = try scratch.account(scratch.index())
        let id = CacheScratch.mailbox.id
        let keys = [
            MailboxKey(id: id, uidValidity: 7), MailboxKey(id: id, uidValidity: 8), MailboxKey(id: "a", uidValidity: 7),
            MailboxKey(id: "aS", uidValidity: 7), MailboxKey(id: "b", uidValidity: 0),
        ]
        for (i, key) in keys.enumerated() { account.put(key, uid: 5, [UInt8(i)]) }
        account.flush()
        for (i, key) in keys.enumerated() {
            #expect(account.summary(key, uid: 5) == [UInt8(i)])
            var uids: [UInt32] = []
            account.forEach(key, in: 1...UInt32.max) { uid, _ in
                uids.append(uid)
                return true
            }
            #expect(uids == [5])
        }
        account.removeMailbox(id: id)
        account.flush()
        #expect(keys.map { account.summary($0, uid: 5) != nil } == [false, false, true, true, true])
        // These do not fit into a key.
        for id in ["", String(repeating: "x", count: 256)] {
            account.put(MailboxKey(id: id, uidValidity: 1), uid: 1, [1])
            account.flush()
            #expect(account.summary(MailboxKey(id: id, uidValidity: 1), uid: 1) == nil)
        }
    }

    @Test func removal() throws {
        let scratch = try CacheScratch()
        let account = try scratch.account(scratch.index())
        account.fill(1...5000)
        account.remove(CacheScratch.mailbox, uids: [1, 3, 9999])
        account.flush()
        #expect(account.found(1...5) == [2, 4, 5])
        #expect(account.statistics.entries == 4998)
        // More than one transaction removes.
        account.removeMailbox(id: CacheScratch.mailbox.id)
        account.flush()
        #expect(account.statistics.entries == 0)
    }

    @Test func extractsStandBesideSummaries() throws {
        let scratch = try CacheScratch()
        let account = try scratch.account(scratch.index { $0.maximumValueBytes = 1_000 })
        account.fill(1...4)
        account.putExtracts(CacheScratch.mailbox, (2...9).map { ($0, [UInt8($0)]) })
        account.putExtracts(CacheScratch.mailbox, [(10, [UInt8](repeating: 1, count: 1_001))])
        account.flush()
        func extracts() -> [UInt32: [UInt8]] {
            var found: [UInt32: [UInt8]] = [:]
            account.forEachExtract(CacheScratch.mailbox, uids: [1, 2, 3, 5, 8, 10]) { uid, bytes in
                found[uid] = bytes.map { Array($0) }
                return true
            }
            return found
        }
        #expect(extracts() == [2: [2], 3: [3], 5: [5], 8: [8]])
        #expect(account.found(1...10) == [1, 2, 3, 4])
        #expect(account.statistics.dropped == 1)
        account.remove(CacheScratch.mailbox, uids: [3, 8])
        account.flush()
        #expect(extracts() == [2: [2], 5: [5]])
        #expect(account.found(1...10) == [1, 2, 4])
        account.removeMailbox(id: CacheScratch.mailbox.id)
        account.flush()
        #expect(extracts().isEmpty)
        #expect(account.statistics.entries == 0)
    }

    @Test func valuesOfEverySize() throws {
        let scratch = try CacheScratch()
        let account = try scratch.account(scratch.index { $0.maximumValueBytes = 100_000 })
        let sizes = [0, 1, 3, 4, 2000, 2048, 4096, 65_536, 100_000]
        for (i, size) in sizes.enumerated() {
            account.put(CacheScratch.mailbox, uid: UInt32(i + 1), [UInt8](repeating: UInt8(i), count: size))
        }
        account.put(CacheScratch.mailbox, uid: 99, [UInt8](repeating: 0, count: 100_001))
        account.flush()
        for (i, size) in sizes.enumerated() {
            #expect(
                account.summary(CacheScratch.mailbox, uid: UInt32(i + 1)) == [UInt8](repeating: UInt8(i), count: size))
        }
        #expect(account.summary(CacheScratch.mailbox, uid: 99) == nil)
        #expect(account.statistics.dropped == 1)
    }

    @Test func aFullQueueDropsAndCounts() throws {
        let scratch = try CacheScratch()
        let account = try scratch.account(scratch.index { $0.maximumWaitingBytes = 10_000 })
        for uid in UInt32(1)...10_000 { account.put(CacheScratch.mailbox, uid: uid, AccountIndex.text(uid)) }
        account.flush()
        let statistics = account.statistics
        #expect(statistics.dropped > 0)
        #expect(statistics.entries == 10_000 - statistics.dropped)
        #expect(account.found(1...UInt32.max).count == statistics.entries)
    }
}
