public import NIOCore

/// Turns a client's bytes into events, deciding by itself where lines, literals and messages begin and end.
///
/// Pull it: `append(_:)` bytes, then call `next()` until it gives nil. Do not read from the socket while it is paused:
/// that bounds its memory to one command within the limits and one read. It throws nothing and closes nothing: what
/// cannot be obeyed comes as `.reject`; after a fatal one it stays silent.
///
/// Behind commands that change the meaning of what follows (see `IMAPPause`) nothing is interpreted until
/// `resolve(_:)`: bytes pipelined behind STARTTLS never reach the parser unless the session refused STARTTLS.
public struct IMAPFrameDecoder: Sendable {
    /// Limits and dialect for what is parsed from now on.
    public var options: IMAPDecoderOptions
    var state: State = .command
    var buffer = ByteBuffer()
    /// Bytes of the buffer that belong to the command in progress and are known to hold no line end to act on.
    var scanned = 0
    /// Of these, octets of literals announced so far.
    var literalBytes = 0
    /// Where the line in progress begins: behind the last literal of the command.
    var lineStart = 0
    /// The tag of a command that no message can belong to, so that its literals need no look at its head.
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
        /// The line that goes on behind a message.
        case appendLine(IMAPAppendMessage)
        /// The rest of a refused command: octets of a literal first, then a line.
        case discard(literal: Int, budget: Int)
        /// After a fatal rejection.
        case dead
    }

    public init(options: IMAPDecoderOptions = .init()) {
        self.options = options
    }

    /// Adds bytes as they came from the socket.
    public mutating func append(_ bytes: ByteBuffer) {
        guard state != .dead, bytes.readableBytes > 0 else { return }
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// Bytes received and not interpreted; behind STARTTLS anything but 0 is an attempt to inject.
    public var bufferedByteCount: Int { buffer.readableBytes }

    /// What the decoder waits for; nil when it wants bytes.
    public var pause: IMAPPause? {
        switch state {
        case .paused(let pause): pause
        case .appendDecision: .appendLiteral
        default: nil
        }
    }

    /// True after a fatal rejection: nothing more will come.
    public var isDead: Bool { state == .dead }

    /// Takes what is buffered and not interpreted, for a handler that puts a layer (DEFLATE) below.
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
            // A client that waits for the continuation sends no more of a command that was answered.
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

    /// What one step of the machine came to.
    enum Step {
        case event(IMAPInboundEvent)
        case again
        case wait
    }

    // MARK: Buffer

    /// Forgets everything buffered and gives the memory back.
    mutating func clear() {
        buffer = ByteBuffer()
        restart()
    }

    /// Drops the counters of the command in progress.
    mutating func restart() {
        scanned = 0
        literalBytes = 0
        lineStart = 0
        plainTag = nil
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
    }

    /// The offset behind the next line feed, searching only what was not searched before.
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

    /// A line may be one octet longer than the limit when it ends in a bare LF.
    func isTooLong(unended octets: Int) -> Bool { octets > options.maximumLineLength + 1 }

    /// The same for a line with its end, so that the pieces it came in make no difference.
    func isTooLong(ended octets: Int) -> Bool { octets > options.maximumLineLength + 2 }

    /// The bytes of the line in progress, which ends in front of this offset, without its line end.
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
