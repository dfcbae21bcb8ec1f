import Glibc
import NIOConcurrencyHelpers
public import NIOCore
import SMTPCodec

/// SMTP on any number of listeners, over one backend.
public final class SMTPServer: Sendable {
    private let connections: ConnectionServer
    private let configuration: NIOLockedValueBox<SMTPServerConfiguration>

    /// - Parameter tls: nil when TLS is turned off: STARTTLS is not offered then, and credentials are taken in clear.
    public init(
        configuration: SMTPServerConfiguration, backend: any SMTPBackend, tls: ConnectionServer.TLSProvider?,
        group: any EventLoopGroup
    ) {
        let box = NIOLockedValueBox(configuration)
        self.configuration = box
        var refusal = ByteBuffer()
        SMTPReply.tooManyConnections(configuration.session.hostname).encode(into: &refusal)
        connections = ConnectionServer(
            maxConnections: configuration.maxConnections,
            service: ConnectionServer.Service(
                opened: { backend.connectionOpened(from: $0) },
                closed: { backend.connectionClosed(from: $0) },
                refusal: refusal,
                install: { arrival in
                    var configuration = box.withLockedValue { $0 }
                    configuration.session.offersTLS = tls != nil
                    let environment = SMTPConnectionHandler.Environment(
                        configuration: configuration, backend: backend, tls: tls, makeStamp: Self.makeStamp,
                        onFinish: arrival.onFinish)
                    try arrival.channel.pipeline.syncOperations.addHandler(
                        SMTPConnectionHandler(
                            environment: environment, role: SMTPRole.allCases[arrival.listener],
                            remoteAddress: arrival.remoteAddress, isTLS: arrival.isTLS))
                }),
            tls: tls, group: group)
    }

    /// Connections at the moment.
    public var connectionCount: Int { connections.connectionCount }

    /// Replaces the configuration for connections to come; those that stand keep theirs.
    public func update(_ configuration: SMTPServerConfiguration) {
        self.configuration.withLockedValue { $0 = configuration }
        connections.setMaxConnections(configuration.maxConnections)
    }

    /// Opens a listener.
    /// - Parameter port: 0 takes a free one.
    /// - Returns: the address that is listened on.
    /// - Throws: what binding fails with, and a ``ConnectionServerError`` when ``SMTPRole/smtps`` is asked for without
    ///   TLS or the server has been shut down.
    @discardableResult
    public func listen(host: String, port: Int, role: SMTPRole) async throws -> SocketAddress {
        try await connections.listen(
            host: host, port: port, implicitTLS: role == .smtps,
            listener: SMTPRole.allCases.firstIndex(of: role) ?? 0)
    }

    /// Stops listening, ends idle sessions with 421, and lets messages under way finish for up to `grace`; then the
    /// rest is cut off. Returns when no connection is left and the backend has been asked for the last time.
    public func shutdown(grace: TimeAmount) async { await connections.shutdown(grace: grace) }

    private static func makeStamp() -> SMTPMessageStamp {
        let seconds = Int64(time(nil))
        let random = UInt64.random(in: .min ... .max)
        return SMTPMessageStamp(
            id: String(seconds, radix: 36) + "z" + String(random, radix: 36),
            date: SMTPDate.string(secondsSinceEpoch: seconds))
    }
}
