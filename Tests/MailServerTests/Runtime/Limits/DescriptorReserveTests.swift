import Primitives
import Testing

@testable import ServerRuntime

/// The count of open descriptors, and what is kept of them.
@Suite struct DescriptorReserveTests {
    private final class World: Sendable {
        let open = Locked(0)
        let counts = Locked(0)
        let time = Locked<Int64>(1)
        let reports = Locked<[String]>([])

        func reserve(_ limit: Int) -> DescriptorReserve {
            DescriptorReserve(
                limit: limit,
                count: { [self] in
                    counts.withLock { $0 += 1 }
                    return open.withLock { $0 }
                }, now: { [self] in time.withLock { $0 } },
                onShortage: { [self] text in reports.withLock { $0.append(text) } })
        }
    }

    @Test func isShortWithinTheReserve() {
        let world = World()
        let reserve = world.reserve(400)
        #expect(reserve.size == 100)
        for (open, isShort) in [(0, false), (299, false), (300, true), (400, true), (120, false)] {
            world.open.withLock { $0 = open }
            world.time.withLock { $0 += 1_000_000_000 }
            #expect(reserve.isShort == isShort, "\(open)")
        }
        #expect(world.reserve(1_000_000).size == 256)
    }

    /// A connection costs no count of thousands of descriptors, but those that may use up what is left do.
    @Test func countsRarely() {
        let world = World()
        let reserve = world.reserve(4_096)
        for _ in 0..<1_000 { _ = reserve.isShort }
        #expect(world.counts.withLock { $0 } == 1)
        world.open.withLock { $0 = 4_096 - 256 - 4 }
        world.time.withLock { $0 += 1_000_000_000 }
        for _ in 0..<10 { _ = reserve.isShort }
        #expect(world.counts.withLock { $0 } >= 4)
    }

    @Test func withoutALimitNothingIsKept() {
        let world = World()
        world.open.withLock { $0 = 1 << 40 }
        #expect(!world.reserve(0).isShort)
    }

    @Test func reportsNameTheLimitAndAreFew() {
        let world = World()
        let reserve = world.reserve(400)
        world.open.withLock { $0 = 390 }
        for _ in 0..<100 { reserve.reportPause("accept: EMFILE") }
        world.time.withLock { $0 += 60_000_000_000 }
        reserve.reportPause(nil)
        let reports = world.reports.withLock { $0 }
        #expect(reports.count == 2)
        #expect(reports[0].contains("390") && reports[0].contains("400") && reports[0].contains("EMFILE"))
    }

    @Test func theOpenOnesAreCounted() throws {
        let count = try #require(DescriptorReserve.openDescriptors())
        #expect(count > 2 && count < 1 << 20)
    }
}
