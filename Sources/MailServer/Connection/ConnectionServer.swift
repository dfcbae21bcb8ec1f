import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
public import NIOSSL

/// Asks a connection's handler to come to an end: what is under way is finished first.
struct ConnectionStopEvent: Sendable {}

/// What ``ConnectionServer`` refuses to do.
public enum ConnectionServerError: Error, Hashable, Sendable {
    /// The listener needs TLS, and the server has none.
    case noTLS
    /// The server has been shut down.
    case shutDown
    /// The connection is one too many.
    case tooManyConnections
}

/// Listeners and connections of a line protocol's server: admission, TLS in front, and a graceful end. What happens on
/// a connection is its handler's business.
///
/// Certificates are asked for at each handshake, so they can be replaced while the server runs.
public final class ConnectionServer: Sendable {
    /// Gives the TLS context of the moment.
    public typealias TLSProvider = @Sendable () throws -> NIOSSLContext

    /// A connection that was let in.
    struct Arrival: Sendable {
        let channel: any Channel
        /// The client's IP address; an IPv4 address on an IPv6 socket is given as IPv4.
        let remoteAddress: String
        let isTLS: Bool
        /// What the listener was opened with.
        let listener: Int
        /// To be called once, when the connection is gone and nothing of it is under way.
        let onFinish: @Sendable () -> Void
    }

    /// What the protocol has to say.
    struct Service: Sendable {
        /// Asked when a client has connected; false turns it away. Must not block.
        var opened: @Sendable (_ remoteAddress: String) -> Bool
        /// Told when a client that was let in is gone. Must not block.
        var closed: @Sendable (_ remoteAddress: String) -> Void
        /// The one line for clients that are turned away.
        var refusal: ByteBuffer
        /// Puts the protocol's handler into the pipeline of a new connection; on its event loop.
        var install: @Sendable (Arrival) throws -> Void
    }

    private struct Connection {
        let channel: any Channel
        let finished: EventLoopPromise<Void>
    }

    private struct State {
        var maxConnections: Int
        var listeners: [any Channel] = []
        var connections: [ObjectIdentifier: Connection] = [:]
        var isStopping = false
    }

    private let group: any EventLoopGroup
    private let service: Service
    let tls: TLSProvider?
    private let state: NIOLockedValueBox<State>

    init(maxConnections: Int, service: Service, tls: TLSProvider?, group: any EventLoopGroup) {
        self.group = group
        self.service = service
        self.tls = tls
        state = NIOLockedValueBox(State(maxConnections: maxConnections))
    }

    /// Connections at the moment.
    var connectionCount: Int { state.withLockedValue { $0.connections.count } }

    /// Changes how many connections are let in from here on.
    func setMaxConnections(_ count: Int) { state.withLockedValue { $0.maxConnections = count } }

    /// Opens a listener; with `implicitTLS` connections begin with a handshake.
    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - listener: told with each arrival, for protocols that treat their listeners differently.
    /// - Returns: the address that is listened on.
    func listen(host: String, port: Int, implicitTLS: Bool, listener: Int = 0) async throws -> SocketAddress {
        if implicitTLS && tls == nil { throw ConnectionServerError.noTLS }
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // The kernel begins with 16 KiB, which makes a large answer many writes and wake-ups.
            .childChannelOption(.socketOption(.so_sndbuf), value: 131_072)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.recvAllocator, value: ReceiveAllocator())
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel, isTLS: implicitTLS, listener) }
            }
            .bind(host: host, port: port).get()
        let isStopping = state.withLockedValue { state in
            if !state.isStopping { state.listeners.append(channel) }
            return state.isStopping
        }
        guard !isStopping, let address = channel.localAddress else {
            try? await channel.close()
            throw ConnectionServerError.shutDown
        }
        return address
    }

    /// Stops listening, asks all connections to end, and cuts off after `grace` those that did not. Returns when no
    /// connection is left.
    func shutdown(grace: TimeAmount) async {
        let (listeners, connections) = state.withLockedValue { state in
            state.isStopping = true
            defer { state.listeners = [] }
            return (state.listeners, Array(state.connections.values))
        }
        for listener in listeners { try? await listener.close() }
        for connection in connections {
            connection.channel.pipeline.fireUserInboundEventTriggered(ConnectionStopEvent())
        }
        let deadline = group.next().scheduleTask(in: grace) {
            for connection in connections { connection.channel.close(promise: nil) }
        }
        for connection in connections { try? await connection.finished.futureResult.get() }
        deadline.cancel()
    }

    // MARK: - Connections

    private func accept(_ channel: any Channel, isTLS: Bool, _ listener: Int) throws {
        let remoteAddress = Self.address(of: channel)
        guard admit(channel, remoteAddress) else {
            // In front of a TLS handshake there is nothing that a client would understand.
            if isTLS { throw ConnectionServerError.tooManyConnections }
            return try channel.pipeline.syncOperations.addHandler(ConnectionRefusalHandler(service.refusal))
        }
        let (service, state) = (service, state)
        let identifier = ObjectIdentifier(channel)
        let onFinish: @Sendable () -> Void = {
            service.closed(remoteAddress)
            state.withLockedValue { $0.connections.removeValue(forKey: identifier) }?.finished.succeed()
        }
        do {
            if isTLS, let context = try tls?() {
                try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
            }
            try service.install(
                Arrival(
                    channel: channel, remoteAddress: remoteAddress, isTLS: isTLS, listener: listener,
                    onFinish: onFinish))
        } catch {
            onFinish()
            throw error
        }
    }

    /// Counts the connection in, if there is room and the service does not mind.
    private func admit(_ channel: any Channel, _ remoteAddress: String) -> Bool {
        let finished = channel.eventLoop.makePromise(of: Void.self)
        let isIn = state.withLockedValue { state in
            guard !state.isStopping, state.connections.count < state.maxConnections else { return false }
            state.connections[ObjectIdentifier(channel)] = Connection(channel: channel, finished: finished)
            return true
        }
        guard isIn else {
            finished.succeed()
            return false
        }
        guard service.opened(remoteAddress) else {
            state.withLockedValue { $0.connections.removeValue(forKey: ObjectIdentifier(channel)) }?.finished.succeed()
            return false
        }
        return true
    }

    private static func address(of channel: any Channel) -> String {
        guard let address = channel.remoteAddress?.ipAddress else { return "unknown" }
        let mapped = "::ffff:"
        return address.hasPrefix(mapped) && address.contains(".") ? String(address.dropFirst(mapped.count)) : address
    }
}

/// Turns a client away with one line.
private final class ConnectionRefusalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let line: ByteBuffer

    init(_ line: ByteBuffer) { self.line = line }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(line)).whenComplete { _ in bound.value.close(promise: nil) }
    }
}
