package import NIOCore

/// Drives a protocol session over a connection: bytes in, answers out, one operation at a time.
///
/// Owned by a ``ConnectionHandler``, which calls it on the connection's event loop. Asynchronous work is enclosed in
/// ``ConnectionHandler/beginWork()`` and ``ConnectionHandler/endWork(isActivity:)``.
package protocol ConnectionDriver: AnyObject {
    /// The output of a session that waits for its client to read; nil if answers are written without waiting.
    var output: ConnectionOutput? { get }

    /// The time the peer may stay silent in the current state.
    var idleTimeout: TimeAmount { get }

    /// The moment at which the session times out, however much is said, because its client has not logged in by then;
    /// nil when it has, or need not.
    var loginDeadline: NIODeadline? { get }

    /// Buffers bytes from the peer; ``advance(on:)`` follows.
    func take(_ bytes: ByteBuffer)

    /// Records a notice, which takes precedence over buffered input; ``advance(on:)`` follows.
    func note(_ notice: ConnectionNotice, on connection: ConnectionHandler)

    /// Records a completed TLS handshake; ``advance(on:)`` follows.
    func tlsEstablished(on connection: ConnectionHandler)

    /// Records the error that ends the connection; ``end(then:)`` follows. ``ConnectionFailure`` classifies it.
    func connectionFailed(_ error: any Error)

    /// Records that the peer sends no more; it may still read. ``advance(on:)`` follows.
    func inputClosed(on connection: ConnectionHandler)

    /// Proceeds as far as the session, the peer and the buffered bytes allow, while ``ConnectionHandler/isFree``.
    /// Called whenever one of the three changes, never recursively.
    func advance(on connection: ConnectionHandler)

    /// Releases all resources: the connection is closed and no work is in progress. This is the last call; it must call
    /// `then` once, on any thread.
    func end(then: @escaping @Sendable () -> Void)
}

extension ConnectionDriver {
    package func inputClosed(on connection: ConnectionHandler) {}

    package var output: ConnectionOutput? { nil }

    package var loginDeadline: NIODeadline? { nil }

    package func tlsEstablished(on connection: ConnectionHandler) {}

    package func connectionFailed(_ error: any Error) {}
}

/// An event for a session that does not come from its peer.
package enum ConnectionNotice {
    /// The connection is established. Sent first, and once.
    case start
    /// The peer sent nothing for too long, or did not log in in time; the session is to end.
    case timeOut
    /// The server is stopping; work in progress is finished first.
    case stop
    /// The account that the session is logged in to may no longer be used; the session is to end at once.
    case revoked
}
