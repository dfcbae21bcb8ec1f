import Primitives
import TestSupport
import Testing

@Suite struct MonitorTests {
    @Test func aValueHasOneThreadAtATime() {
        let count = Locked(0)
        onThreads(4) { _ in for _ in 0..<10_000 { count.withLock { $0 += 1 } } }
        #expect(count.withLock { $0 } == 40_000)
    }

    @Test func aChangeWakesAllWhoWait() {
        let turn = Monitor(0)
        let order = Locked<[Int]>([])
        onThreads(4) { me in
            turn.wait { $0 == me ? true : nil }
            order.withLock { $0.append(me) }
            turn.change { $0 += 1 }
        }
        #expect(order.withLock { $0 } == [0, 1, 2, 3])
    }

    @Test func aConditionWakesThoseWhoWaitOnIt() {
        let conditions = [Condition(), Condition()]
        let turn = Monitor(0)
        onThreads(2) { me in
            for round in 0..<100 {
                turn.wait(on: conditions[me]) { $0 == 2 * round + me ? true : nil }
                turn.withLock { value in
                    value += 1
                    conditions[1 - me].wakeOne()
                }
            }
        }
        #expect(turn.withLock { $0 } == 200)
    }

    @Test func aDeadlineEndsTheWait() {
        let never = Monitor(false)
        let start = Clocks.monotonic()
        #expect(never.wait(until: start + 5_000_000) { $0 ? true : nil } == nil)
        #expect(Clocks.monotonic() >= start + 5_000_000)
        #expect(never.wait(until: 0) { _ in true } == true)
    }
}
