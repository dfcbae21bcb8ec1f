import Dispatch
import Glibc
import Primitives

/// The signals that control the server, as a stream.
struct SignalEvents {
    enum Event: Sendable, Equatable { case stop, reload }

    let events: AsyncStream<Event>
    private let sources: [any DispatchSourceSignal]
    /// The process ends at once with the next signal to stop.
    private let isImpatient = Locked(false)

    /// Takes over SIGINT, SIGTERM and SIGHUP for the lifetime of the process, and ignores SIGPIPE.
    init() {
        let (stream, continuation) = AsyncStream<Event>.makeStream()
        let queue = DispatchQueue(label: "signals")
        let isImpatient = isImpatient
        let pairs: [(Int32, Event)] = [(SIGINT, .stop), (SIGTERM, .stop), (SIGHUP, .reload)]
        sources = pairs.map { number, event in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if event == .stop, isImpatient.withLock({ $0 }) { _exit(128 + number) }
                continuation.yield(event)
            }
            source.resume()
            return source
        }
        signal(SIGPIPE, SIG_IGN)
        events = stream
    }

    /// From here on a signal to stop ends the process at once, with the status that shells give for it.
    func exitAtNextStop() { isImpatient.withLock { $0 = true } }

    func cancel() { for source in sources { source.cancel() } }
}
