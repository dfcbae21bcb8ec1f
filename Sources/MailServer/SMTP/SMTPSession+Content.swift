import MailDelivery
import NIOCore
import SMTPCodec

/// The state of the message content being read.
struct SMTPSessionContent {
    /// The command that transfers it.
    enum Transfer {
        case data
        /// BDAT, whose content the decoder does not check. `size` is the current chunk in octets, for its reply.
        case chunks(SMTPContentCheck, size: Int)
    }

    var transfer: Transfer
    var header: SMTPHeaderInspector
    /// The trace fields, until they are sent with the first bytes of the message.
    var trace: ByteBuffer
    /// The octets of the message received so far, without added fields.
    var size = 0
    /// The reply to a message that cannot be accepted; the rest of it is read and dropped.
    private(set) var failure: SMTPReply?

    init(_ transfer: Transfer, header: SMTPHeaderInspector, trace: ByteBuffer) {
        self.transfer = transfer
        self.header = header
        self.trace = trace
    }

    /// True while the driver holds an open message.
    var isOpen: Bool { failure == nil }

    /// Marks the message to be refused at its end, unless it already is, and discards the driver's message.
    mutating func fail(_ reply: SMTPReply) -> [SMTPSessionAction] {
        guard isOpen else { return [] }
        failure = reply
        return [.discardMessage]
    }

    /// Checks the size of a chunk before its octets arrive.
    mutating func announce(_ size: Int, maxMessageSize: Int) -> [SMTPSessionAction] {
        if case .chunks(let check, _) = transfer { transfer = .chunks(check, size: size) }
        return size > maxMessageSize - self.size ? fail(.tooLarge) : []
    }
}

// MARK: - DATA and BDAT

extension SMTPSession {
    mutating func data() -> [SMTPSessionAction] {
        guard contentRefusal == nil, case .envelope(let envelope) = state else {
            return refuseWaiting(contentRefusal ?? .mailFirst)
        }
        return beginMessage(envelope, chunkSize: nil)
    }

    /// Handles BDAT (RFC 3030). The octets of the chunk follow in any case; the reply is sent after them.
    mutating func chunk(_ size: Int, last: Bool) -> [SMTPSessionAction] {
        guard size <= configuration.maxDiscardedBytes else { return endOfContent(.tooLarge) }
        switch state {
        case .content(let envelope, var content):
            let discard = content.announce(size, maxMessageSize: configuration.maxMessageSize)
            state = .content(envelope, content)
            return discard
        case .envelope(let envelope):
            if let reply = contentRefusal {
                state = .droppingChunk(reply, envelope)
                return []
            }
            return beginMessage(envelope, chunkSize: size)
        case .idle, .authenticating, .droppingChunk, .waiting, .closed:
            state = .droppingChunk(.mailFirst, nil)
            return []
        }
    }

    /// Refuses a BDAT with invalid arguments. Its chunk is read and dropped, and the transaction ends: a message must not
    /// lack a chunk, so later chunks are refused too.
    mutating func malformedChunk(_ size: Int, _ reply: SMTPReply) -> [SMTPSessionAction] {
        guard size <= configuration.maxDiscardedBytes else { return endOfContent(reply) }
        let discard = endTransaction()
        state = .droppingChunk(reply, nil)
        return discard
    }

    /// Refuses content too long to be read to its end; the rest could not be told from commands, so the session ends.
    private mutating func endOfContent(_ reply: SMTPReply) -> [SMTPSessionAction] {
        [.reply(reply)] + end(with: .contentNotRead)
    }

    private var contentRefusal: SMTPReply? {
        switch state {
        case .envelope(let envelope):
            guard envelope.recipients.isEmpty else { return nil }
            return refusedRecipientCount > 0 ? .noValidRecipients : .recipientFirst
        case .content: return .badSequence
        case .idle, .authenticating, .droppingChunk, .waiting, .closed: return .mailFirst
        }
    }

    private mutating func beginMessage(_ envelope: SMTPEnvelope, chunkSize: Int?) -> [SMTPSessionAction] {
        state = .waiting(.messageBegin(envelope, chunkSize: chunkSize))
        return [.beginMessage(envelope)]
    }

    mutating func completeMessageBegin(
        _ result: Result<SMTPMessageStamp, Refusal>, _ envelope: SMTPEnvelope, chunkSize: Int?
    ) -> [SMTPSessionAction] {
        switch (result, chunkSize) {
        case (.failure(let refusal), .some):
            state = .droppingChunk(refusal.reply, nil)
            return []
        case (.failure(let refusal), nil):
            state = .idle
            return [.reply(refusal.reply), .directive(.readCommands)]
        case (.success(let stamp), .some(let size)):
            var content = newContent(envelope, stamp, .chunks(SMTPContentCheck(), size: size))
            let discard = content.announce(size, maxMessageSize: configuration.maxMessageSize)
            state = .content(envelope, content)
            return discard
        case (.success(let stamp), nil):
            state = .content(envelope, newContent(envelope, stamp, .data))
            return [.reply(.startInput), .directive(.readData)]
        }
    }

    private func newContent(
        _ envelope: SMTPEnvelope, _ stamp: SMTPMessageStamp, _ transfer: SMTPSessionContent.Transfer
    ) -> SMTPSessionContent {
        let trace = SMTPTrace(
            envelope: envelope, hostname: configuration.hostname, isExtended: isExtended, isTLS: isTLS, stamp: stamp)
        let additions = SMTPHeaderInspector.Additions(
            date: stamp.date, messageID: "<\(stamp.id)@\(configuration.hostname)>")
        let header = SMTPHeaderInspector(
            maxSize: configuration.maxHeaderSize, maxReceived: configuration.maxReceivedFields,
            additions: envelope.user == nil ? nil : additions)
        return SMTPSessionContent(transfer, header: header, trace: trace.fields())
    }
}

// MARK: - The bytes

extension SMTPSession {
    mutating func handleContent(_ piece: ByteBuffer) -> [SMTPSessionAction] {
        guard case .content(let envelope, var content) = state else { return [] }
        let room = max(configuration.maxMessageSize - content.size, 0)
        content.size += piece.readableBytes
        let actions = content.isOpen ? store(piece, room: room, in: &content) : []
        if case .append? = actions.last {
            state = .waiting(.append(envelope, content))
            return actions
        }
        state = .content(envelope, content)
        // The rest of a failed message is read to find its end, but only up to a limit.
        if let failure = content.failure, content.size - configuration.maxMessageSize > configuration.maxDiscardedBytes
        {
            return actions + endOfContent(failure)
        }
        return actions
    }

    private func store(_ piece: ByteBuffer, room: Int, in content: inout SMTPSessionContent) -> [SMTPSessionAction] {
        // The size of a chunk was checked when it was announced. With DATA, the part within the limit is inspected
        // first, so that the reason for a refusal does not depend on how the bytes are split.
        var length = piece.readableBytes
        switch content.transfer {
        case .data: length = min(length, room)
        case .chunks(var check, let size):
            check.inspect(piece)
            content.transfer = .chunks(check, size: size)
        }
        let fitting = piece.getSlice(at: piece.readerIndex, length: length) ?? ByteBuffer()
        do throws(SMTPHeaderInspector.Fault) {
            let wasInBody = content.header.isInBody
            var bytes = try content.header.process(fitting)
            if !wasInBody && content.header.isInBody, !isFromOwn(content.header) { return content.fail(.notYourFrom) }
            guard length == piece.readableBytes else { return content.fail(.tooLarge) }
            guard bytes.readableBytes > 0 else { return [] }
            if content.trace.readableBytes > 0 {
                content.trace.writeImmutableBuffer(bytes)
                bytes = content.trace
                content.trace = ByteBuffer()
            }
            return [.append(bytes)]
        } catch {
            switch error {
            case .tooLarge: return content.fail(.headerTooLarge)
            case .tooManyReceived: return content.fail(.loopDetected)
            }
        }
    }

    mutating func completeAppend(
        _ refusal: Refusal?, _ envelope: SMTPEnvelope, _ content: SMTPSessionContent
    ) -> [SMTPSessionAction] {
        var content = content
        let discard = refusal.map { content.fail($0.reply) } ?? []
        state = .content(envelope, content)
        return discard
    }

    /// Returns true if the user is not authenticated or owns every `From` address; a missing field is allowed.
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
        guard case .content(let envelope, var content) = state else { return [] }
        let discard = fault.map { content.fail(.faultyContent($0)) } ?? []
        return discard + finishMessage(envelope, content)
    }

    mutating func handleChunkEnd(last: Bool) -> [SMTPSessionAction] {
        switch state {
        case .droppingChunk(let reply, let envelope):
            state = envelope.map { .envelope($0) } ?? .idle
            return refuse(reply)
        case .content(let envelope, var content):
            guard case .chunks(let check, let size) = content.transfer else { return [] }
            let fault = last ? check.finish() : check.fault
            let discard = fault.map { content.fail(.faultyContent($0)) } ?? []
            if last || !content.isOpen { return discard + finishMessage(envelope, content) }
            return [.reply(.chunkReceived(size))]
        case .idle, .authenticating, .envelope, .waiting, .closed: return []
        }
    }

    /// Refuses a failed message; otherwise passes on the held-back bytes and commits.
    private mutating func finishMessage(
        _ envelope: SMTPEnvelope, _ content: SMTPSessionContent
    ) -> [SMTPSessionAction] {
        var content = content
        var discard: [SMTPSessionAction] = []
        if content.isOpen, !content.header.isInBody {
            let rest = content.header.finish()
            content.trace.writeImmutableBuffer(rest)
            if !isFromOwn(content.header) { discard = content.fail(.notYourFrom) }
        }
        if let failure = content.failure {
            state = .idle
            return discard + [.reply(failure)]
        }
        guard content.trace.readableBytes > 0 else { return commit(envelope) }
        state = .waiting(.lastAppend(envelope))
        return [.append(content.trace)]
    }

    mutating func completeLastAppend(_ refusal: Refusal?, _ envelope: SMTPEnvelope) -> [SMTPSessionAction] {
        guard let refusal else { return commit(envelope) }
        return endTransaction() + [.reply(refusal.reply)]
    }

    private mutating func commit(_ envelope: SMTPEnvelope) -> [SMTPSessionAction] {
        state = .waiting(.commit)
        return [.commit(envelope)]
    }

    /// Completes the transaction; the commit has consumed the driver's message in every case.
    mutating func completeCommit(_ outcomes: [RecipientOutcome]) -> [SMTPSessionAction] {
        state = .idle
        if outcomes.contains(.delivered) {
            messageCount += 1
            errorCount = 0
        }
        return [.reply(SMTPReply(outcomes))]
    }
}
