import IMAPCodec

/// The inputs of a session, handled one at a time.
enum IMAPSessionInput: Sendable {
    /// The connection is established: the greeting is due.
    case start
    case event(IMAPInboundEvent)
    /// Something may have changed; only while the session listens.
    case wake
    /// Time to poll for changes that no watch reports; only while the session listens.
    case poll
    /// Time for a keep-alive response; only during IDLE.
    case keepAlive
    /// The client has sent nothing for too long, or did not log in in time.
    case timeOut
    /// The server is shutting down.
    case stop
    /// The account may no longer be used.
    case revoked
    /// The client is gone.
    case disconnected
}

/// The driver's next step after an input.
enum IMAPSessionStep: Sendable, Equatable {
    case proceed
    /// Ends the decoder's pause; with options if its limits or dialect changed.
    case resolve(IMAPResolution, options: IMAPDecoderOptions? = nil)
    /// The OK is written: TLS begins with the next byte.
    case startTLS
    /// The OK is written: DEFLATE begins with the next byte, in both directions.
    case compress
    /// The last response is written.
    case close
}
