import NIOCore
import Primitives

// Commands with their argument literals, AUTHENTICATE and IDLE lines.

extension IMAPFrameDecoder {
    /// Looks for the end of the current line of a command.
    mutating func commandLine() -> Step {
        guard let end = lineEnd() else {
            return isTooLong(unended: scanned - literalBytes) ? tooLong() : .wait
        }
        guard !isTooLong(ended: end - literalBytes) else { return tooLong() }
        let content = line(to: end)
        if let header = LiteralHeader(endOf: content) {
            return literal(header, headEnd: content.endIndex - buffer.readerIndex - header.length, lineEnd: end)
        }
        return complete(takeLine(to: end))
    }

    private mutating func complete(_ bytes: [UInt8]) -> Step {
        switch IMAPCommandParser.parse(
            bytes, acceptsUTF8: options.acceptsUTF8, maximumSearchKeys: options.maximumSearchKeys)
        {
        case .success(let command):
            if let pause = command.command.pause { state = .paused(pause) }
            return .event(.command(command))
        case .failure(let rejection):
            return .event(.reject(rejection))
        }
    }

    /// Decides whether the literal at the end of a line is an argument or a message.
    private mutating func literal(_ header: LiteralHeader, headEnd: Int, lineEnd: Int) -> Step {
        if let tag = plainTag { return argument(header, tag: tag, lineEnd: lineEnd) }
        let head = Array(buffer.readableBytesView.prefix(headEnd))
        switch AppendParser.head(head, acceptsUTF8: options.acceptsUTF8) {
        case .failure(let rejection):
            return refuse(rejection, header, lineEnd: lineEnd)
        case .success(.message(let message)):
            return self.message(message, header, lineEnd: lineEnd)
        case .success(.argument(let tag, let isAppend)):
            plainTag = isAppend ? nil : tag
            return argument(header, tag: tag, lineEnd: lineEnd)
        }
    }

    /// Awaits a literal within the limits as part of the command; refuses any other.
    private mutating func argument(_ header: LiteralHeader, tag: String, lineEnd: Int) -> Step {
        guard !header.isOver(options.maximumNonSynchronisingLiteral),
            header.size <= options.maximumLiteralBytes - literalBytes
        else { return refuse(.init(tag: tag, reason: .literalTooLarge), header, lineEnd: lineEnd) }
        literalBytes += header.size
        scanned = lineEnd
        state = .argumentLiteral(end: lineEnd + header.size)
        return header.isSynchronising ? .event(.continuationNeeded) : .again
    }

    mutating func argumentLiteral(end: Int) -> Step {
        guard buffer.readableBytes >= end else { return .wait }
        (scanned, lineStart) = (end, end)
        state = .command
        return .again
    }

    /// Announces a message within the limits to the session; refuses any other.
    mutating func message(_ message: IMAPAppendMessage, _ header: LiteralHeader, lineEnd: Int) -> Step {
        guard header.size <= options.maximumAppendSize else {
            return refuse(.init(tag: message.tag, reason: .messageTooLarge), header, lineEnd: lineEnd)
        }
        guard !header.isOver(options.maximumNonSynchronisingLiteral) else {
            return refuse(.init(tag: message.tag, reason: .literalTooLarge), header, lineEnd: lineEnd)
        }
        var message = message
        message.size = header.size
        message.isSynchronising = header.isSynchronising
        message.isBinary = header.isBinary
        buffer.moveReaderIndex(forwardBy: lineEnd)
        restart()
        state = .appendDecision(message)
        return .event(.appendBegin(message))
    }

    /// Rejects a command whose line ends in a literal, and has the literal's bytes discarded if the client sends them.
    mutating func refuse(_ rejection: IMAPRejection, _ header: LiteralHeader, lineEnd: Int) -> Step {
        buffer.moveReaderIndex(forwardBy: lineEnd)
        restart()
        guard !header.isSynchronising else {
            state = .command
            return .event(.reject(rejection))
        }
        guard header.size <= options.maximumDiscard else { return die(rejection) }
        state = .discard(literal: header.size, budget: options.maximumDiscard)
        return .event(.reject(rejection))
    }

    /// Rejects a command line over the limit once, then skips the rest of it.
    private mutating func tooLong() -> Step {
        // No more bytes than have certainly arrived, so that the tag found does not depend on how the input was split.
        var lexer = IMAPLexer(Array(buffer.readableBytesView.prefix(min(300, options.maximumLineLength + 2))))
        lexer.takeSpaces()
        let tag = try? lexer.tag()
        let rejection = IMAPRejection(tag: lexer.takeSpaces() ? tag : nil, reason: .lineTooLong)
        discardLine()
        return .event(.reject(rejection))
    }

    /// Skips to the end of the line in progress, and over the literal it may announce.
    mutating func discardLine() {
        buffer.moveReaderIndex(forwardBy: lineStart)
        restart()
        state = .discard(literal: 0, budget: options.maximumDiscard)
    }

    mutating func die(_ rejection: IMAPRejection) -> Step {
        clear()
        state = .dead
        return .event(.reject(IMAPRejection(tag: rejection.tag, reason: rejection.reason, isFatal: true)))
    }

    // MARK: Refused commands

    /// Discards the rest of a refused command: a literal, then lines up to one that no literal follows.
    mutating func discard(literal: Int, budget: Int) -> Step {
        let count = min(literal, buffer.readableBytes)
        buffer.moveReaderIndex(forwardBy: count)
        guard count == literal else {
            restart()
            state = .discard(literal: literal - count, budget: budget - count)
            return .wait
        }
        let left = budget - count
        let kept = LiteralHeader.maximumLength + 4
        guard let end = lineEnd() else {
            // Only the tail of an unfinished line is kept, where a literal header could begin.
            let excess = max(0, buffer.readableBytes - kept)
            guard excess == 0 || excess < left else { return die(IMAPRejection(tag: nil, reason: .lineTooLong)) }
            buffer.moveReaderIndex(forwardBy: excess)
            scanned = buffer.readableBytes
            state = .discard(literal: 0, budget: left - excess)
            return .wait
        }
        guard end - 1 <= kept || end - 1 - kept < left else {
            return die(IMAPRejection(tag: nil, reason: .lineTooLong))
        }
        let header = LiteralHeader(endOf: line(to: end))
        buffer.moveReaderIndex(forwardBy: end)
        restart()
        // A literal that waits for a continuation will not be sent: the command has been answered.
        guard let header, !header.isSynchronising else {
            state = .command
            return .again
        }
        guard header.size <= left - end else { return die(IMAPRejection(tag: nil, reason: .literalTooLarge)) }
        state = .discard(literal: header.size, budget: left - end)
        return .again
    }

    // MARK: AUTHENTICATE and IDLE

    mutating func authenticationLine() -> Step {
        guard let end = lineEnd() else {
            return isTooLong(unended: scanned) ? die(.init(tag: nil, reason: .lineTooLong)) : .wait
        }
        guard !isTooLong(ended: end) else { return die(.init(tag: nil, reason: .lineTooLong)) }
        let bytes = takeLine(to: end)
        state = .paused(.authenticate)
        if bytes == [.star] { return .event(.authenticationResponse(.cancel)) }
        return .event(.authenticationResponse(Base64.decode(bytes).map { .data($0) } ?? .malformed))
    }

    mutating func idleLine() -> Step {
        let end = lineEnd()
        if let end, equalsIgnoringCase(line(to: end), "DONE") {
            buffer.moveReaderIndex(forwardBy: end)
            restart()
            state = .command
            return .event(.idleDone(wellFormed: true))
        }
        guard end != nil || isTooLong(unended: scanned) else { return .wait }
        discardLine()
        return .event(.idleDone(wellFormed: false))
    }
}

extension LiteralHeader {
    /// Whether the literal is non-synchronising and over the limit for these.
    func isOver(_ limit: Int?) -> Bool {
        guard let limit, !isSynchronising else { return false }
        return size > limit
    }
}
