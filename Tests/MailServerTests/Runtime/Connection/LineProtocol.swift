import NIOCore
import Primitives

@testable import ServerConfiguration
@testable import ServerRuntime

/// A minimal line protocol with STARTTLS: the server greets, answers `STARTTLS` with `go`, and echoes every other line.
struct LineProtocol: ConnectionProtocol {
    enum Role: ListenerRole {
        case plain, tls

        var usesImplicitTLS: Bool { self == .tls }
    }

    static let service = LimitedService.smtp

    func refusal(_ settings: LineSettings) -> ByteBuffer { ByteBuffer(string: "full\n") }

    func makeDriver(for accepted: AcceptedConnection<Role>, _ settings: LineSettings) -> any ConnectionDriver {
        LineServer()
    }
}

struct LineSettings: ConnectionSettings {
    let closeTimeout = TimeAmount.seconds(2)
}

/// Splits the input into complete lines.
private struct LineBuffer {
    private var bytes = ByteBuffer()

    mutating func append(_ new: ByteBuffer) { bytes.writeImmutableBuffer(new) }

    mutating func next() -> String? {
        guard let end = bytes.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = bytes.readString(length: end - bytes.readerIndex)
        bytes.moveReaderIndex(forwardBy: 1)
        return line
    }
}

private final class LineServer: ConnectionDriver {
    let idleTimeout = TimeAmount.seconds(60)
    private var lines = LineBuffer()

    func take(_ bytes: ByteBuffer) { lines.append(bytes) }

    func note(_ notice: ConnectionNotice, on connection: ConnectionHandler) {
        switch notice {
        case .start: connection.write(ByteBuffer(string: "hello\n"))
        case .timeOut, .stop, .revoked: connection.close(draining: false)
        }
    }

    func advance(on connection: ConnectionHandler) {
        while connection.isFree, let line = lines.next() {
            if line == "STARTTLS", connection.prepareTLS() {
                connection.write(ByteBuffer(string: "go\n"))
                connection.startTLS()
            } else {
                connection.write(ByteBuffer(string: line + "\n"))
            }
        }
        if connection.isFree, connection.isInputClosed { connection.close(draining: false) }
    }

    func end(then: @escaping @Sendable () -> Void) { then() }
}

/// Waits for the greeting, starts TLS if asked to, sends `ping`, and closes when it comes back.
final class LineClient: ConnectionDriver {
    enum Event: Equatable {
        case start, timeOut, stop, secured, failedTLS, failed, end
        case line(String)
    }

    let idleTimeout: TimeAmount
    private let startsTLS: Bool
    private let events: Locked<[Event]>
    private var lines = LineBuffer()

    init(startsTLS: Bool, idleTimeout: TimeAmount, _ events: Locked<[Event]>) {
        self.startsTLS = startsTLS
        self.idleTimeout = idleTimeout
        self.events = events
    }

    private func record(_ event: Event) { events.withLock { $0.append(event) } }

    func take(_ bytes: ByteBuffer) { lines.append(bytes) }

    func note(_ notice: ConnectionNotice, on connection: ConnectionHandler) {
        switch notice {
        case .start: record(.start)
        case .timeOut:
            record(.timeOut)
            connection.close(draining: false)
        case .stop, .revoked:
            record(.stop)
            connection.close(draining: false)
        }
    }

    func tlsEstablished(on connection: ConnectionHandler) {
        record(.secured)
        if startsTLS { connection.write(ByteBuffer(string: "ping\n")) }
    }

    func connectionFailed(_ error: any Error) {
        if case .tls = ConnectionFailure(error) { record(.failedTLS) } else { record(.failed) }
    }

    func advance(on connection: ConnectionHandler) {
        while connection.isFree, let line = lines.next() {
            record(.line(line))
            switch line {
            case "hello": connection.write(ByteBuffer(string: startsTLS ? "STARTTLS\n" : "ping\n"))
            case "go": if connection.prepareTLS() { connection.startTLS() }
            default: connection.close(draining: false)
            }
        }
        if connection.isFree, connection.isInputClosed { connection.close(draining: false) }
    }

    func end(then: @escaping @Sendable () -> Void) {
        record(.end)
        then()
    }
}
