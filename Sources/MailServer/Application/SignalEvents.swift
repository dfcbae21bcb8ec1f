import Dispatch
import Glibc

/// The signals that control the server, as a stream.
struct SignalEvents {
    enum Event: Sendable, Equatable { case stop, reload }

    let events: AsyncStream<Event>
    private let sources: [any DispatchSourceSignal]

    /// Takes over SIGINT, SIGTERM and SIGHUP for the lifetime of the process, and ignores SIGPIPE.
    init() {
        let (stream, continuation) = AsyncStream<Event>.makeStream()
        let queue = DispatchQueue(label: "signals")
        let pairs: [(Int32, Event)] = [(SIGINT, .stop), (SIGTERM, .stop), (SIGHUP, .reload)]
        sources = pairs.map { number, event in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { continuation.yield(event) }
            source.resume()
            return source
        }
        signal(SIGPIPE, SIG_IGN)
        events = stream
    }

    func cancel() { for source in sources { source.cancel() } }
}
