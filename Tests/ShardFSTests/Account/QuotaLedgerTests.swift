import DurableFiles
import Primitives
import TestSupport
import Testing

@testable import ShardFS

@Suite struct QuotaLedgerTests {
    private func ledger(_ scratch: AccountScratch, boot: String = "boot-1", system: SystemCalls? = nil) -> QuotaLedger {
        QuotaLedger(
            system: system ?? scratch.system, directory: scratch.directory, bootID: boot, lockWait: 20_000_000_000)
    }

    private func usage(_ bytes: UInt64, _ messages: UInt64, exact: Bool = true) -> QuotaLedger.Usage {
        QuotaLedger.Usage(bytes: bytes, messages: messages, isExact: exact)
    }

    @Test func refusesByTheNumberOfMessages() throws {
        let scratch = try AccountScratch()
        let quota = ledger(scratch)
        let three = QuotaLimits(bytes: 0, messages: 3)
        #expect(try quota.reserve(bytes: 1, messages: 1, limits: three) == .needsRecount)
        try quota.set(bytes: 0, messages: 1)
        #expect(try quota.reserve(bytes: 1 << 40, messages: 2, limits: three) == .granted)
        #expect(try quota.reserve(bytes: 0, messages: 1, limits: three) == .overQuota)
        #expect(try quota.reserve(bytes: 0, messages: .max, limits: three) == .overQuota)
        #expect(try quota.reserve(bytes: 1, messages: 1, limits: QuotaLimits(bytes: 5, messages: 9)) == .overQuota)
        #expect(try quota.usage() == usage(1 << 40, 3))
        try quota.release(bytes: 1, messages: 1)
        #expect(try quota.reserve(bytes: 1, messages: 1, limits: three) == .granted)
        try quota.markRecount()
        #expect(try quota.reserve(bytes: 1, messages: 1, limits: three) == .needsRecount)
    }

    @Test func countsAndRefuses() throws {
        let scratch = try AccountScratch()
        let quota = ledger(scratch)
        #expect(try quota.reserve(bytes: 1, messages: 1, limits: .bytes(100)) == .needsRecount)
        try quota.set(bytes: 0, messages: 0)
        #expect(try quota.reserve(bytes: 60, messages: 1, limits: .bytes(100)) == .granted)
        #expect(try quota.reserve(bytes: 41, messages: 1, limits: .bytes(100)) == .overQuota)
        #expect(try quota.reserve(bytes: 40, messages: 2, limits: .bytes(100)) == .granted)
        #expect(try quota.usage() == usage(100, 3))
        #expect(try quota.reserve(bytes: 1, messages: 1, limits: .none) == .granted)
        try quota.release(bytes: 61, messages: 2)
        #expect(try quota.usage() == usage(40, 2))
        #expect(try quota.reserve(bytes: .max, messages: 1, limits: .bytes(100)) == .overQuota)
        #expect(throws: StoreError(.invalidArgument, "")) { try quota.reserve(bytes: 1, messages: -1, limits: .none) }
        #expect(throws: StoreError(.invalidArgument, "")) { try quota.release(bytes: 1, messages: .min) }
        #expect(try quota.usage() == usage(40, 2))
    }

    @Test func oneLineOfFixedWidth() throws {
        let scratch = try AccountScratch()
        let quota = ledger(scratch, boot: "4b0f1e6a-51b4-4b8f-9a57-7f3c41a1a8a9")
        try quota.set(bytes: 1234, messages: 5)
        let open = try #require(try scratch.read("quota.ledger"))
        #expect(
            open.dropLast(9)
                == "quota 1 00000000000000001234 00000000000000000005 open    4b0f1e6a-51b4-4b8f-9a57-7f3c41a1a8a9 ")
        #expect(open.utf8.count == QuotaLine.count)
        #expect(open.hasSuffix("\n"))
        try quota.close()
        #expect(try scratch.read("quota.ledger")?.contains("00000000000000000005 clean   4b0f") == true)
    }

    @Test func aMarkedLedgerGrantsWhatFitsAndAsksForARecountElse() throws {
        let scratch = try AccountScratch()
        let quota = ledger(scratch)
        try quota.set(bytes: 50, messages: 5)
        try quota.markRecount()
        #expect(try quota.needsRecount)
        #expect(try quota.reserve(bytes: 10, messages: 1, limits: .bytes(100)) == .granted)
        #expect(
            try quota.reserve(bytes: 41, messages: 1, limits: .bytes(100)) == .needsRecount)
        #expect(try quota.usage() == usage(60, 6, exact: false))
        try quota.close()
        #expect(try ledger(scratch).needsRecount)
        try quota.set(bytes: 20, messages: 2)
        #expect(try quota.reserve(bytes: 81, messages: 1, limits: .bytes(100)) == .overQuota)
    }

    @Test(arguments: [(11, 0), (0, 2), (.max, 1)] as [(UInt64, Int)])
    func neverBelowZero(_ row: (UInt64, Int)) throws {
        let scratch = try AccountScratch()
        let quota = ledger(scratch)
        try quota.set(bytes: 10, messages: 1)
        try quota.release(bytes: row.0, messages: row.1)
        #expect(try quota.usage() == usage(.max, .max, exact: false))
        // It was too low once, so no message is known to fit, not even a small one; without a limit mail is still
        // accepted.
        #expect(
            try quota.reserve(bytes: 1, messages: 1, limits: .bytes(1 << 40)) == .needsRecount)
        #expect(try quota.reserve(bytes: 1, messages: 1, limits: .none) == .granted)
        try quota.release(bytes: 1, messages: 1)
        try quota.set(bytes: 3, messages: 1)
        #expect(try quota.usage() == usage(3, 1))
    }

    @Test func aRestartWithoutCloseIsUnknownAndWithCloseIsNot() throws {
        let scratch = try AccountScratch()
        let first = ledger(scratch)
        try first.set(bytes: 10, messages: 1)
        #expect(try ledger(scratch).usage() == usage(10, 1))
        #expect(try ledger(scratch, boot: "boot-2").usage() == usage(.max, .max, exact: false))
        #expect(
            try ledger(scratch, boot: "boot-2").reserve(
                bytes: 1, messages: 1, limits: .bytes(100)) == .needsRecount)
        try first.close()
        let second = ledger(scratch, boot: "boot-2")
        #expect(try second.reserve(bytes: 5, messages: 1, limits: .bytes(100)) == .granted)
        #expect(try second.usage() == usage(15, 2))
        #expect(try ledger(scratch).needsRecount)
        #expect(try !second.needsRecount)
    }

    @Test func damagedLedgersAreUnknownAndMendedBySet() throws {
        let scratch = try AccountScratch()
        let quota = ledger(scratch)
        try quota.set(bytes: 12, messages: 3)
        let good = Array(try #require(try scratch.read("quota.ledger")).utf8)
        // Every byte of the line matters.
        for index in good.indices {
            var bad = good
            bad[index] = bad[index] == 0x31 ? 0x32 : 0x31
            try scratch.write(String(decoding: bad, as: UTF8.self), to: "quota.ledger")
            #expect(try ledger(scratch).usage() == usage(.max, .max, exact: false), "byte \(index)")
        }
        let text = String(decoding: good, as: UTF8.self)
        for bad in ["", "12\n", String(text.dropLast()), "x" + text, String(repeating: "9", count: 5000)] {
            try scratch.write(bad, to: "quota.ledger")
            let quota = ledger(scratch)
            #expect(try quota.needsRecount)
            try quota.set(bytes: 7, messages: 1)
            #expect(try quota.usage() == usage(7, 1))
            #expect(try ledger(scratch).usage() == usage(7, 1))
        }
        try scratch.write(text + "rest", to: "quota.ledger")
        #expect(try ledger(scratch).usage() == usage(12, 3))
        try scratch.system.unlink(scratch.directory, "quota.ledger")
        try scratch.makeDirectory("quota.ledger")
        #expect(throws: StoreError(.damaged, "")) { try ledger(scratch).usage() }
    }

    @Test func strangeBootIDsAreReportedApart() throws {
        let scratch = try AccountScratch()
        let long = String(repeating: "b", count: 200)
        let ids = ["", "a", "a ", "ä", "ö", long, long + "x", "a\n"]
        for id in ids {
            try ledger(scratch, boot: id).set(bytes: 1, messages: 1)
            for other in ids {
                #expect(try ledger(scratch, boot: other).needsRecount == (other != id), "\(id) \(other)")
            }
        }
    }

    @Test func readOnlyReadsAndWritesNothing() throws {
        let scratch = try AccountScratch()
        let reader = QuotaLedger(
            system: scratch.system, directory: scratch.directory, bootID: "boot-1", readOnly: true)
        #expect(try reader.usage() == usage(.max, .max, exact: false))
        #expect(try scratch.read("quota.ledger") == nil)
        try ledger(scratch).set(bytes: 9, messages: 2)
        #expect(try reader.usage() == usage(9, 2))
        #expect(throws: StoreError(.readOnly, "")) { try reader.reserve(bytes: 1, messages: 1, limits: .none) }
        try reader.close()
    }

    // MARK: durability

    @Test func theCleanMarkIsGoneFromTheDiskBeforeTheFirstChange() throws {
        let scratch = try AccountScratch()
        let recorder = LedgerRecorder()
        let quota = ledger(scratch, system: SystemCalls(hook: recorder))
        try quota.set(bytes: 10, messages: 1)
        try quota.close()
        recorder.forget()
        _ = try quota.reserve(bytes: 5, messages: 1, limits: .none)
        _ = try quota.reserve(bytes: 5, messages: 1, limits: .none)
        try quota.release(bytes: 20, messages: 3)
        // The old numbers marked open and synced; then changes without a sync.
        #expect(recorder.events == ["10 open", "sync", "15 open", "20 open", "0 open"])
        recorder.forget()
        _ = try quota.usage()
        #expect(recorder.events.isEmpty)
        try quota.close()
        try quota.close()
        #expect(recorder.events == ["0 clean", "sync"])
    }

    @Test func aFailedSyncLeavesTheMarkToBeTakenAwayAgain() throws {
        let scratch = try AccountScratch()
        let recorder = LedgerRecorder()
        let quota = ledger(scratch, system: SystemCalls(hook: recorder))
        try quota.set(bytes: 10, messages: 1)
        recorder.failSyncs(true)
        #expect(throws: StoreError(.system, "")) { try quota.close() }
        #expect(try quota.usage() == usage(10, 1))
        #expect(try ledger(scratch, boot: "boot-2").needsRecount)
        recorder.failSyncs(false)
        try quota.close()
        recorder.failSyncs(true)
        #expect(throws: StoreError(.system, "")) { try quota.reserve(bytes: 1, messages: 1, limits: .none) }
        recorder.failSyncs(false)
        recorder.forget()
        #expect(try quota.reserve(bytes: 1, messages: 1, limits: .none) == .granted)
        #expect(recorder.events == ["10 open", "sync", "11 open"])
    }

    @Test func aSharedStoreSyncsEachChange() throws {
        let scratch = try AccountScratch()
        let recorder = LedgerRecorder()
        let quota = QuotaLedger(
            system: SystemCalls(hook: recorder), directory: scratch.directory, bootID: "shared", syncsEachChange: true)
        try quota.set(bytes: 1, messages: 1)
        _ = try quota.reserve(bytes: 1, messages: 1, limits: .none)
        #expect(recorder.events == ["1 open", "sync", "2 open", "sync"])
    }

    // MARK: many at once

    @Test func exactAmongProcessesAndNeverPastTheLimit() throws {
        let scratch = try AccountScratch()
        try ledger(scratch).set(bytes: 0, messages: 0)
        let limit: UInt64 = 2000
        let kept = Locked((bytes: UInt64(0), messages: UInt64(0), refused: 0, failed: 0, highest: UInt64(0)))
        onThreads(6) { index in
            // Separate objects and thus separate descriptors: to flock, threads with these are processes.
            let quota = ledger(scratch)
            var random = SeededGenerator(seed: UInt64(index))
            var mine: [UInt64] = []
            var refused = 0
            var failed = 0
            var highest: UInt64 = 0
            for _ in 0..<250 {
                do {
                    if random.below(3) == 0, let size = mine.popLast() {
                        try quota.release(bytes: size, messages: 1)
                    } else {
                        let size = UInt64(random.below(60))
                        switch try quota.reserve(
                            bytes: size, messages: 1, limits: .bytes(limit))
                        {
                        case .granted: mine.append(size)
                        case .overQuota: refused += 1
                        case .needsRecount: failed += 1
                        }
                    }
                    highest = max(highest, try quota.usage().bytes)
                } catch { failed += 1 }
            }
            kept.withLock {
                $0.bytes += mine.reduce(0, +)
                $0.messages += UInt64(mine.count)
                $0.refused += refused
                $0.failed += failed
                $0.highest = max($0.highest, highest)
            }
        }
        let sum = kept.withLock { $0 }
        #expect(try ledger(scratch).usage() == usage(sum.bytes, sum.messages))
        #expect(sum.failed == 0)
        #expect(sum.refused > 0)
        #expect(sum.highest <= limit)
    }

    @Test func descriptorsArePooledAndClosed() throws {
        let scratch = try AccountScratch()
        do {
            let quota = ledger(scratch)
            try quota.set(bytes: 0, messages: 0)
            onThreads(8) { _ in for _ in 0..<20 { _ = try? quota.reserve(bytes: 1, messages: 1, limits: .none) } }
            #expect(try quota.usage() == usage(160, 160))
            #expect((1...4).contains(scratch.openDescriptors().count))
            try quota.close()
            #expect(scratch.openDescriptors().isEmpty)
            _ = try quota.usage()
        }
        #expect(scratch.openDescriptors().isEmpty)
    }

    @Test func busyAtTheDeadline() throws {
        let scratch = try AccountScratch()
        try ledger(scratch).set(bytes: 0, messages: 0)
        let held = try LockFile.acquire(scratch.system, in: scratch.directory, "quota.ledger", until: 0)
        let quota = QuotaLedger(
            system: scratch.system, directory: scratch.directory, bootID: "boot-1", lockWait: 2_000_000)
        #expect(throws: StoreError(.busy, "")) { try quota.usage() }
        held.release()
        #expect(try quota.usage() == usage(0, 0))
    }
}

/// Records the ledger's effects on the disk: each line written, as "bytes state", and each sync.
final class LedgerRecorder: SystemHook {
    private let state = Locked((events: [String](), fails: false))

    var events: [String] { state.withLock { $0.events } }
    func forget() { state.withLock { $0.events = [] } }
    func failSyncs(_ fail: Bool) { state.withLock { $0.fails = fail } }

    func before(_ call: SystemCall) -> Errno? {
        switch call {
        case .writeAt(_, let bytes, _):
            let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
            state.withLock { $0.events.append("\(UInt64(fields[2]) ?? .max) \(fields[4])") }
            return nil
        case .sync, .syncData:
            return state.withLock {
                $0.events.append("sync")
                return $0.fails ? .io : nil
            }
        default: return nil
        }
    }
}

extension QuotaLimits {
    fileprivate static func bytes(_ bytes: UInt64) -> Self { Self(bytes: bytes, messages: 0) }
}
