import NIOCore
import SMTPCodec

/// The content of the message being read.
struct SMTPSessionContent {
    /// True for BDAT, whose content the decoder does not check.
    let isChunked: Bool
    var header: SMTPHeaderInspector
    var check = SMTPContentCheck()
    /// The trace fields, until the first bytes of the message take them along.
    var trace: ByteBuffer
    /// Octets of the message as the client sent it.
    var size = 0
    /// Octets of the present chunk, for its reply.
    var chunkSize = 0
    /// Set once the message cannot be accepted: the rest is read and dropped, and this is the answer.
    var failure: SMTPReply?
    /// True while the driver holds an open message.
    var isOpen = true
}

// MARK: - DATA and BDAT

extension SMTPSession {
    mutating func data() -> [SMTPSessionAction] {
        if let reply = contentRefusal { return refuseWaiting(reply) }
        return beginMessage(chunkSize: nil)
    }

    /// A chunk of BDAT (RFC 3030). Its octets follow whatever the answer is, which is given behind them.
    mutating func chunk(_ size: Int, last: Bool) -> [SMTPSessionAction] {
        guard size <= configuration.maxDiscardedBytes else { return end(with: .tooLarge) }
        if case .content(var content) = phase {
            let discard = announce(size, to: &content)
            phase = .content(content)
            return discard
        }
        refusedChunk = contentRefusal
        return refusedChunk == nil ? beginMessage(chunkSize: size) : []
    }

    private var contentRefusal: SMTPReply? {
        switch phase {
        case .idle: return .mailFirst
        case .content: return .badSequence
        case .envelope:
            guard envelope?.recipients.isEmpty != false else { return nil }
            return refusedRecipientCount > 0 ? .noValidRecipients : .recipientFirst
        }
    }

    private mutating func beginMessage(chunkSize: Int?) -> [SMTPSessionAction] {
        guard let envelope else { return [] }
        pending = .messageBegin(chunkSize: chunkSize)
        return [.beginMessage(envelope)]
    }

    mutating func completeMessageBegin(
        _ result: Result<SMTPMessageStamp, SMTPStoreFailure>, chunkSize: Int?
    ) -> [SMTPSessionAction] {
        guard let envelope else { return [] }
        switch result {
        case .failure(let failure):
            let discard = endTransaction()
            guard chunkSize == nil else {
                refusedChunk = SMTPReply(failure)
                return discard
            }
            return discard + [.reply(SMTPReply(failure)), .directive(.readCommands)]
        case .success(let stamp):
            var content = newContent(envelope, stamp, isChunked: chunkSize != nil)
            guard let chunkSize else {
                phase = .content(content)
                return [.reply(.startInput), .directive(.readData)]
            }
            let discard = announce(chunkSize, to: &content)
            phase = .content(content)
            return discard
        }
    }

    private func newContent(
        _ envelope: SMTPEnvelope, _ stamp: SMTPMessageStamp, isChunked: Bool
    ) -> SMTPSessionContent {
        let trace = SMTPTrace(
            envelope: envelope, hostname: configuration.hostname, isExtended: isExtended, isTLS: isTLS, stamp: stamp)
        let additions = SMTPHeaderInspector.Additions(
            date: stamp.date, messageID: "<\(stamp.id)@\(configuration.hostname)>")
        let header = SMTPHeaderInspector(
            maxSize: configuration.maxHeaderSize, maxReceived: configuration.maxReceivedFields,
            additions: envelope.user == nil ? nil : additions)
        return SMTPSessionContent(isChunked: isChunked, header: header, trace: trace.fields())
    }
}

// MARK: - The bytes

extension SMTPSession {
    mutating func handleContent(_ piece: ByteBuffer) -> [SMTPSessionAction] {
        guard case .content(var content) = phase else { return [] }
        let room = max(configuration.maxMessageSize - content.size, 0)
        content.size += piece.readableBytes
        let actions = content.failure == nil ? store(piece, room: room, in: &content) : []
        phase = .content(content)
        // The rest of a message that failed is read for its end, but not for ever.
        if let failure = content.failure, content.size - configuration.maxMessageSize > configuration.maxDiscardedBytes
        {
            return actions + end(with: failure)
        }
        return actions
    }

    private mutating func store(
        _ piece: ByteBuffer, room: Int, in content: inout SMTPSessionContent
    ) -> [SMTPSessionAction] {
        // The octets of a chunk were weighed when it was announced; else what fits is looked at first, so that the
        // reason of a refusal does not depend on how the bytes come.
        let length = content.isChunked ? piece.readableBytes : min(piece.readableBytes, room)
        let fitting = piece.getSlice(at: piece.readerIndex, length: length) ?? ByteBuffer()
        if content.isChunked { content.check.inspect(piece) }
        do throws(SMTPHeaderInspector.Fault) {
            let wasInBody = content.header.isInBody
            var bytes = try content.header.process(fitting)
            if !wasInBody && content.header.isInBody, !isFromOwn(content.header) { return fail(&content, .notYourFrom) }
            guard length == piece.readableBytes else { return fail(&content, .tooLarge) }
            guard bytes.readableBytes > 0 else { return [] }
            if content.trace.readableBytes > 0 {
                content.trace.writeImmutableBuffer(bytes)
                bytes = content.trace
                content.trace = ByteBuffer()
            }
            pending = .append
            return [.append(bytes)]
        } catch {
            switch error {
            case .tooLarge: return fail(&content, .headerTooLarge)
            case .tooManyReceived: return fail(&content, .loopDetected)
            }
        }
    }

    mutating func completeAppend(_ failure: SMTPStoreFailure?) -> [SMTPSessionAction] {
        guard let failure, case .content(var content) = phase else { return [] }
        let discard = fail(&content, SMTPReply(failure))
        phase = .content(content)
        return discard
    }

    /// Makes the message one that is refused at its end; the driver's message is given up now.
    private func fail(_ content: inout SMTPSessionContent, _ reply: SMTPReply) -> [SMTPSessionAction] {
        if content.failure == nil { content.failure = reply }
        defer { content.isOpen = false }
        return content.isOpen ? [.discardMessage] : []
    }

    /// Weighs a chunk before its octets come.
    private func announce(_ size: Int, to content: inout SMTPSessionContent) -> [SMTPSessionAction] {
        content.chunkSize = size
        guard content.failure == nil, size > configuration.maxMessageSize - content.size else { return [] }
        return fail(&content, .tooLarge)
    }

    /// True when every `From` address of an authenticated user's message is the user's own. No field, no forgery.
    private func isFromOwn(_ header: SMTPHeaderInspector) -> Bool {
        guard let user else { return true }
        return header.fromValues.allSatisfy { value in
            SMTPFromField.addresses(in: value)?.allSatisfy(user.owns) ?? false
        }
    }
}

// MARK: - The end

extension SMTPSession {
    mutating func handleDataEnd(_ fault: SMTPContentFault?) -> [SMTPSessionAction] {
        guard case .content(var content) = phase else { return [] }
        if let fault, content.failure == nil {
            let discard = fail(&content, .faultyContent(fault))
            phase = .content(content)
            return discard + finishMessage()
        }
        return finishMessage()
    }

    mutating func handleChunkEnd(last: Bool) -> [SMTPSessionAction] {
        if let reply = refusedChunk {
            refusedChunk = nil
            return refuse(reply)
        }
        guard case .content(var content) = phase else { return [] }
        var discard: [SMTPSessionAction] = []
        if content.failure == nil, let fault = last ? content.check.finish() : content.check.fault {
            discard = fail(&content, .faultyContent(fault))
            phase = .content(content)
        }
        if last || content.failure != nil { return discard + finishMessage() }
        return [.reply(.chunkReceived(content.chunkSize))]
    }

    /// Refuses the message if it failed, else hands over what was held back and commits.
    private mutating func finishMessage() -> [SMTPSessionAction] {
        guard case .content(var content) = phase else { return [] }
        if content.failure == nil, !content.header.isInBody {
            let rest = content.header.finish()
            content.trace.writeImmutableBuffer(rest)
            let discard = isFromOwn(content.header) ? [] : fail(&content, .notYourFrom)
            phase = .content(content)
            guard discard.isEmpty else { return discard + finishMessage() }
        }
        if let failure = content.failure { return endTransaction() + [.reply(failure)] }
        guard content.trace.readableBytes > 0 else { return commit() }
        pending = .lastAppend
        return [.append(content.trace)]
    }

    mutating func completeLastAppend(_ failure: SMTPStoreFailure?) -> [SMTPSessionAction] {
        guard let failure else { return commit() }
        return endTransaction() + [.reply(SMTPReply(failure))]
    }

    private mutating func commit() -> [SMTPSessionAction] {
        guard let envelope else { return [] }
        pending = .commit
        return [.commit(envelope)]
    }

    mutating func completeCommit(_ failure: SMTPStoreFailure?) -> [SMTPSessionAction] {
        // The driver's message is gone with the commit, whatever its outcome.
        if case .content(var content) = phase {
            content.isOpen = false
            phase = .content(content)
        }
        let actions = endTransaction()
        if let failure { return actions + [.reply(SMTPReply(failure))] }
        messageCount += 1
        errorCount = 0
        return actions + [.reply(.accepted)]
    }
}
