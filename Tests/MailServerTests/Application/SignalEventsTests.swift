import Glibc
import Testing

@testable import MailServer

@Suite struct SignalEventsTests {
    @Test func aSecondSignalToStopEndsTheProcessAtOnce() async {
        await #expect(processExitsWith: .exitCode(128 + SIGTERM)) {
            let signals = SignalEvents()
            var events = signals.events.makeAsyncIterator()
            // Signals that come before the kernel watches for them are lost; that for SIGHUP is watched for last.
            let hangUps = Task.detached {
                while !Task.isCancelled {
                    kill(getpid(), SIGHUP)
                    await Task.yield()
                }
            }
            while let event = await events.next(), event != .reload {}
            hangUps.cancel()
            await hangUps.value
            kill(getpid(), SIGTERM)
            while let event = await events.next(), event != .stop {}
            signals.exitAtNextStop()
            kill(getpid(), SIGTERM)
            while let event = await events.next() { if event == .stop { exit(3) } }
        }
    }
}
