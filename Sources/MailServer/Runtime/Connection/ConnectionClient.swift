package import NIOCore
import NIOPosix
import NIOSSL

/// The use of TLS on an outgoing connection.
package enum ConnectionSecurity: Sendable {
    case none
    /// TLS from the first byte.
    case implicit(TLSClient, serverName: String?)
    /// TLS when the driver starts it, in a protocol with STARTTLS.
    case onDemand(TLSClient, serverName: String?)

    /// Makes the TLS handler, now or later.
    fileprivate var handlers: TLSHandlerProvider? {
        switch self {
        case .none: nil
        case .implicit(let client, let name), .onDemand(let client, let name): client.handlers(serverName: name)
        }
    }

    fileprivate var isImplicit: Bool { if case .implicit = self { true } else { false } }
}

/// Opens connections to other hosts and hands each to a driver, as ``ConnectionServer`` does with incoming ones.
///
/// It does not resolve names. After connecting, the driver gets all events: ``ConnectionDriver/tlsEstablished(on:)``
/// after a handshake, ``ConnectionDriver/connectionFailed(_:)`` when a handshake fails or the connection breaks, and a
/// notice when the peer is idle for too long, even during a handshake.
package struct ConnectionClient: Sendable {
    private let group: any EventLoopGroup

    package init(group: any EventLoopGroup) { self.group = group }

    /// Connects, and returns once the TCP connection is established; a TLS handshake may still be in progress.
    /// - Parameters:
    ///   - connectTimeout: the time the peer gets to accept.
    ///   - closeTimeout: the time the peer gets to read the last bytes and close, before it is disconnected.
    ///   - makeDriver: called on the connection's event loop; the driver's ``ConnectionDriver/end(then:)`` is called in
    ///     every case.
    package func connect(
        to address: SocketAddress, security: ConnectionSecurity = .none, connectTimeout: TimeAmount,
        closeTimeout: TimeAmount = .seconds(2),
        makeDriver: @escaping @Sendable (any Channel) -> any ConnectionDriver
    ) async throws(ConnectionFailure) -> OpenedConnection {
        let eventLoop = group.next()
        let finished = eventLoop.makePromise(of: Void.self)
        let handlers = security.handlers
        let isImplicit = security.isImplicit
        do {
            let channel = try await ClientBootstrap(group: eventLoop)
                .connectTimeout(connectTimeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try ConnectionOptions.set(on: channel)
                        let pipeline = channel.pipeline.syncOperations
                        if isImplicit, let handler = try handlers?() { try pipeline.addHandler(handler) }
                        try pipeline.addHandler(
                            ConnectionHandler(
                                eventLoop: channel.eventLoop, driver: makeDriver(channel), tls: handlers,
                                closeTimeout: closeTimeout, onFinish: { finished.succeed() }))
                    }
                }
                .connect(to: address).get()
            return OpenedConnection(channel: channel, finished: finished.futureResult)
        } catch {
            // The channel may have no handler yet to fulfil the promise.
            finished.succeed()
            throw ConnectionFailure(connecting: error)
        }
    }
}

/// An outgoing connection.
package struct OpenedConnection: Sendable {
    fileprivate let channel: any Channel
    /// Succeeds when the connection is closed and its work has finished.
    package let finished: EventLoopFuture<Void>

    /// Asks the driver to finish its current work and end.
    package func stop() { channel.pipeline.fireUserInboundEventTriggered(ConnectionStopEvent()) }

    /// Closes the connection at once.
    package func drop() { channel.close(promise: nil) }
}
