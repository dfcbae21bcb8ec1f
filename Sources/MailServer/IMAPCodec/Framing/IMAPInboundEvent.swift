public import NIOCore

/// What the decoder makes of a client's bytes.
///
/// Behind some events the decoder pauses until `IMAPFrameDecoder.resolve(_:)` says how to go on, see `IMAPPause`.
public enum IMAPInboundEvent: Sendable, Equatable {
    /// A complete command; the decoder pauses behind it when `IMAPCommand.pause` is not nil.
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
    /// All bytes of the message have come.
    case appendMessageEnd
    /// The APPEND or REPLACE command is complete and may be carried out.
    case appendEnd(tag: String)
    /// Something that cannot be obeyed. An APPEND in progress with that tag is over: nothing of it may be kept.
    case reject(IMAPRejection)
}

/// A client's line within AUTHENTICATE.
public enum IMAPAuthenticationResponse: Sendable, Equatable {
    /// Decoded from base64; may be empty.
    case data([UInt8])
    /// `*`: the client gives up.
    case cancel
    /// Not base64: answer BAD.
    case malformed
}

/// A message announced by APPEND (MULTIAPPEND has several per command) or REPLACE.
public struct IMAPAppendMessage: Sendable, Equatable {
    /// The message that REPLACE puts the new one in the place of. RFC 8508.
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

/// Why the decoder waits for the session. While it waits it keeps bytes and interprets none.
public enum IMAPPause: Sendable, Hashable {
    /// Behind LOGIN: `.resume` (limits may have changed with the state).
    case login
    /// Behind AUTHENTICATE and each of its lines: `.continueAuthentication` or, when it is over, `.resume`.
    case authenticate
    /// Behind ENABLE: `.resume`, after the options were set (names may be UTF-8 from here on).
    case enable
    /// Behind IDLE: `.beginIdle`, or `.resume` when it was refused.
    case idle
    /// Behind STARTTLS: `.discardBuffered` when the handshake begins, or `.resume` when it was refused.
    case startTLS
    /// Behind COMPRESS: `.resume` after the handler took `takeBufferedBytes()`, or when it was refused.
    case compress
    /// Behind `appendBegin`: `.acceptLiteral` or `.refuseLiteral`.
    case appendLiteral
}

/// The session's word on a pause.
public enum IMAPResolution: Sendable, Hashable {
    /// Commands again.
    case resume
    /// The next line belongs to the AUTHENTICATE exchange.
    case continueAuthentication
    /// The next line must be DONE.
    case beginIdle
    /// Take the message; the session answers `+ ` when it is synchronising.
    case acceptLiteral
    /// The session has answered the command; what of it still comes is thrown away.
    case refuseLiteral
    /// TLS begins: bytes that came in clear behind STARTTLS are thrown away.
    case discardBuffered
}
