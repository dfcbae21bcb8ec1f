import Glibc
import IMAPCodec
import NIOConcurrencyHelpers
public import NIOCore

/// IMAP on any number of listeners, over one backend.
public final class IMAPServer: Sendable {
    private let connections: ConnectionServer
    private let configuration: NIOLockedValueBox<IMAPServerConfiguration>

    /// - Parameters:
    ///   - pool: where the engine's calls are made; shut down after the server.
    ///   - tls: nil when TLS is turned off: STARTTLS is not offered then, and credentials are taken in clear.
    public init(
        configuration: IMAPServerConfiguration, backend: any IMAPBackend, pool: BlockingPool,
        tls: ConnectionServer.TLSProvider?, group: any EventLoopGroup
    ) {
        let box = NIOLockedValueBox(configuration)
        self.configuration = box
        var refusal = ByteBuffer()
        IMAPResponseEncoder().encode(.bye(code: .unavailable, text: "Too many connections; try again"), into: &refusal)
        connections = ConnectionServer(
            maxConnections: configuration.maxConnections,
            service: ConnectionServer.Service(
                opened: { backend.connectionOpened(from: $0) },
                closed: { backend.connectionClosed(from: $0) },
                refusal: refusal,
                install: { arrival in
                    var configuration = box.withLockedValue { $0 }
                    configuration.session.offersTLS = tls != nil
                    let handler = IMAPConnectionHandler(
                        environment: IMAPConnectionHandler.Environment(
                            configuration: configuration, backend: backend, pool: pool, tls: tls,
                            now: { Int64(time(nil)) }),
                        arrival: arrival)
                    try arrival.channel.pipeline.syncOperations.addHandler(handler)
                }),
            tls: tls, group: group)
    }

    /// Connections at the moment.
    public var connectionCount: Int { connections.connectionCount }

    /// Replaces the configuration for connections to come; those that stand keep theirs.
    public func update(_ configuration: IMAPServerConfiguration) {
        self.configuration.withLockedValue { $0 = configuration }
        connections.setMaxConnections(configuration.maxConnections)
    }

    /// Opens a listener; with `implicitTLS` as port 993 has it (RFC 8314), without as port 143.
    /// - Parameter port: 0 takes a free one.
    /// - Returns: the address that is listened on.
    /// - Throws: what binding fails with, and a ``ConnectionServerError``.
    @discardableResult
    public func listen(host: String, port: Int, implicitTLS: Bool) async throws -> SocketAddress {
        try await connections.listen(host: host, port: port, implicitTLS: implicitTLS)
    }

    /// Stops listening, ends sessions with BYE when their command under way is done, and cuts off after `grace` those
    /// that did not end. Returns when no connection is left.
    public func shutdown(grace: TimeAmount) async { await connections.shutdown(grace: grace) }
}
