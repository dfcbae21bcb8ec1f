public import NIOCore

/// Splits the bytes of a client into commands, authentication responses and message content.
///
/// The decoder alone separates commands from content, so bytes sent early are never mistaken for the other. Feed it
/// with ``append(_:)`` and call ``next()`` until it returns nil: it then needs more bytes, waits for a directive
/// (``isWaiting``), or is finished (``isClosed``).
///
/// It waits after DATA, STARTTLS, AUTH and each authentication response, all of which must end a pipelined group
/// (RFC 2920 section 3.1); bytes that arrive before the directive stay in the buffer uninterpreted. The events do not
/// depend on how the bytes are split, except for the division of content into pieces.
///
/// A command line ends at CRLF. A line with a bare LF, a bare CR or NUL is answered with 500 and not interpreted. After
/// a bare LF, neither is anything up to the next CRLF: each LF up to there gives another 500.
///
/// Content that nobody asked for is never taken for commands: a BDAT of unknown size ends the session, and so does a line
/// other than a command after a refused DATA.
public struct SMTPFrameDecoder: Sendable {
    /// Limits in octets.
    public struct Limits: Hashable, Sendable {
        /// The maximum of a command line with its CRLF; a longer one is skipped and answered with 500.
        public var lineLength = 4096
        /// A line of an authentication exchange with its CRLF (RFC 4954 section 4); the command that begins one may be
        /// as long, for its initial response.
        public var authLineLength = 12288
        /// The maximum length of an address in MAIL or RCPT, including its angle brackets.
        public var pathLength = 256
        /// The length at which a line being skipped ends the session.
        public var skippedLineLength = 1 << 20

        public init() {}
    }

    public enum Event: Hashable, Sendable {
        case command(SMTPCommand)
        /// A line that is not a valid command. If its ``SMTPSyntaxError/endsSession`` is set, the decoder is closed.
        case invalidCommand(SMTPSyntaxError)
        case authResponse(SMTPAuthResponse)
        /// Message content without dot-stuffing; never empty.
        case content(ByteBuffer)
        /// The end of DATA. With a fault, the message must be refused.
        case dataEnd(fault: SMTPContentFault?)
        /// The end of a BDAT chunk. Its content is not checked; see ``SMTPContentCheck``.
        case chunkEnd(last: Bool)
    }

    /// The session's answer to a command after which the decoder waits.
    public enum Directive: Hashable, Sendable {
        /// Commands follow: the command was refused, or the authentication exchange is over.
        case readCommands
        /// DATA was answered with 354; content follows.
        case readData
        /// A 334 was sent; an authentication response follows.
        case readAuthResponse
        /// TLS starts; buffered bytes were sent in clear and are dropped.
        case restartForTLS
    }

    private enum State {
        /// Reading a line; after a refused DATA, content may arrive all the same.
        case line(isAuthResponse: Bool, behindRefusedData: Bool = false)
        /// Skipping a line over the limit; the count is the octets dropped so far.
        case skipping(Int, isAuthResponse: Bool)
        case waiting(behindData: Bool)
        case data(SMTPDataDecoder)
        /// The last content was returned; the end event is next.
        case dataEnded(SMTPContentFault?)
        case chunk(remaining: Int, last: Bool)
        case closed
    }

    public let limits: Limits
    private var state = State.line(isAuthResponse: false)
    private var buffer = ByteBuffer()
    /// The number of octets at the front of the buffer known to contain no LF.
    private var searched = 0
    /// True after a bare LF until the next CRLF.
    private var isTainted = false

    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// The number of buffered, uninterpreted octets. Any after STARTTLS indicate an attack (RFC 3207 section 6,
    /// CVE-2011-0411).
    public var bufferedBytes: Int { buffer.readableBytes }

    /// True while the decoder waits for a directive.
    public var isWaiting: Bool {
        if case .waiting = state { true } else { false }
    }

    /// True after QUIT or an error that ends the session; further bytes are dropped.
    public var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Appends bytes from the client.
    public mutating func append(_ bytes: ByteBuffer) {
        guard !isClosed else { return }
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// Resumes a waiting decoder; otherwise does nothing.
    public mutating func apply(_ directive: Directive) {
        guard case .waiting(let behindData) = state else { return }
        switch directive {
        case .readCommands: state = .line(isAuthResponse: false, behindRefusedData: behindData)
        case .readAuthResponse: state = .line(isAuthResponse: true)
        case .readData: state = .data(SMTPDataDecoder())
        case .restartForTLS:
            self = SMTPFrameDecoder(limits: limits)
        }
    }

    /// Returns the next event, or nil; see the type's description.
    public mutating func next() -> Event? {
        while true {
            switch state {
            case .waiting, .closed:
                return nil
            case .line(let isAuthResponse, _):
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
        let limit =
            isAuthResponse
            ? limits.authLineLength
            : beginsAuthentication ? max(limits.lineLength, limits.authLineLength) : limits.lineLength
        let unsearched = buffer.readableBytesView.dropFirst(searched)
        guard let end = unsearched.firstIndex(of: UInt8(ascii: "\n")) else {
            guard buffer.readableBytes >= limit else {
                searched = buffer.readableBytes
                releaseEmptyBuffer()
                return .needsBytes
            }
            return skip(isAuthResponse: isAuthResponse)
        }
        let length = end - buffer.readerIndex + 1
        guard length <= limit else { return skip(isAuthResponse: isAuthResponse) }
        searched = 0
        let line = buffer.readBytes(length: length) ?? []
        return .event(event(of: line, isAuthResponse: isAuthResponse))
    }

    /// True if the buffer begins with AUTH, whose initial response may be as long as any other.
    private var beginsAuthentication: Bool {
        buffer.readableBytesView.prefix(5).map(\.uppercasedASCII).elementsEqual("AUTH ".utf8)
    }

    /// Starts skipping a line that is too long.
    private mutating func skip(isAuthResponse: Bool) -> LineResult {
        searched = 0
        if let error = framingLoss(at: buffer.readableBytesView.prefix(Self.longestVerb)) {
            close()
            return .event(.invalidCommand(error))
        }
        state = .skipping(0, isAuthResponse: isAuthResponse)
        return .again
    }

    private mutating func event(of line: [UInt8], isAuthResponse: Bool) -> Event {
        let event: Event
        if let error = lineFault(line) {
            event = .invalidCommand(framingLoss(at: line) ?? error)
        } else if isAuthResponse {
            event = .authResponse(SMTPCommandParser.authResponse(isInitial: false, line.dropLast(2)))
        } else {
            event = self.event(ofCommand: Array(line.dropLast(2)))
        }
        switch event {
        case .command(let command): state = Self.state(behind: command)
        case .invalidCommand(let error) where error.endsSession: close()
        case .invalidCommand(let error) where error.chunkSize != nil:
            state = .chunk(remaining: error.chunkSize ?? 0, last: false)
        case .invalidCommand(let error) where !isAuthResponse:
            let isData = error.kind == .arguments && SMTPCommandParser.begins(line, with: "DATA")
            state = .line(isAuthResponse: false, behindRefusedData: isData)
        default:
            // The session must answer before more of an authentication exchange is read.
            state = isAuthResponse ? .waiting(behindData: false) : .line(isAuthResponse: false)
        }
        return event
    }

    private func event(ofCommand text: [UInt8]) -> Event {
        do throws(SMTPSyntaxError) {
            let command = try SMTPCommandParser.parse(text, maxPathLength: limits.pathLength)
            if case .unknown = command, let error = framingLoss(at: text) { return .invalidCommand(error) }
            return .command(command)
        } catch {
            // A known verb with wrong arguments is a command; everything else could be content.
            switch error.kind {
            case .emptyCommand, .forbiddenBytes, .protocolViolation:
                return .invalidCommand(framingLoss(at: text) ?? error)
            case .lineTooLong, .arguments, .address, .parameter: return .invalidCommand(error)
            }
        }
    }

    /// The number of octets of an overlong line that are searched for a verb.
    private static let longestVerb = 64

    /// The error that ends the session when an invalid line may be content, or announce a chunk; otherwise nil.
    private func framingLoss(at line: some Sequence<UInt8>) -> SMTPSyntaxError? {
        guard case .line(let isAuthResponse, let behindRefusedData) = state, !isAuthResponse else { return nil }
        if SMTPCommandParser.begins(line, with: "BDAT") { return .chunkSize }
        return behindRefusedData ? .contentBehindRefusedData : nil
    }

    private static func state(behind command: SMTPCommand) -> State {
        switch command {
        case .data: .waiting(behindData: true)
        case .startTLS, .auth: .waiting(behindData: false)
        case .bdat(let size, let last): .chunk(remaining: size, last: last)
        case .quit: .closed
        default: .line(isAuthResponse: false)
        }
    }

    /// Checks a line that still has its LF, and updates the taint left by a bare LF.
    private mutating func lineFault(_ line: [UInt8]) -> SMTPSyntaxError? {
        let hasCRLF = line.count >= 2 && line[line.count - 2] == UInt8(ascii: "\r")
        let wasTainted = isTainted
        isTainted = !hasCRLF
        guard hasCRLF, !wasTainted, !line.dropLast(2).contains(UInt8(ascii: "\r")) else { return .bareLineEnding }
        return line.contains(0) ? .nulByte : nil
    }

    /// Drops the buffered part of an overlong line. The end of the line determines the taint.
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
            // Keeps the last octet, which decides whether the line ends in CRLF.
            let dropped = max(length - 1, 0)
            buffer.moveReaderIndex(forwardBy: dropped)
            state = .skipping(skipped + dropped, isAuthResponse: isAuthResponse)
            return nil
        }
        isTainted = end == view.startIndex || view[end - 1] != UInt8(ascii: "\r")
        buffer.moveReaderIndex(forwardBy: length)
        state = isAuthResponse ? .waiting(behindData: false) : .line(isAuthResponse: false)
        return .invalidCommand(.lineTooLong)
    }

    private mutating func close() {
        state = .closed
        buffer = ByteBuffer()
        searched = 0
    }

    /// Releases the buffer memory of an idle connection.
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
