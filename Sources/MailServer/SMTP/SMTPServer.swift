import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix
public import NIOSSL
import SMTPCodec

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// SMTP on any number of listeners, over one backend.
///
/// Certificates are asked for at each handshake, so they can be replaced while the server runs.
public final class SMTPServer: Sendable {
    /// Gives the TLS context of the moment.
    public typealias TLSProvider = @Sendable () throws -> NIOSSLContext

    private struct Connection {
        let channel: any Channel
        let finished: EventLoopPromise<Void>
    }

    private struct State {
        var configuration: SMTPServerConfiguration
        var listeners: [any Channel] = []
        var connections: [ObjectIdentifier: Connection] = [:]
        var isStopping = false
    }

    private let group: any EventLoopGroup
    private let backend: any SMTPBackend
    private let tls: TLSProvider?
    private let state: NIOLockedValueBox<State>

    /// - Parameter tls: nil when TLS is turned off: STARTTLS is not offered then, and credentials are taken in clear.
    public init(
        configuration: SMTPServerConfiguration, backend: any SMTPBackend, tls: TLSProvider?, group: any EventLoopGroup
    ) {
        self.group = group
        self.backend = backend
        self.tls = tls
        state = NIOLockedValueBox(State(configuration: configuration))
    }

    /// Connections at the moment.
    public var connectionCount: Int { state.withLockedValue { $0.connections.count } }

    /// Replaces the configuration for connections to come; those that stand keep theirs.
    public func update(_ configuration: SMTPServerConfiguration) {
        state.withLockedValue { $0.configuration = configuration }
    }

    /// Opens a listener.
    /// - Parameter port: 0 takes a free one.
    /// - Returns: the address that is listened on.
    /// - Throws: what binding fails with, and a ``SMTPServerError`` when ``SMTPRole/smtps`` is asked for without TLS or
    ///   the server has been shut down.
    @discardableResult
    public func listen(host: String, port: Int, role: SMTPRole) async throws -> SocketAddress {
        if role == .smtps && tls == nil { throw SMTPServerError.noTLS }
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.autoRead, value: false)
            // One read at a time and not too large, so that a client that floods its loop leaves turns to the others.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 512, maximum: 32768)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel, role: role) }
            }
            .bind(host: host, port: port).get()
        let isStopping = state.withLockedValue { state in
            if !state.isStopping { state.listeners.append(channel) }
            return state.isStopping
        }
        guard !isStopping, let address = channel.localAddress else {
            try? await channel.close()
            throw SMTPServerError.shutDown
        }
        return address
    }

    /// Stops listening, ends idle sessions with 421, and lets messages under way finish for up to `grace`; then the
    /// rest is cut off. Returns when no connection is left and the backend has been asked for the last time.
    public func shutdown(grace: TimeAmount) async {
        let (listeners, connections) = state.withLockedValue { state in
            state.isStopping = true
            defer { state.listeners = [] }
            return (state.listeners, Array(state.connections.values))
        }
        for listener in listeners { try? await listener.close() }
        for connection in connections {
            connection.channel.pipeline.fireUserInboundEventTriggered(SMTPStopEvent())
        }
        let deadline = group.next().scheduleTask(in: grace) {
            for connection in connections { connection.channel.close(promise: nil) }
        }
        for connection in connections { try? await connection.finished.futureResult.get() }
        deadline.cancel()
    }

    // MARK: - Connections

    private func accept(_ channel: any Channel, role: SMTPRole) throws {
        let isTLS = role == .smtps
        let remoteAddress = Self.address(of: channel)
        var configuration = state.withLockedValue { $0.configuration }
        configuration.session.offersTLS = tls != nil
        guard admit(channel, configuration, remoteAddress) else {
            // In front of a TLS handshake there is nothing that a client would understand.
            if isTLS { throw SMTPServerError.tooManyConnections }
            return try channel.pipeline.syncOperations.addHandler(
                SMTPRefusalHandler(reply: .tooManyConnections(configuration.session.hostname)))
        }
        let (backend, state) = (backend, state)
        let identifier = ObjectIdentifier(channel)
        let onFinish: @Sendable () -> Void = {
            backend.connectionClosed(from: remoteAddress)
            state.withLockedValue { $0.connections.removeValue(forKey: identifier) }?.finished.succeed()
        }
        do {
            if isTLS, let context = try tls?() {
                try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
            }
            let environment = SMTPConnectionHandler.Environment(
                configuration: configuration, backend: backend, tls: tls, makeStamp: Self.makeStamp, onFinish: onFinish)
            try channel.pipeline.syncOperations.addHandler(
                SMTPConnectionHandler(
                    environment: environment, role: role, remoteAddress: remoteAddress, isTLS: isTLS))
        } catch {
            onFinish()
            throw error
        }
    }

    /// Counts the connection in, if there is room and the backend does not mind.
    private func admit(
        _ channel: any Channel, _ configuration: SMTPServerConfiguration, _ remoteAddress: String
    ) -> Bool {
        let finished = channel.eventLoop.makePromise(of: Void.self)
        let isIn = state.withLockedValue { state in
            guard !state.isStopping, state.connections.count < configuration.maxConnections else { return false }
            state.connections[ObjectIdentifier(channel)] = Connection(channel: channel, finished: finished)
            return true
        }
        guard isIn else {
            finished.succeed()
            return false
        }
        guard backend.connectionOpened(from: remoteAddress) else {
            state.withLockedValue { $0.connections.removeValue(forKey: ObjectIdentifier(channel)) }?.finished.succeed()
            return false
        }
        return true
    }

    /// The client's IP address; an IPv4 address on an IPv6 socket is given as IPv4.
    private static func address(of channel: any Channel) -> String {
        guard let address = channel.remoteAddress?.ipAddress else { return "unknown" }
        let mapped = "::ffff:"
        return address.hasPrefix(mapped) && address.contains(".") ? String(address.dropFirst(mapped.count)) : address
    }

    private static func makeStamp() -> SMTPMessageStamp {
        let seconds = Int64(time(nil))
        let random = UInt64.random(in: .min ... .max)
        return SMTPMessageStamp(
            id: String(seconds, radix: 36) + "z" + String(random, radix: 36),
            date: SMTPDate.string(secondsSinceEpoch: seconds))
    }
}

/// What ``SMTPServer`` refuses to do.
public enum SMTPServerError: Error, Hashable, Sendable {
    /// The role needs TLS, and the server has none.
    case noTLS
    /// The server has been shut down.
    case shutDown
    /// The connection is one too many.
    case tooManyConnections
}

/// Turns a client away with one reply.
private final class SMTPRefusalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let reply: SMTPReply

    init(reply: SMTPReply) {
        self.reply = reply
    }

    func channelActive(context: ChannelHandlerContext) {
        var output = ByteBuffer()
        reply.encode(into: &output)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(output)).whenComplete { _ in bound.value.close(promise: nil) }
    }
}
