import Glibc
import TestSupport
import Testing

@testable import ShardIndex

@Suite struct IndexWriterTests {
    /// A hurried thread must not look for jobs that it has already taken: it would loop for ever.
    @Test func theThreadRestsWhenNothingWaits() throws {
        let scratch = try CacheScratch()
        let index = scratch.index { $0.writeDelay = 0 }
        let account = try scratch.account(index)
        account.fill([1])
        let writer = account.core.writer
        for round in 0..<2_000 {
            onThreads(3) { thread in
                let key = Array("\(round).\(thread)".utf8)
                #expect(writer.add(account, [.delete(key: key)], waitingBelow: .max, seconds: 60))
            }
            let deadline = ContinuousClock.now + .seconds(20)
            while !writer.isIdle, ContinuousClock.now < deadline { sched_yield() }
            try #require(writer.isIdle, "round \(round)")
        }
        index.close()
        #expect(scratch.messages == [])
    }
}
