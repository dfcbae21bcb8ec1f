import NIOCore
import SMTPCodec

/// SMTP on any number of listeners, over one backend.
typealias SMTPServer = ConnectionServer<ServedSMTP>

/// What ``SMTPServer`` serves.
struct ServedSMTP: ServedProtocol {
    let backend: any SMTPBackend

    var gate: any ConnectionGate { backend }

    func refusal(_ settings: SMTPServerConfiguration) -> ByteBuffer {
        var line = ByteBuffer()
        SMTPReply.tooManyConnections(settings.session.hostname).encode(into: &line)
        return line
    }

    func makeDriver(
        for arrival: ConnectionArrival<SMTPRole>, _ settings: SMTPServerConfiguration
    ) -> any ConnectionDriver {
        SMTPDriver(settings, backend: backend, arrival: arrival)
    }
}

extension SMTPRole: ListenerRole {
    var usesImplicitTLS: Bool { self == .smtps }
}

extension SMTPServerConfiguration: ConnectionSettings {}
