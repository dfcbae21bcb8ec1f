import IMAPCodec
import NIOCore
import ServerRuntime

/// IMAP on any number of listeners, over one backend.
typealias IMAPServer = ConnectionServer<IMAPProtocol>

/// The protocol that ``IMAPServer`` serves.
struct IMAPProtocol: ConnectionProtocol {
    let backend: any IMAPBackend
    /// The pool for the engine's blocking calls; shut down after the server.
    let pool: BlockingPool

    static let service = LimitedService.imap

    func refusal(_ settings: IMAPServerConfiguration) -> ByteBuffer {
        var line = ByteBuffer()
        IMAPResponseEncoder().encode(.bye(code: .unavailable, text: "Too many connections; try again"), into: &line)
        return line
    }

    func makeDriver(
        for accepted: AcceptedConnection<IMAPRole>, _ settings: IMAPServerConfiguration
    ) -> any ConnectionDriver {
        IMAPDriver(settings, backend: backend, pool: pool, accepted: accepted)
    }
}

/// The listener that a client connected to.
enum IMAPRole: ListenerRole {
    /// Port 143.
    case imap
    /// Port 993, under TLS from the first byte (RFC 8314).
    case imaps

    var usesImplicitTLS: Bool { self == .imaps }
}

extension IMAPServerConfiguration: ConnectionSettings {}

extension ConnectionOutput: IMAPOutput {}
