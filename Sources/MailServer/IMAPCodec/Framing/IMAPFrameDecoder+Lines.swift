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
        switch IMAPCommandParser.parse(bytes, acceptsUTF8: options.acceptsUTF8) {
        case .success(let command):
            if let pause = command.command.pause { state = .paused(pause) }
            return .event(.command(command))
        case .failure(let rejection):
            return .event(.reject(rejection))
        }
    }

    /// Decides what a literal at the end of a line is.
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

    /// A literal within the limits is awaited as part of the command.
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

    /// A message within the limits is announced to the session.
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

    /// Answers a command that ends in a literal, and sees to the literal's bytes.
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

    /// A command line over the limit whose end has not come: answered once, then skipped.
    private mutating func tooLong() -> Step {
        // No more than has come in any case, so that the tag found does not depend on the pieces.
        var lexer = IMAPLexer(Array(buffer.readableBytesView.prefix(min(300, options.maximumLineLength + 2))))
        let tag = try? lexer.tag()
        let rejection = IMAPRejection(tag: lexer.take(.space) ? tag : nil, reason: .lineTooLong)
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

    /// Throws away the rest of a refused command: a literal, then lines up to one that no literal follows.
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
            // Of an endless line only what a literal header could begin in is kept.
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
        // Of a literal that waits for a continuation nothing will be sent: the command is answered.
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
    /// Over the limit of literals that are sent without waiting.
    func isOver(_ limit: Int?) -> Bool {
        guard let limit, !isSynchronising else { return false }
        return size > limit
    }
}
