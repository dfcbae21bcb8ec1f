import IMAPCodec

/// What a session is given, one at a time.
enum IMAPSessionInput: Sendable {
    /// The connection stands: the greeting is due.
    case start
    case event(IMAPInboundEvent)
    /// The selected mailbox may have changed; only while idling.
    case wake
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
    /// The last answer is written.
    case close
}
