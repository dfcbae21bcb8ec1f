import NIOCore

// Messages of APPEND and REPLACE, which pass through in the pieces they arrive in.

extension IMAPFrameDecoder {
    mutating func appendLiteral(_ message: IMAPAppendMessage, remaining: Int) -> Step {
        guard remaining > 0 else {
            state = .appendLine(message)
            return .event(.appendMessageEnd)
        }
        let count = min(remaining, buffer.readableBytes)
        guard count > 0, let chunk = buffer.readSlice(length: count) else { return .wait }
        restart()
        state = .appendLiteral(message, remaining: remaining - count)
        return .event(.appendChunk(chunk))
    }

    /// Parses the line after a message: the end of the command or the arguments of the next message.
    mutating func appendLine(_ message: IMAPAppendMessage) -> Step {
        let end = lineEnd()
        guard let end, !isTooLong(ended: end) else {
            guard end != nil || isTooLong(unended: scanned) else { return .wait }
            discardLine()
            return .event(.reject(.init(tag: message.tag, reason: .lineTooLong)))
        }
        let content = line(to: end)
        let header = LiteralHeader(endOf: content)
        let bytes = Array(content.dropLast(header?.length ?? 0))
        do throws(IMAPSyntaxError) {
            if let header {
                return self.message(try AppendParser.next(after: message, bytes), header, lineEnd: end)
            }
            buffer.moveReaderIndex(forwardBy: end)
            restart()
            state = .command
            try AppendParser.tail(after: message, bytes)
            return .event(.appendEnd(tag: message.tag))
        } catch {
            let rejection = IMAPRejection(tag: message.tag, reason: error.reason)
            return header.map { refuse(rejection, $0, lineEnd: end) } ?? .event(.reject(rejection))
        }
    }
}
