import Glibc
import IMAPCodec
import MailAccess
import NIOCore
import ServerRuntime
import ShardFS

// APPEND, with several messages in one command (RFC 3502), in binary (RFC 3516) and with UTF-8 headers (RFC 6855).
// APPENDUID is RFC 4315.

extension IMAPSession {
    /// An APPEND or REPLACE whose messages are being received.
    struct AppendCommand {
        struct Message {
            var content: IncomingContent
            var flags: [IMAPFlag]
            var date: Int64?
            /// The message was sent as a literal8.
            var isBinary: Bool
            /// The message contains NUL, which only a literal8 can hold.
            var containsNUL = false
        }

        var mailbox: Mailbox
        /// The message of the selected mailbox to be replaced; nil for APPEND.
        var replaces: UID?
        var messages: [Message] = []
        /// Octets of the summaries of those that have come, which wait for the command's end.
        var summaryBytes = 0
        /// The first failure; everything received after it is ignored.
        var failure: IMAPFailure?

        /// Gives back the room of a command that is refused: the client may try again at once.
        func cancel() { for message in messages { message.content.staged.cancel() } }
    }

    /// Handles the announcement of a message: accepts it if its mailbox exists and has room.
    func beginMessage(_ message: IMAPAppendMessage) async throws(IMAPFailure) -> IMAPSessionStep {
        if message.index == 0 {
            owner.beginCommand()
            context = CommandContext(message.tag, message.policy)
        }
        do throws(IMAPFailure) {
            try message.policy.state.check(state)
            try await prepare(message)
            if message.isSynchronising { respond(.continuation(text: "OK")) }
            return .resolve(.acceptLiteral)
        } catch {
            appending?.cancel()
            appending = nil
            try refuse(message.tag, error)
            return .resolve(.refuseLiteral)
        }
    }

    private func prepare(_ message: IMAPAppendMessage) async throws(IMAPFailure) {
        let mail = try account().mail
        if let failure = appending?.failure { throw failure }
        if message.isUTF8, !encoder.utf8 { throw .bad("Enable UTF8=ACCEPT first") }
        try message.flags.checkStorable()
        let replaces = try message.replaces.map { replaced throws(IMAPFailure) in try target(of: replaced) }
        if message.size == 0 { throw .no(.cannot, "An empty message cannot be appended") }
        let begun = appending
        guard (begun?.messages.count ?? 0) < configuration.maxAppendMessages else {
            throw .no(.limit, "Too many messages in one command")
        }
        let (name, known, last) = (message.mailbox, begun?.mailbox, begun?.messages.last?.content)
        let limits = try account().index == nil ? nil : configuration.parseLimits
        let (memory, kept) = (configuration.memory, begun?.summaryBytes ?? 0)
        let (mailbox, content, added) = try await blocking(missing: .tryCreate) { () throws(StoreError) in
            // All but the summary of the message before goes.
            let added = last?.endSummary(memory: memory - kept) ?? 0
            let mailbox = if let known { known } else { try mail.mailbox(MailboxName(name)) }
            // Its room is taken now, beside all that the account's other connections are sending.
            let staged = try mailbox.stage(size: UInt64(message.size))
            return (mailbox, IncomingContent(staged, limits: limits, memory: memory), added)
        }
        var command = begun ?? AppendCommand(mailbox: mailbox, replaces: replaces)
        command.summaryBytes += added
        command.messages.append(
            .init(
                content: content, flags: message.flags, date: message.date?.secondsSince1970, isBinary: message.isBinary
            ))
        appending = command
    }

    /// Writes a piece of the latest message; nothing more is read from the client until it is written.
    func appendChunk(_ chunk: ByteBuffer) async {
        guard let command = appending, command.failure == nil, let message = command.messages.last else { return }
        if chunk.containsNUL {
            guard message.isBinary else {
                // RFC 9051 section 4.3.
                appending?.failure = .bad("A literal cannot contain NUL")
                return
            }
            appending?.messages[command.messages.count - 1].containsNUL = true
        }
        let content = message.content
        do throws(IMAPFailure) {
            try await blocking { () throws(StoreError) in
                let result: Result<Void, StoreError> = chunk.withUnsafeReadableBytes { bytes in
                    do throws(StoreError) { return .success(try content.write(bytes)) } catch { return .failure(error) }
                }
                try result.get()
            }
        } catch {
            appending?.failure = error
        }
    }

    /// Completes the command: all messages become visible, or none.
    func finishAppend() async throws(IMAPFailure) -> Completion {
        guard let command = appending else { throw .bad("There is no message to append") }
        appending = nil
        do throws(IMAPFailure) { return try await store(command) } catch {
            command.cancel()
            throw error
        }
    }

    private func store(_ command: AppendCommand) async throws(IMAPFailure) -> Completion {
        if let failure = command.failure { throw failure }
        if let old = command.replaces { try await checkThere(old) }
        let (index, limits) = (try account().index, configuration.parseLimits)
        let mailbox = command.mailbox
        let messages = try await withoutBinary(command.messages, for: mailbox)
        let results = try await blocking(missing: .tryCreate) { () throws(StoreError) in
            var ready: [(message: FinishedMessage, flags: NamedFlags)] = []
            for message in messages {
                let finished = try message.content.staged.finish(internalDate: message.date)
                ready.append((finished, NamedFlags(message.flags)))
            }
            let results = try mailbox.append(ready)
            for (message, result) in zip(messages, results) {
                message.content.keepSummary(in: index, of: mailbox, result, limits: limits)
            }
            return results
        }
        notify?.noteOwn(results.map(\.uid.rawValue), in: mailbox)
        if let old = command.replaces, let new = results.first {
            try await remove(old, replacedBy: new, in: mailbox)
            context?.beginTellingOwn()
            try await sendUpdates(expunges: mayReportExpunges)
            return Completion("REPLACE completed")
        }
        try await sendUpdates(expunges: mayReportExpunges)
        guard let first = results.first else { return Completion("APPEND completed") }
        let uids: [ClosedRange<UInt32>] = .init(ascending: results.map(\.uid.rawValue))
        return Completion("APPEND completed", code: .appendUID(uidValidity: first.uidValidity, uids: uids))
    }
}

extension IMAPSession {
    /// Rewrites binary messages so that every message can be sent as an ordinary literal.
    private func withoutBinary(
        _ messages: [AppendCommand.Message], for mailbox: Mailbox
    ) async throws(IMAPFailure) -> [AppendCommand.Message] {
        guard messages.contains(where: \.isBinary) else { return messages }
        let (limits, memory) = (configuration.parseLimits, configuration.memory)
        let summarised = try account().index == nil ? nil : limits
        let kept = try await blocking(missing: .tryCreate) { () throws(StoreError) -> [AppendCommand.Message]? in
            var kept = messages
            for place in kept.indices where kept[place].isBinary {
                let changes = try kept[place].content.binaryChanges(limits: limits)
                if changes.isEmpty, !kept[place].containsNUL { continue }
                let staged = try mailbox.stage(inPlaceOf: kept[place].content.staged)
                let content = IncomingContent(staged, limits: summarised, memory: memory)
                guard try kept[place].content.write(changes, to: content) else { return nil }
                content.endSummary(memory: memory / kept.count)
                kept[place].content = content
            }
            return kept
        }
        // RFC 3516 section 4.4.
        guard let kept else { throw .no(.unknownCTE, "A part that is not declared binary contains NUL") }
        return kept
    }
}

extension ByteBuffer {
    fileprivate var containsNUL: Bool {
        withUnsafeReadableBytes { bytes in
            guard let start = bytes.baseAddress else { return false }
            return memchr(start, 0, bytes.count) != nil
        }
    }
}
