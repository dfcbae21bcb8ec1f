public import NIOCore

/// An event decoded from a client's bytes.
///
/// After some events the decoder pauses until `IMAPFrameDecoder.resolve(_:)` says how to continue, see `IMAPPause`.
public enum IMAPInboundEvent: Sendable, Equatable {
    /// A complete command; the decoder pauses after it when `IMAPCommand.pause` is not nil.
    case command(IMAPTaggedCommand)
    /// The client waits for `+ ` before it sends an argument literal that is within the limits: answer it at once.
    case continuationNeeded
    /// A line of an AUTHENTICATE exchange; pauses.
    case authenticationResponse(IMAPAuthenticationResponse)
    /// The end of IDLE: `DONE`, or any other line, which earns the IDLE command a BAD.
    case idleDone(wellFormed: Bool)
    /// A message of APPEND or REPLACE is announced; pauses until the session accepts or refuses its literal.
    case appendBegin(IMAPAppendMessage)
    /// The next bytes of the message; never empty.
    case appendChunk(ByteBuffer)
    /// All bytes of the message have arrived.
    case appendMessageEnd
    /// The APPEND or REPLACE command is complete and may be executed.
    case appendEnd(tag: String)
    /// A command that cannot be executed. An APPEND in progress with that tag is over: nothing of it may be kept.
    case reject(IMAPRejection)
}

/// A client's line within AUTHENTICATE.
public enum IMAPAuthenticationResponse: Sendable, Equatable {
    /// Decoded from base64; may be empty.
    case data([UInt8])
    /// `*`: the client cancels the exchange.
    case cancel
    /// Not base64: answer BAD.
    case malformed
}

/// A message announced by APPEND (MULTIAPPEND has several per command) or REPLACE.
public struct IMAPAppendMessage: Sendable, Equatable {
    /// The message to be replaced by REPLACE. RFC 8508.
    public struct Replaced: Sendable, Equatable {
        /// A sequence number or UID; `IMAPSequenceRange.star` for `*`.
        public var number: UInt32
        public var byUID: Bool

        public init(number: UInt32, byUID: Bool) {
            self.number = number
            self.byUID = byUID
        }
    }

    public var tag: String
    public var mailbox: String
    /// Nil for APPEND.
    public var replaces: Replaced?
    /// 0 for the first message of the command.
    public var index: Int
    public var flags: [IMAPFlag]
    public var date: IMAPDateTime?
    /// Octets that will follow; 0 aborts a MULTIAPPEND (RFC 3502 section 6.3.11).
    public var size: Int
    /// True when the client waits for `+ ` before it sends.
    public var isSynchronising: Bool
    /// `~{n}`: may contain NUL. RFC 3516.
    public var isBinary: Bool
    /// Within `UTF8 (…)`. RFC 6855 section 4.
    public var isUTF8: Bool

    public init(
        tag: String, mailbox: String, replaces: Replaced? = nil, index: Int = 0, flags: [IMAPFlag] = [],
        date: IMAPDateTime? = nil, size: Int, isSynchronising: Bool = true, isBinary: Bool = false,
        isUTF8: Bool = false
    ) {
        self.tag = tag
        self.mailbox = mailbox
        self.replaces = replaces
        self.index = index
        self.flags = flags
        self.date = date
        self.size = size
        self.isSynchronising = isSynchronising
        self.isBinary = isBinary
        self.isUTF8 = isUTF8
    }
}

/// The reason why the decoder waits for the session. While it waits, it keeps bytes and interprets none.
public enum IMAPPause: Sendable, Hashable {
    /// After LOGIN: `.resume` (limits may have changed with the state).
    case login
    /// After AUTHENTICATE and each of its lines: `.continueAuthentication` or, when it is over, `.resume`.
    case authenticate
    /// After ENABLE: `.resume`, once the options are set (names may be UTF-8 from here on).
    case enable
    /// After IDLE: `.beginIdle`, or `.resume` when it was refused.
    case idle
    /// After STARTTLS: `.discardBuffered` when the handshake begins, or `.resume` when it was refused.
    case startTLS
    /// After COMPRESS: `.resume` once the handler has taken `takeBufferedBytes()`, or when it was refused.
    case compress
    /// After `appendBegin`: `.acceptLiteral` or `.refuseLiteral`.
    case appendLiteral
}

/// The session's resolution of a pause.
public enum IMAPResolution: Sendable, Hashable {
    /// Commands continue.
    case resume
    /// The next line belongs to the AUTHENTICATE exchange.
    case continueAuthentication
    /// The next line must be DONE.
    case beginIdle
    /// The message is accepted; the session sends `+ ` if it is synchronising.
    case acceptLiteral
    /// The session has answered the command; the rest of it is discarded.
    case refuseLiteral
    /// TLS begins: plaintext received after STARTTLS is discarded.
    case discardBuffered
}
