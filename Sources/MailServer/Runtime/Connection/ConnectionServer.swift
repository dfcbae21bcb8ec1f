package import NIOCore
import NIOPosix
import NIOSSL
import Primitives

/// A refusal of ``ConnectionServer``.
package enum ConnectionServerError: Error, Hashable {
    /// The listener needs TLS, but the server has none.
    case noTLS
    /// The server has been shut down.
    case shutDown
    /// The connection exceeds a limit.
    case tooManyConnections
}

/// The listeners of one protocol and their connections: admission, implicit TLS and graceful shutdown. Each connection
/// is run by a ``ConnectionHandler`` and its driver.
///
/// New settings apply to later connections only. The certificate is fetched at each handshake, so it can be replaced
/// while the server runs.
package final class ConnectionServer<Served: ConnectionProtocol>: Sendable {
    private struct Connection {
        let channel: any Channel
        let finished: EventLoopPromise<Void>
        let ticket: ConnectionLimits.Ticket
    }

    private struct State {
        var settings: Served.Settings
        var listeners: [any Channel] = []
        var connections: [ObjectIdentifier: Connection] = [:]
        var isStopping = false
    }

    private let served: Served
    private let limits: ConnectionLimits
    private let tls: TLSHandlerProvider?
    private let group: any EventLoopGroup
    private let state: Locked<State>

    /// - Parameters:
    ///   - limits: decides on the admission of each connection.
    ///   - tls: nil if TLS is off; STARTTLS is then not offered, and credentials are accepted in clear.
    package init(
        _ served: Served, settings: Served.Settings, limits: ConnectionLimits, tls: TLSProvider?,
        group: any EventLoopGroup
    ) {
        self.served = served
        self.limits = limits
        if let tls {
            self.tls = { try NIOSSLServerHandler(context: tls()) }
        } else {
            self.tls = nil
        }
        self.group = group
        state = Locked(State(settings: settings))
    }

    /// The number of open connections.
    package var connectionCount: Int { state.withLock { $0.connections.count } }

    /// Replaces the settings for later connections.
    package func update(_ settings: Served.Settings) { state.withLock { $0.settings = settings } }

    /// Opens a listener.
    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - socket: bound to that address already; the server's from now on.
    /// - Returns: the address that is listened on.
    /// - Throws: what binding fails with, and a ``ConnectionServerError`` when the role asks for TLS where there is none
    ///   or the server has been shut down.
    @discardableResult
    package func listen(
        host: String, port: Int, role: Served.Role, socket: CInt? = nil
    ) async throws -> SocketAddress {
        if role.usesImplicitTLS && tls == nil { throw ConnectionServerError.noTLS }
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { [limits] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptGate(limits.descriptors))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel, role) }
            }
        let channel =
            if let socket {
                try await bootstrap.withBoundSocket(socket).get()
            } else {
                try await bootstrap.bind(host: host, port: port).get()
            }
        let isStopping = state.withLock { state in
            if !state.isStopping { state.listeners.append(channel) }
            return state.isStopping
        }
        guard !isStopping, let address = channel.localAddress else {
            try? await channel.close()
            throw ConnectionServerError.shutDown
        }
        return address
    }

    /// Stops listening, asks all connections to finish their current work and end, and closes the remaining ones after
    /// `grace`. Returns when all connections are closed and their work has finished.
    package func shutdown(grace: TimeAmount) async {
        let (listeners, connections) = state.withLock { state in
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

    private func accept(_ channel: any Channel, _ role: Served.Role) throws {
        try ConnectionOptions.set(on: channel)
        let remoteAddress = Self.address(of: channel)
        let (settings, ticket) = admit(channel, remoteAddress)
        guard let ticket else {
            // Before a TLS handshake, a client would not understand a refusal.
            if role.usesImplicitTLS { throw ConnectionServerError.tooManyConnections }
            let refusal = ConnectionRefusalHandler(served.refusal(settings))
            return try channel.pipeline.syncOperations.addHandler(refusal)
        }
        let identifier = ObjectIdentifier(channel)
        let onFinish: @Sendable () -> Void = { [self] in remove(identifier) }
        do {
            if role.usesImplicitTLS, let handler = try tls?() {
                try channel.pipeline.syncOperations.addHandler(handler)
            }
            let place = ConnectionPlace(ticket) {
                channel.pipeline.fireUserInboundEventTriggered(ConnectionRevocation())
            }
            let accepted = AcceptedConnection(
                channel: channel, remoteAddress: remoteAddress, role: role, offersTLS: tls != nil, place: place)
            try channel.pipeline.syncOperations.addHandler(
                ConnectionHandler(
                    eventLoop: channel.eventLoop, driver: served.makeDriver(for: accepted, settings), tls: tls,
                    closeTimeout: settings.closeTimeout, onFinish: onFinish))
        } catch {
            onFinish()
            throw error
        }
    }

    /// Registers the connection if it gets a ticket.
    private func admit(
        _ channel: any Channel, _ remoteAddress: String
    ) -> (Served.Settings, ConnectionLimits.Ticket?) {
        let admission = limits.admit(IPAddress(remoteAddress), to: Served.service)
        return state.withLock { state in
            guard case .admitted(let ticket) = admission, !state.isStopping else { return (state.settings, nil) }
            state.connections[ObjectIdentifier(channel)] = Connection(
                channel: channel, finished: channel.eventLoop.makePromise(), ticket: ticket)
            return (state.settings, ticket)
        }
    }

    private func remove(_ identifier: ObjectIdentifier) {
        guard let connection = state.withLock({ $0.connections.removeValue(forKey: identifier) }) else { return }
        connection.ticket.close()
        connection.finished.succeed()
    }

    private static func address(of channel: any Channel) -> String {
        guard let address = channel.remoteAddress?.ipAddress else { return "unknown" }
        let mapped = "::ffff:"
        return address.hasPrefix(mapped) && address.contains(".") ? String(address.dropFirst(mapped.count)) : address
    }
}
