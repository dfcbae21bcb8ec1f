import Glibc
import Logging
import NIOCore
import NIOPosix
import Primitives
import Testing

@testable import ServerRuntime

@Suite struct EventLoopDelayTests {
    @Test func heldLoopIsReported() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let lines = Locked<[String]>([])
        let log = LogOutput(LogOutput.Settings(), write: { line in lines.withLock { $0.append(line) } })
        let delay = EventLoopDelay(group, logger: log.logger("rmail"))
        let task = Task { await delay.run() }
        // The loop is held until a measurement that was due meanwhile has come late.
        while delay.longest <= EventLoopDelay.limit { try await group.next().submit { usleep(300_000) }.get() }
        delay.report()
        #expect(lines.withLock { $0.contains { $0.contains("an event loop was late by") } })
        #expect(delay.longest == .zero)
        delay.report()
        #expect(lines.withLock { $0.count } == 1)
        task.cancel()
        await task.value
        try await group.shutdownGracefully()
    }
}
