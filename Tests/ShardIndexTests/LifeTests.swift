import Glibc
import Primitives
import ShardFS
import Testing

@testable import ShardIndex

/// Closing, restarts, other stores, limits, several processes.
@Suite struct LifeTests {
    @Test func aCleanCloseIsKept() throws {
        let scratch = try CacheScratch()
        for boot in ["first", "second", "third"] {
            let index = scratch.index { $0.bootID = boot }
            let account = try scratch.account(index)
            if boot != "first" { #expect(account.found(1...100).count == 100) }
            account.fill(1...100)
            index.close()
        }
        #expect(scratch.messages == [])
    }

    /// Not closed cleanly: good until the next reboot, discarded after it.
    @Test(arguments: [nil, "another boot"]) func aCacheThatWasNotClosed(_ boot: String?) throws {
        let scratch = try CacheScratch()
        let child = try Child(scratch, firstUID: 1, lastUID: 300)
        try child.waitFor(300)
        child.kill()
        let index = scratch.index { $0.bootID = boot }
        let account = try scratch.account(index)
        #expect(account.found(1...300).count == (boot == nil ? 300 : 0))
        account.fill(1...300)
        index.close()
        let again = scratch.index { $0.bootID = "a third" }
        #expect(try scratch.account(again).found(1...300).count == 300)
        again.close()
        #expect(scratch.messages == [])
    }

    @Test func aDeathLosesNothingThatWasWritten() throws {
        let scratch = try CacheScratch()
        var first: UInt32 = 1
        var kept = 0
        for _ in 0..<8 {
            let child = try Child(scratch, firstUID: first)
            let reported = try child.waitFor(first + 300)
            child.kill()
            let index = scratch.index()
            let account = try scratch.account(index)
            let found = account.found(1...UInt32.max)
            // If it was killed between a commit and its record, everything is discarded; otherwise everything is there.
            #expect(found.isEmpty || found.count >= Int(reported - first) + kept)
            kept = found.count
            first = (found.last ?? reported) + 1
            account.fill([first])
            #expect(account.found(first...first) == [first])
            kept += 1
            first += 1
            index.close()
        }
    }

    @Test func anotherStoreAndAnotherAccount() throws {
        let scratch = try CacheScratch()
        let index = scratch.index()
        try scratch.account(index).fill(1...10)
        let other = try scratch.account(index, storeID: "another")
        #expect(other.found(1...10) == [])
        index.close()
        // Moved under another store's name by hand.
        #expect(rename("\(scratch.path)/\(CacheScratch.storeID)", "\(scratch.path)/third") == 0)
        let again = scratch.index()
        #expect(try scratch.account(again, storeID: "third").found(1...10) == [])
        let bob = try AccountAddress(parsing: "bob@example.com")
        #expect(again.account(storeID: "third", bob) != nil)
        for bad in ["", ".", "..", "a/b", "../x"] { #expect(again.account(storeID: bad, bob) == nil) }
        again.close()
    }

    @Test func aFullCacheBeginsAnew() throws {
        let scratch = try CacheScratch()
        let index = scratch.index { $0.maximumAccountBytes = 1 << 20 }
        let account = try scratch.account(index)
        for start in stride(from: UInt32(1), to: 20_000, by: 500) { account.fill(start..<start + 500) }
        #expect(account.statistics.recreated > 0)
        #expect(account.statistics.disabled == nil)
        _ = account.found(1...UInt32.max)
        account.fill([50_000])
        #expect(account.found(50_000...50_000) == [50_000])
        #expect(size(of: scratch.file(IndexFiles.data)) <= 1 << 20)
        index.close()
    }

    @Test func extractsLeaveRoomForSummaries() throws {
        let scratch = try CacheScratch()
        let index = scratch.index { $0.maximumAccountBytes = 2 << 20 }
        let account = try scratch.account(index)
        var uid: UInt32 = 1
        while size(of: scratch.file(IndexFiles.data)) <= 3 << 19 {
            account.fill(uid...uid + 99)
            uid += 100
        }
        account.putExtracts(CacheScratch.mailbox, (1..<uid).map { ($0, [UInt8](repeating: 1, count: 500)) })
        account.flush()
        #expect(account.statistics.recreated == 0)
        #expect(account.statistics.dropped == Int(uid - 1))
        #expect(account.found(1...uid).count == Int(uid - 1))
        index.close()
    }

    @Test func allTogetherAreBounded() throws {
        let scratch = try CacheScratch()
        let index = scratch.index {
            $0.maximumBytes = 4 << 20
            $0.maximumAccountBytes = 2 << 20
            $0.openAccounts = 3
        }
        for i in 0..<12 {
            let address = try AccountAddress(parsing: "user\(i)@example.com")
            let account = try #require(index.account(storeID: CacheScratch.storeID, address))
            account.fill(1...800)
            #expect(account.found(1...800).count == 800)
        }
        index.close()
        let total = IndexDirectory.accounts(in: scratch.path).reduce(0) { $0 + $1.bytes }
        #expect(total <= 5 << 20)
        #expect(total >= 1 << 20)
    }

    @Test func fewAreOpenAtOneTime() throws {
        let scratch = try CacheScratch()
        let index = scratch.index { $0.openAccounts = 2 }
        let accounts = try (0..<6).map {
            try #require(index.account(storeID: "s", AccountAddress(parsing: "user\($0)@example.com")))
        }
        for account in accounts { account.fill(1...10) }
        for account in accounts {
            // A cache that is being closed answers like an empty one.
            index.flush()
            #expect(account.found(1...10).count == 10)
        }
        index.flush()
        let open = accounts.filter { account in
            if case .open = account.state.withLock({ $0.phase }) { return true }
            return false
        }
        #expect(open.count <= 2)
        index.close()
        for account in accounts {
            account.fill([11])
            #expect(account.found(11...11) == [])
        }
    }

    @Test func droppedWhileOpenElsewhere() throws {
        let scratch = try CacheScratch()
        let one = scratch.index()
        let mine = try scratch.account(one)
        mine.fill(1...100)
        // Like `rmail index drop` beside a running server.
        let two = scratch.index()
        try scratch.account(two).drop()
        #expect(mine.found(1...100) == [])
        for _ in 0..<3 where mine.found(7...7) == [] { mine.fill([7]) }
        #expect(mine.found(1...100) == [7])
        mine.drop()
        #expect(mine.found(1...100) == [])
        #expect(access(scratch.directory, F_OK) != 0)
    }

    @Test func twoProcessesShareOne() throws {
        let scratch = try CacheScratch()
        let child = try Child(scratch, firstUID: 1_000_000)
        try child.waitFor(1_000_099)
        let index = scratch.index()
        let account = try scratch.account(index)
        for i in UInt32(1)...50 {
            account.fill(i * 100..<i * 100 + 100)
            #expect(account.found(i * 100...i * 100 + 99).count == 100)
        }
        let reported = try child.waitFor(1_000_500)
        #expect(account.found(1_000_000...reported).count == Int(reported - 999_999))
        #expect(scratch.messages == [])
        child.kill()
        // If it was killed between a commit and its record, the cache cannot be trusted and starts over; otherwise
        // nothing is missing.
        let isTrusted = account.found(1_000_000...reported).count == Int(reported - 999_999)
        #expect(scratch.messages.isEmpty == isTrusted)
        account.fill([1])
        #expect(account.found(1...1) == [1])
        index.close()
    }

    @Test func manyThreads() throws {
        let scratch = try CacheScratch()
        let index = scratch.index { $0.openAccounts = 2 }
        let accounts = try (0..<4).map {
            try #require(index.account(storeID: "s", AccountAddress(parsing: "user\($0)@example.com")))
        }
        let next = Monitor<UInt32>(0)
        let threads = (0..<8).map { _ in
            Thread {
                for i in 0..<50 {
                    let account = accounts[i % accounts.count]
                    let uid = next.withLock { n in
                        n += 1
                        return n
                    }
                    account.put(CacheScratch.mailbox, uid: uid, AccountIndex.text(uid))
                    _ = account.found(1...UInt32.max)
                    if i % 25 == 24 { account.close() }
                }
            }
        }
        for thread in threads { thread.join() }
        index.flush()
        #expect(scratch.messages == [])
        index.close()
        let again = scratch.index()
        var count = 0
        for i in 0..<4 {
            let account = try #require(
                again.account(storeID: "s", AccountAddress(parsing: "user\(i)@example.com")))
            count += account.found(1...UInt32.max).count
        }
        #expect(count == 400 - accounts.reduce(0) { $0 + $1.statistics.dropped })
        again.close()
    }

    @Test func aDirectoryThatCannotBeMade() throws {
        let scratch = try CacheScratch()
        let file = scratch.path + "/file"
        close(open(file, O_CREAT | O_WRONLY, 0o600))
        let index = ShardIndex(path: file + "/cache")
        let account = try scratch.account(index)
        account.fill(1...10)
        #expect(account.found(1...10) == [])
        account.drop()
        account.close()
        index.close()
    }
}
