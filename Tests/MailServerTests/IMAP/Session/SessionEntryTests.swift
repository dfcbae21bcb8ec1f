import IMAPCodec
import NIOCore
import NIOPosix
import Primitives
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// A session accepts one input at a time.
@Suite struct SessionEntryTests {
    /// Holds the first response back until a second input has been processed.
    private final class StuckOutput: IMAPOutput {
        private let waiting = Locked<CheckedContinuation<Void, Never>?>(nil)
        private let count = Locked(0)

        var isOpen: Bool { true }
        var isStuck: Bool { waiting.withLock { $0 != nil } }

        func send(_ bytes: ByteBuffer) async -> Bool {
            let isFirst = count.withLock { count in
                count += 1
                return count == 1
            }
            if isFirst { await withCheckedContinuation { go in waiting.withLock { $0 = go } } }
            return true
        }

        func post(_ bytes: ByteBuffer) {}

        func release() { waiting.withLock { $0 }?.resume() }
    }

    /// A second input would make two commands work on the same state.
    @Test func aSecondInputTraps() async {
        await #expect(processExitsWith: .failure) {
            let output = StuckOutput()
            let session = IMAPSession(
                configuration: IMAPSessionConfiguration(hostname: "mail.example.com", offersTLS: false),
                remoteAddress: "192.0.2.1", isTLS: false, backend: try IMAPTestMail(usesIndex: false).backend,
                pool: IMAPTestMail.pool, output: output,
                eventLoop: MultiThreadedEventLoopGroup.singleton.next(), now: { 0 })
            async let greeting = session.handle(.start)
            while !output.isStuck { await Task.yield() }
            _ = await session.handle(.event(.continuationNeeded))
            output.release()
            _ = await greeting
        }
    }
}
