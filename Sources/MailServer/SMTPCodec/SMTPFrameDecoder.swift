public import NIOCore

/// Cuts the bytes of a client into commands, authentication responses and message content.
///
/// The decoder alone decides what is a command and what is content, so nothing that a client sends early is taken for
/// the other. Feed it with ``append(_:)`` and call ``next()`` until it returns nil: it then needs more bytes, waits for
/// a directive (``isWaiting``), or is finished (``isClosed``).
///
/// It waits behind DATA, STARTTLS, AUTH and each authentication response, all of which must be the last command of a
/// pipelined group (RFC 2920 section 3.1); what arrives meanwhile stays in the buffer uninterpreted. The events for a
/// stream of bytes do not depend on how the bytes are split, except that content comes in other pieces.
///
/// A command line ends at CRLF. One with a bare LF, a bare CR or NUL is answered with 500 and not interpreted, and
/// neither is anything up to the next CRLF: each LF up to there gives one more 500.
public struct SMTPFrameDecoder: Sendable {
    /// Limits in octets.
    public struct Limits: Hashable, Sendable {
        /// A command line with its CRLF; a longer one is skipped and answered with 500.
        public var lineLength = 4096
        /// A line of an authentication exchange with its CRLF (RFC 4954 section 4).
        public var authLineLength = 12288
        /// A line of this length or more without an end ends the session.
        public var skippedLineLength = 1 << 20

        public init() {}
    }

    public enum Event: Hashable, Sendable {
        case command(SMTPCommand)
        /// A line that is no command. When its ``SMTPSyntaxError/endsSession`` is set, the decoder is closed.
        case invalidCommand(SMTPSyntaxError)
        case authResponse(SMTPAuthResponse)
        /// Content of the message, without the dots of DATA; never empty.
        case content(ByteBuffer)
        /// The end of DATA. With a fault the message must be refused.
        case dataEnd(fault: SMTPContentFault?)
        /// The end of a chunk of BDAT. Its content is not checked: see ``SMTPContentCheck``.
        case chunkEnd(last: Bool)
    }

    /// What the session answers to a command that the decoder waits behind.
    public enum Directive: Hashable, Sendable {
        /// Commands follow: the command was refused, or the authentication exchange is over.
        case readCommands
        /// DATA was answered with 354.
        case readData
        /// A 334 was sent.
        case readAuthResponse
        /// TLS starts: what is in the buffer was sent in clear and is dropped.
        case restartForTLS
    }

    private enum State {
        case line(isAuthResponse: Bool)
        /// A line over the limit is being skipped; so many of its octets are gone.
        case skipping(Int, isAuthResponse: Bool)
        case waiting
        case data(SMTPDataDecoder)
        /// The last content was given; the event of the end is due.
        case dataEnded(SMTPContentFault?)
        case chunk(remaining: Int, last: Bool)
        case closed
    }

    public let limits: Limits
    private var state = State.line(isAuthResponse: false)
    private var buffer = ByteBuffer()
    /// Octets at the front of the buffer that are known to hold no LF.
    private var searched = 0
    /// A bare LF was seen, and no CRLF since.
    private var isTainted = false

    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Octets that have arrived and were not interpreted. Behind STARTTLS more than none means an attack (RFC 3207
    /// section 6, CVE-2011-0411).
    public var bufferedBytes: Int { buffer.readableBytes }

    /// True while a directive is needed.
    public var isWaiting: Bool {
        if case .waiting = state { true } else { false }
    }

    /// True after QUIT and after an error that ends the session; bytes are dropped from then on.
    public var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Takes bytes of the client.
    public mutating func append(_ bytes: ByteBuffer) {
        guard !isClosed else { return }
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// Answers the command that the decoder waits behind; without one, nothing happens.
    public mutating func apply(_ directive: Directive) {
        guard isWaiting else { return }
        switch directive {
        case .readCommands: state = .line(isAuthResponse: false)
        case .readAuthResponse: state = .line(isAuthResponse: true)
        case .readData: state = .data(SMTPDataDecoder())
        case .restartForTLS:
            self = SMTPFrameDecoder(limits: limits)
        }
    }

    /// The next event, or nil: see the type's description.
    public mutating func next() -> Event? {
        while true {
            switch state {
            case .waiting, .closed:
                return nil
            case .line(let isAuthResponse):
                switch readLine(isAuthResponse: isAuthResponse) {
                case .event(let event): return event
                case .again: continue
                case .needsBytes: return nil
                }
            case .skipping(let skipped, let isAuthResponse):
                return skipLine(skipped, isAuthResponse: isAuthResponse)
            case .data(let decoder):
                guard buffer.readableBytes > 0 else { return nil }
                if let event = readData(decoder) { return event }
            case .dataEnded(let fault):
                state = .line(isAuthResponse: false)
                return .dataEnd(fault: fault)
            case .chunk(let remaining, let last):
                return readChunk(remaining, last: last)
            }
        }
    }
}

// MARK: - Lines

extension SMTPFrameDecoder {
    private enum LineResult {
        case event(Event)
        case again
        case needsBytes
    }

    private mutating func readLine(isAuthResponse: Bool) -> LineResult {
        let limit = isAuthResponse ? limits.authLineLength : limits.lineLength
        let unsearched = buffer.readableBytesView.dropFirst(searched)
        guard let end = unsearched.firstIndex(of: UInt8(ascii: "\n")) else {
            guard buffer.readableBytes >= limit else {
                searched = buffer.readableBytes
                releaseEmptyBuffer()
                return .needsBytes
            }
            state = .skipping(0, isAuthResponse: isAuthResponse)
            searched = 0
            return .again
        }
        let length = end - buffer.readerIndex + 1
        searched = 0
        guard length <= limit else {
            state = .skipping(0, isAuthResponse: isAuthResponse)
            return .again
        }
        let line = buffer.readBytes(length: length) ?? []
        return .event(event(of: line, isAuthResponse: isAuthResponse))
    }

    private mutating func event(of line: [UInt8], isAuthResponse: Bool) -> Event {
        // From here the session must answer before more of an authentication exchange is read.
        if isAuthResponse { state = .waiting }
        if let error = lineFault(line) { return .invalidCommand(error) }
        let text = Array(line.dropLast(2))
        guard !isAuthResponse else { return .authResponse(SMTPCommandParser.authResponse(isInitial: false, text)) }
        do throws(SMTPSyntaxError) {
            let command = try SMTPCommandParser.parse(text)
            state = Self.state(behind: command)
            return .command(command)
        } catch {
            if error.endsSession { close() }
            return .invalidCommand(error)
        }
    }

    private static func state(behind command: SMTPCommand) -> State {
        switch command {
        case .data, .startTLS, .auth: .waiting
        case .bdat(let size, let last): .chunk(remaining: size, last: last)
        case .quit: .closed
        default: .line(isAuthResponse: false)
        }
    }

    /// Judges a line that still has its LF, and keeps track of the taint that a bare LF leaves.
    private mutating func lineFault(_ line: [UInt8]) -> SMTPSyntaxError? {
        let hasCRLF = line.count >= 2 && line[line.count - 2] == UInt8(ascii: "\r")
        let wasTainted = isTainted
        isTainted = !hasCRLF
        guard hasCRLF, !wasTainted, !line.dropLast(2).contains(UInt8(ascii: "\r")) else { return .bareLineEnding }
        return line.contains(0) ? .nulByte : nil
    }

    /// Drops what has arrived of a line that is too long. The taint stays as the end of the line says.
    private mutating func skipLine(_ skipped: Int, isAuthResponse: Bool) -> Event? {
        let view = buffer.readableBytesView
        let end = view.firstIndex(of: UInt8(ascii: "\n"))
        let length = end.map { $0 - buffer.readerIndex + 1 } ?? buffer.readableBytes
        let total = skipped + length
        guard total < limits.skippedLineLength else {
            close()
            return .invalidCommand(.endlessLine)
        }
        guard let end else {
            // The last octet stays: it decides whether the line ends in CRLF.
            let dropped = max(length - 1, 0)
            buffer.moveReaderIndex(forwardBy: dropped)
            state = .skipping(skipped + dropped, isAuthResponse: isAuthResponse)
            return nil
        }
        isTainted = end == view.startIndex || view[end - 1] != UInt8(ascii: "\r")
        buffer.moveReaderIndex(forwardBy: length)
        state = isAuthResponse ? .waiting : .line(isAuthResponse: false)
        return .invalidCommand(.lineTooLong)
    }

    private mutating func close() {
        state = .closed
        buffer = ByteBuffer()
        searched = 0
    }

    /// Gives the memory of an idle connection back.
    private mutating func releaseEmptyBuffer() {
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
    }
}

// MARK: - Content

extension SMTPFrameDecoder {
    private mutating func readData(_ decoder: SMTPDataDecoder) -> Event? {
        var decoder = decoder
        let output = decoder.decode(&buffer)
        switch output {
        case .content(let content):
            state = .data(decoder)
            return content.readableBytes > 0 ? .content(content) : nil
        case .end(let content):
            guard content.readableBytes > 0 else {
                state = .line(isAuthResponse: false)
                return .dataEnd(fault: decoder.fault)
            }
            state = .dataEnded(decoder.fault)
            return .content(content)
        }
    }

    private mutating func readChunk(_ remaining: Int, last: Bool) -> Event? {
        guard remaining > 0 else {
            state = .line(isAuthResponse: false)
            return .chunkEnd(last: last)
        }
        let length = min(remaining, buffer.readableBytes)
        guard length > 0, let content = buffer.readSlice(length: length) else { return nil }
        state = .chunk(remaining: remaining - length, last: last)
        return .content(content)
    }
}
