import Glibc
import ShardFS
import Testing

@testable import ShardIndex

/// After any damage to the files, every value found is correct, the rest is missing, and the cache works again.
@Suite struct DamageTests {
    enum Damage: CaseIterable, Sendable {
        case randomPages, randomMeta, randomEverything, oneBit, cut, cutToNothing, cutToOddSize, removed
        case anotherFile, noState, randomState, emptyState, randomLock, noLock, directoryInstead, restoredCopy
    }

    static func random(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
    }

    static func apply(_ damage: Damage, _ scratch: CacheScratch) {
        let data = scratch.file(IndexFiles.data)
        let state = scratch.file(IndexFiles.state)
        let length = size(of: data)
        switch damage {
        case .randomPages: overwrite(data, at: 8192, random(length - 8192))
        case .randomMeta: overwrite(data, at: 0, random(8192))
        case .randomEverything: overwrite(data, at: 0, random(length))
        case .oneBit: overwrite(data, at: length - 100, [0x2f])
        case .cut: truncate(data, off_t(length / 2 / 4096 * 4096))
        case .cutToNothing: truncate(data, 0)
        case .cutToOddSize: truncate(data, 5000)
        case .removed: unlink(data)
        case .anotherFile:
            unlink(data)
            let fd = open(data, O_WRONLY | O_CREAT, 0o600)
            let bytes = random(length)
            precondition(write(fd, bytes, length) == length)
            close(fd)
        case .noState: unlink(state)
        case .randomState: overwrite(state, at: 0, random(StateRecord.size))
        case .emptyState: truncate(state, 0)
        case .randomLock: overwrite(scratch.file(IndexFiles.lock), at: 0, random(size(of: scratch.file("lock.mdb"))))
        case .noLock: unlink(scratch.file(IndexFiles.lock))
        case .directoryInstead:
            unlink(data)
            mkdir(data, 0o700)
        case .restoredCopy:
            // Restores a file like a backup program: the same bytes and modification time, another inode.
            let fd = open(data, O_RDONLY)
            let bytes = [UInt8](unsafeUninitializedCapacity: length) { out, count in
                count = pread(fd, out.baseAddress!, length, 0)
            }
            close(fd)
            unlink(data)
            let copy = open(data, O_WRONLY | O_CREAT, 0o600)
            precondition(write(copy, bytes, length) == length)
            close(copy)
        }
    }

    /// Checks that values under UIDs up to 600 are correct, and that the cache takes and finds new ones.
    static func expectUsable(_ account: AccountIndex, _ damage: Damage) {
        _ = account.found(1...600)
        if damage == .directoryInstead { return }
        for _ in 0..<3 where account.summary(CacheScratch.mailbox, uid: 5000) == nil {
            account.fill([5000])
        }
        #expect(account.summary(CacheScratch.mailbox, uid: 5000) == AccountIndex.text(5000))
        _ = account.found(1...600)
    }

    @Test(arguments: Damage.allCases) func whileClosed(_ damage: Damage) throws {
        let scratch = try CacheScratch()
        do {
            let index = scratch.index()
            try scratch.account(index).fill(1...600)
            index.close()
        }
        Self.apply(damage, scratch)
        let index = scratch.index()
        try Self.expectUsable(scratch.account(index), damage)
        index.close()
    }

    @Test(arguments: Damage.allCases) func whileOpen(_ damage: Damage) throws {
        let scratch = try CacheScratch()
        let index = scratch.index()
        let account = try scratch.account(index)
        account.fill(1...600)
        #expect(account.found(1...600).count == 600)
        // LMDB's shared memory cannot be guarded while it is in use.
        if damage == .randomLock { return }
        Self.apply(damage, scratch)
        Self.expectUsable(account, damage)
        index.close()
        let again = scratch.index()
        try Self.expectUsable(scratch.account(again), damage)
        again.close()
    }

    @Test(arguments: Damage.allCases) func afterADeath(_ damage: Damage) throws {
        let scratch = try CacheScratch()
        let child = try Child(scratch, firstUID: 1)
        try child.waitFor(300)
        child.kill()
        Self.apply(damage, scratch)
        let index = scratch.index()
        try Self.expectUsable(scratch.account(index), damage)
        index.close()
    }

    @Test func manyPlacesOfRandomBytes() throws {
        for seed in UInt64(1)...20 {
            let scratch = try CacheScratch()
            let index = scratch.index()
            let account = try scratch.account(index)
            account.fill(1...500)
            let place = Int(seed &* 7919) % (size(of: scratch.file(IndexFiles.data)) - 64)
            overwrite(scratch.file(IndexFiles.data), at: place, Self.random(64, seed: seed))
            Self.expectUsable(account, .randomPages)
        }
    }

    /// The checksum detects damage that the file's times do not show.
    @Test func aWrongValueIsMissing() throws {
        let scratch = try CacheScratch()
        let index = scratch.index()
        let account = try scratch.account(index)
        account.fill(1...10)
        let key = try #require(IndexKey.prefix(.summary, CacheScratch.mailbox.id, uidValidity: 7)) + [0, 0, 0, 5]
        let outcome = account.use(create: true) { environment in
            (
                (),
                environment.write { transaction in
                    // Stores a value the way put does, with the checksum of another key.
                    let other = key.dropLast() + [6]
                    let code = transaction.put(Array(other), [1, 2, 3])
                    return code != 0 ? code : transaction.copy(Array(other), to: key)
                }
            )
        }
        #expect(outcome?.1 == .good)
        #expect(account.summary(CacheScratch.mailbox, uid: 6) == [1, 2, 3])
        #expect(account.summary(CacheScratch.mailbox, uid: 5) == nil)
        #expect(scratch.messages.count == 1)
    }

    /// A cache found damaged repeatedly stays off, and answers like an empty one.
    @Test func aCacheThatIsAlwaysWrongStaysOff() throws {
        let scratch = try CacheScratch()
        let index = scratch.index()
        let account = try scratch.account(index)
        for _ in 0..<10 {
            account.fill(1...100)
            overwrite(scratch.file(IndexFiles.data), at: 20_000, Self.random(4096))
            _ = account.found(1...100)
            account.flush()
            if account.statistics.disabled != nil { break }
        }
        #expect(account.statistics.disabled != nil)
        account.fill(1...100)
        #expect(account.found(1...100) == [])
    }
}
