import Testing

@testable import ServerRuntime

@Suite struct TurnQueueTests {
    private typealias Queue = TurnQueue<String>

    /// Takes all that may have a turn.
    private func drain(_ queue: inout Queue, long: Bool = true, except: String? = nil) -> [String] {
        var taken: [String] = []
        while let next = queue.popFirst(long: long, where: { account, _ in account != except.map { .named($0) } }) {
            taken.append(next.element)
        }
        return taken
    }

    private func queue(_ waiting: [(account: String, connection: UInt64, isLong: Bool)]) -> Queue {
        var queue = Queue()
        for (id, place) in waiting.enumerated() {
            queue.append(
                "\(place.account)\(place.connection)", id: UInt64(id),
                at: .init(account: .named(place.account), connection: place.connection, isLong: place.isLong))
        }
        return queue
    }

    @Test func accountsTakeTurnsThenConnections() {
        var queue = queue([
            ("a", 1, false), ("a", 1, false), ("a", 2, false), ("a", 2, false), ("b", 3, false), ("c", 4, false),
            ("b", 3, false),
        ])
        #expect(drain(&queue) == ["a1", "b3", "c4", "a2", "b3", "a1", "a2"])
        #expect(queue.count == 0)
    }

    @Test func shortWorkGoesFirst() {
        var queue = queue([("a", 1, true), ("b", 2, true), ("c", 3, false), ("d", 4, false)])
        #expect(drain(&queue) == ["c3", "d4", "a1", "b2"])
    }

    /// However much short work there is, long work goes on.
    @Test func longWorkIsNotForgotten() {
        var queue = queue([("a", 1, true)] + (0..<100).map { ("b", $0 + 2, false) })
        let place = drain(&queue).firstIndex(of: "a1")
        #expect(place == 16)
    }

    @Test func longWorkWaitsWhereOnlyShortMayGo() {
        var queue = queue([("a", 1, true), ("b", 2, false)])
        #expect(drain(&queue, long: false) == ["b2"])
        #expect(queue.count == 1)
    }

    @Test func anAccountThatMayHaveNoTurnIsPassedOver() {
        var queue = queue([("a", 1, false), ("b", 2, false), ("a", 3, true)])
        #expect(drain(&queue, except: "a") == ["b2"])
        #expect(drain(&queue) == ["a1", "a3"])
    }

    @Test func othersAreThoseOfOtherAccounts() {
        var queue = queue([("a", 1, false), ("a", 2, false)])
        var told: [Bool] = []
        _ = queue.popFirst(long: true) { _, othersWait in
            told.append(othersWait)
            return true
        }
        queue.append("b3", id: 9, at: .init(account: .named("b"), connection: 3, isLong: true))
        _ = queue.popFirst(long: true) { _, othersWait in
            told.append(othersWait)
            return true
        }
        #expect(told == [false, true])
    }

    @Test func whatIsRemovedLeavesNothingBehind() {
        var queue = queue((0..<1_000).map { ("a", $0 % 7, $0 % 2 == 0) })
        for id in 0..<999 { #expect(queue.remove(UInt64(id)) != nil) }
        #expect(queue.remove(5) == nil)
        #expect(queue.count == 1)
        #expect(drain(&queue) == ["a5"])
    }
}
