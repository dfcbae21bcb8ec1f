import IMAPCodec

/// What a session is given, one at a time.
enum IMAPSessionInput: Sendable {
    /// The connection stands: the greeting is due.
    case start
    case event(IMAPInboundEvent)
    /// Something may have changed; only while the session listens.
    case wake
    /// Time to look whether something has that nobody tells of; only while the session listens.
    case poll
    /// Time for a sign of life; only while idling.
    case keepAlive
    /// The client said nothing for too long.
    case timeOut
    /// The server stops.
    case stop
    /// The client is gone.
    case disconnected
}

/// How the driver goes on when an input has been dealt with.
enum IMAPSessionStep: Sendable, Equatable {
    case proceed
    /// The decoder's pause ends so; with options when the dialect changed.
    case resolve(IMAPResolution, options: IMAPDecoderOptions? = nil)
    /// The OK is written: TLS begins with the next byte.
    case startTLS
    /// The OK is written: DEFLATE begins with the next byte, in both directions.
    case compress
    /// The last answer is written.
    case close
}
