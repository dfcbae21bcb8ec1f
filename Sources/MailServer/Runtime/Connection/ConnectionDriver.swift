package import NIOCore

/// Drives a protocol's session over a connection: bytes in, answers out, one thing at a time.
///
/// A ``ConnectionHandler`` owns it and calls it on the connection's event loop, with itself at hand. What ends later
/// than the call that began it stands between ``ConnectionHandler/beginWork()`` and ``ConnectionHandler/endWork(isActivity:)``.
package protocol ConnectionDriver: AnyObject {
    /// Where a session writes that waits for its client; nil where answers are written without waiting.
    var output: ConnectionOutput? { get }

    /// How long the peer may send nothing, as things stand.
    var idleTimeout: TimeAmount { get }

    /// Keeps what the client sent; ``advance(on:)`` follows.
    func take(_ bytes: ByteBuffer)

    /// Notes what comes in front of what the client sent; ``advance(on:)`` follows.
    func note(_ notice: ConnectionNotice, on connection: ConnectionHandler)

    /// Notes that a TLS handshake is done; ``advance(on:)`` follows.
    func tlsEstablished(on connection: ConnectionHandler)

    /// Notes why the connection is about to break; ``end(then:)`` follows. A ``ConnectionFailure`` tells what it was.
    func connectionFailed(_ error: any Error)

    /// Goes on as far as the session, the client and the bytes at hand allow, for as long as
    /// ``ConnectionHandler/isFree``. Called whenever one of the three may allow more, and not from within itself.
    func advance(on connection: ConnectionHandler)

    /// Lets go of everything: the connection is gone and nothing is under way. The last call; `then` is to be called
    /// once, on any thread.
    func end(then: @escaping @Sendable () -> Void)
}

extension ConnectionDriver {
    package var output: ConnectionOutput? { nil }

    package func tlsEstablished(on connection: ConnectionHandler) {}

    package func connectionFailed(_ error: any Error) {}
}

/// What a session is told that no client sends.
package enum ConnectionNotice {
    /// The connection stands. Told first, and once.
    case start
    /// The peer sent nothing for too long; the session is to end.
    case timeOut
    /// The server stops: what is under way is finished first.
    case stop
}
