import IMAPCodec
import MailAccess
import NIOCore
import ServerRuntime
import ShardFS

// FETCH and UID FETCH. RFC 9051 section 6.4.5.

extension IMAPSession {
    func fetch(_ command: IMAPFetchCommand) async throws(IMAPFailure) -> Completion {
        let view = try selected()
        if command.vanished {
            guard usesVanished else { throw .bad("Enable QRESYNC first") }
            guard let modSeq = command.changedSince, modSeq > 0 else { throw .bad("A mod-sequence must not be 0") }
        }
        var items = command.items
        if items.contains(.modSeq) { enableModSeq() }
        if command.changedSince != nil {
            enableModSeq()
            // RFC 7162 section 3.1.4.1: CHANGEDSINCE implies MODSEQ.
            items.append(.modSeq)
        }
        var ranges = try uidRanges(command.set, byUID: command.byUID, in: view)
        // PARTIAL applies before CHANGEDSINCE (RFC 9394 section 3.4).
        if let partial = command.partial {
            ranges = view.uidRanges(of: ranges, at: partial.places(of: view.count(in: ranges)))
        }
        if command.vanished, let modSeq = command.changedSince {
            // Here `*` is the highest UID ever assigned: the last message may be an expunged one.
            let asked = command.set.resolved(largest: view.highestPossibleUID) ?? savedSearch
            try await reportVanished(since: modSeq, in: asked, of: view)
        }
        let plan = FetchPlan(items, withUID: command.byUID, isReadOnly: view.isReadOnly, reportsModSeq: usesModSeq)
        let producer = try await deliver(
            FetchProducer(
                plan, of: ranges, in: view, utf8: encoder.utf8, changedSince: command.changedSince ?? 0,
                limits: configuration.parseLimits, memory: configuration.memory),
            then: updateScope(expunges: mayReportExpunges), of: view)
        context?.hasSentUpdates = true
        if !producer.unreadable.isEmpty {
            report(producer.unreadable, "FETCH", in: view)
            throw .unreadable(producer.unreadable)
        }
        if let refusal = producer.refusal { throw IMAPFailure(refusal) }
        guard producer.isIncomplete else { return Completion("FETCH completed") }
        // All others were answered for (RFC 5530 section 3, RFC 2180 section 4.1).
        guard producer.hasAnswered else { throw .expungeIssued }
        return Completion("FETCH completed", code: .expungeIssued)
    }

    /// A piece of responses, and the mailbox update that follows the last one.
    private struct Piece: Sendable {
        var producer: FetchProducer
        var bytes = ByteBuffer()
        var isLast = false
        var update = Result<MailboxUpdate, StoreError>.success(.none)
    }

    /// Sends everything that a producer has, piece by piece, and returns the producer in its final state.
    ///
    /// - Parameter asked: the updates to check for after the last piece, in the same turn on the pool, and to send.
    @discardableResult
    func deliver(
        _ producer: FetchProducer, then asked: UpdateScope? = nil, of view: SelectedMailbox? = nil
    ) async throws(IMAPFailure) -> FetchProducer {
        var piece = Piece(producer: producer)
        let limit = configuration.outputPiece
        var kind: InlineWork.Kind? = producer.isShort ? .reading : nil
        while true {
            let before = piece.producer
            let step: Result<Piece, StoreError> = try await blocking(inline: kind) { () throws(StoreError) in
                var piece = Piece(producer: before)
                do throws(StoreError) {
                    piece.isLast = try piece.producer.produce(into: &piece.bytes, limit: limit)
                } catch {
                    return .failure(error)
                }
                if piece.isLast, let asked, let view {
                    do throws(StoreError) {
                        piece.update = .success(try asked.look(at: view, known: piece.producer.known))
                    } catch {
                        piece.update = .failure(error)
                    }
                }
                return .success(piece)
            }
            guard case .success(let next) = step else {
                // Part of a response may have been sent: the client could not parse anything after it.
                throw .bye(.unavailable, "A message could not be read")
            }
            piece = next
            kind = nil
            buffer.writeImmutableBuffer(piece.bytes)
            if piece.isLast { break }
            try await flush()
        }
        // The outcome stands even when the update must wait for the next command.
        if let view, case .success(let update) = piece.update { try await take(update, after: view) }
        return piece.producer
    }
}

extension IMAPFailure {
    fileprivate init(_ refusal: BinarySection.Refusal) {
        self =
            switch refusal {
            case .unknownEncoding: .no(.unknownCTE, "A part has an unknown transfer encoding")
            case .notLeaf: .no(.cannot, "BINARY applies only to parts without subparts")
            }
    }
}
