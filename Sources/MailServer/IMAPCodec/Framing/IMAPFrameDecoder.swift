public import NIOCore

/// Turns a client's bytes into events, deciding by itself where lines, literals and messages begin and end.
///
/// Pull it: `append(_:)` bytes, then call `next()` until it returns nil. Do not read from the socket while it is
/// paused: that bounds its memory to one command within the limits and one read. It throws nothing and closes nothing:
/// a command that cannot be executed is reported as `.reject`; after a fatal one it stays silent.
///
/// After a command that changes the meaning of later bytes (see `IMAPPause`), nothing is interpreted until
/// `resolve(_:)`: bytes pipelined after STARTTLS never reach the parser unless the session refused STARTTLS.
public struct IMAPFrameDecoder: Sendable {
    /// Limits and dialect for what is parsed from now on.
    public var options: IMAPDecoderOptions
    var state: State = .command
    var buffer = ByteBuffer()
    /// Bytes of the buffer that belong to the command in progress and are known to hold no line end to act on.
    var scanned = 0
    /// Octets of the command's literals announced so far.
    var literalBytes = 0
    /// The offset at which the line in progress begins: after the command's last literal.
    var lineStart = 0
    /// The tag of a command that cannot contain a message, so that its beginning need not be parsed for each literal.
    var plainTag: String?

    enum State: Sendable, Equatable {
        /// Lines and argument literals of a command.
        case command
        /// An argument literal ends at this offset of the buffer.
        case argumentLiteral(end: Int)
        case paused(IMAPPause)
        /// A line of AUTHENTICATE.
        case authentication
        /// The line that ends IDLE.
        case idle
        /// A decision on this message is awaited.
        case appendDecision(IMAPAppendMessage)
        case appendLiteral(IMAPAppendMessage, remaining: Int)
        /// The line that continues after a message.
        case appendLine(IMAPAppendMessage)
        /// The rest of a refused command: octets of a literal first, then a line.
        case discard(literal: Int, budget: Int)
        /// After a fatal rejection.
        case dead
    }

    public init(options: IMAPDecoderOptions = .init()) {
        self.options = options
    }

    /// Adds bytes read from the socket.
    public mutating func append(_ bytes: ByteBuffer) {
        guard state != .dead, bytes.readableBytes > 0 else { return }
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// Number of bytes received and not interpreted; after STARTTLS, anything but 0 is an injection attempt.
    public var bufferedByteCount: Int { buffer.readableBytes }

    /// The pause that the decoder is in; nil when it wants bytes.
    public var pause: IMAPPause? {
        switch state {
        case .paused(let pause): pause
        case .appendDecision: .appendLiteral
        default: nil
        }
    }

    /// True after a fatal rejection: nothing more will come.
    public var isDead: Bool { state == .dead }

    /// Removes and returns the uninterpreted bytes, for a handler that inserts a layer (DEFLATE) below.
    public mutating func takeBufferedBytes() -> ByteBuffer {
        defer { clear() }
        return buffer
    }

    /// Ends a pause.
    ///
    /// - Returns: False, and nothing happens, when the resolution does not fit the pause.
    @discardableResult
    public mutating func resolve(_ resolution: IMAPResolution) -> Bool {
        switch (state, resolution) {
        case (.paused, .resume): state = .command
        case (.paused(.authenticate), .continueAuthentication): state = .authentication
        case (.paused(.idle), .beginIdle): state = .idle
        case (.paused(.startTLS), .discardBuffered):
            clear()
            state = .command
        case (.appendDecision(let message), .acceptLiteral):
            state = .appendLiteral(message, remaining: message.size)
        case (.appendDecision(let message), .refuseLiteral):
            // A client that waits for the continuation sends no more of an answered command.
            state =
                message.isSynchronising
                ? .command
                : .discard(literal: message.size, budget: max(options.maximumDiscard, message.size))
        default: return false
        }
        return true
    }

    /// The next event, or nil when more bytes or a resolution are needed.
    public mutating func next() -> IMAPInboundEvent? {
        while true {
            let step: Step =
                switch state {
                case .command: commandLine()
                case .argumentLiteral(let end): argumentLiteral(end: end)
                case .authentication: authenticationLine()
                case .idle: idleLine()
                case .appendLiteral(let message, let remaining): appendLiteral(message, remaining: remaining)
                case .appendLine(let message): appendLine(message)
                case .discard(let literal, let budget): discard(literal: literal, budget: budget)
                case .paused, .appendDecision, .dead: .wait
                }
            switch step {
            case .event(let event): return event
            case .again: continue
            case .wait: return nil
            }
        }
    }

    /// The outcome of one step of the state machine.
    enum Step {
        case event(IMAPInboundEvent)
        case again
        case wait
    }

    // MARK: Buffer

    /// Drops everything buffered and releases the memory.
    mutating func clear() {
        buffer = ByteBuffer()
        restart()
    }

    /// Resets the counters of the command in progress.
    mutating func restart() {
        scanned = 0
        literalBytes = 0
        lineStart = 0
        plainTag = nil
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
    }

    /// Returns the offset after the next line feed, searching only bytes not searched before; nil without one.
    mutating func lineEnd() -> Int? {
        let start = scanned
        let found = buffer.withUnsafeReadableBytes { bytes in
            start < bytes.count ? bytes[start...].firstIndex(of: .lf) : nil
        }
        guard let found else {
            scanned = max(scanned, buffer.readableBytes)
            return nil
        }
        return found + 1
    }

    /// Whether a line without its end is too long. A line that ends in a bare LF may exceed the limit by one octet.
    func isTooLong(unended octets: Int) -> Bool { octets > options.maximumLineLength + 1 }

    /// Whether a line with its end is too long: the same limit, however the input was split.
    func isTooLong(ended octets: Int) -> Bool { octets > options.maximumLineLength + 2 }

    /// Returns the bytes of the line in progress, which ends before this offset, without its line end.
    func line(to end: Int) -> ByteBufferView {
        let view = buffer.readableBytesView
        let first = view.startIndex + lineStart
        var last = max(first, view.startIndex + end - 1)
        if last > first, view[last - 1] == .cr { last -= 1 }
        return view[first..<last]
    }

    /// Takes a line from the front of the buffer, its line end removed.
    mutating func takeLine(to end: Int) -> [UInt8] {
        lineStart = 0
        let bytes = Array(line(to: end))
        buffer.moveReaderIndex(forwardBy: end)
        restart()
        return bytes
    }
}
