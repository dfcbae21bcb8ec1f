package import NIOCore
import NIOPosix
import NIOSSL

/// TLS on a connection that this side opens.
package enum ConnectionSecurity: Sendable {
    case none
    /// From the first byte on.
    case implicit(TLSClient, serverName: String?)
    /// When the driver starts it, in a protocol with STARTTLS.
    case onDemand(TLSClient, serverName: String?)

    /// Makes the handlers of TLS, now or later.
    fileprivate var handlers: TLSHandlerProvider? {
        switch self {
        case .none: nil
        case .implicit(let client, let name), .onDemand(let client, let name): client.handlers(serverName: name)
        }
    }

    fileprivate var isImplicit: Bool { if case .implicit = self { true } else { false } }
}

/// Opens connections to other hosts and hands each to a driver, as ``ConnectionServer`` does with those that come in.
///
/// It resolves no names. A driver is told of everything behind the connect: ``ConnectionDriver/tlsEstablished(on:)`` when
/// a handshake is done, ``ConnectionDriver/connectionFailed(_:)`` when one fails or the connection breaks, and a notice
/// when the other side is idle for too long, in the middle of a handshake too.
package struct ConnectionClient: Sendable {
    private let group: any EventLoopGroup

    package init(group: any EventLoopGroup) { self.group = group }

    /// Connects, and returns once the connection stands: a handshake may still be under way then.
    /// - Parameters:
    ///   - connectTimeout: time that the other side has to accept.
    ///   - closeTimeout: time that it has to take the last bytes and to close before it is cut off.
    ///   - makeDriver: called on the connection's event loop; the driver's
    ///     ``ConnectionDriver/end(then:)`` is called whatever comes.
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
            // A channel without its handler has nobody else to say so.
            finished.succeed()
            throw ConnectionFailure(connecting: error)
        }
    }
}

/// A connection that this side opened.
package struct OpenedConnection: Sendable {
    fileprivate let channel: any Channel
    /// Succeeds when the connection is gone and nothing of it is under way.
    package let finished: EventLoopFuture<Void>

    /// Asks the driver to come to an end with what is under way.
    package func stop() { channel.pipeline.fireUserInboundEventTriggered(ConnectionStopEvent()) }

    /// Cuts the connection off.
    package func drop() { channel.close(promise: nil) }
}
