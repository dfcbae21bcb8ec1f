import NIOCore
import SMTPCodec
import ServerRuntime

/// An SMTP server on any number of listeners, over one backend.
typealias SMTPServer = ConnectionServer<SMTPProtocol>

/// The protocol of ``SMTPServer``.
struct SMTPProtocol: ConnectionProtocol {
    let backend: any SMTPBackend

    static let service = LimitedService.smtp

    func refusal(_ settings: SMTPServerConfiguration) -> ByteBuffer {
        var line = ByteBuffer()
        SMTPReply.tooManyConnections(settings.session.hostname).encode(into: &line)
        return line
    }

    func makeDriver(
        for accepted: AcceptedConnection<SMTPRole>, _ settings: SMTPServerConfiguration
    ) -> any ConnectionDriver {
        SMTPDriver(settings, backend: backend, accepted: accepted)
    }
}

extension SMTPRole: ListenerRole {
    var usesImplicitTLS: Bool { self == .smtps }
}

extension SMTPServerConfiguration: ConnectionSettings {}
