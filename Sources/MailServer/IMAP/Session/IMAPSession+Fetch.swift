import IMAPCodec
import NIOCore
import ShardFS

// FETCH and UID FETCH. RFC 9051 section 6.4.5.

extension IMAPSession {
    func fetch(_ command: IMAPFetchCommand) async throws(IMAPFailure) -> Completion {
        let view = try selected()
        if command.vanished || command.partial != nil { throw .bad("This form of FETCH is not offered") }
        var items = command.items
        if items.contains(.modSeq) { enableModSeq() }
        if command.changedSince != nil {
            enableModSeq()
            // RFC 7162 section 3.1.4.1: as if MODSEQ had been asked for.
            items.append(.modSeq)
        }
        let ranges = try uidRanges(command.set, byUID: command.byUID, in: view)
        let plan = FetchPlan(
            items, withUID: command.byUID, isReadOnly: view.isReadOnly, tellsModSeq: usesModSeq)
        var producer = FetchProducer(
            plan, of: ranges, in: view, utf8: encoder.utf8, changedSince: command.changedSince ?? 0,
            limits: configuration.parseLimits)
        let limit = configuration.outputPiece
        while true {
            let before = producer
            let step: Result<(FetchProducer, ByteBuffer, Bool), StoreError> = try await blocking {
                () throws(StoreError) in
                var producer = before
                var piece = ByteBuffer()
                do throws(StoreError) {
                    let isDone = try producer.produce(into: &piece, limit: limit)
                    return .success((producer, piece, isDone))
                } catch {
                    return .failure(error)
                }
            }
            guard case .success(let (after, piece, isDone)) = step else {
                // Part of an answer may be on its way: nothing that follows could be understood.
                throw .bye(.unavailable, "A message could not be read")
            }
            producer = after
            buffer.writeImmutableBuffer(piece)
            if isDone { break }
            try await flush()
        }
        if !producer.changed.isEmpty {
            try await sync(expunges: command.byUID, known: producer.changed.mapValues(\.modSeq))
        }
        if producer.isIncomplete { throw .expungeIssued }
        if let refusal = producer.refusal { throw IMAPFailure(refusal) }
        return Completion("FETCH completed")
    }
}

extension IMAPFailure {
    fileprivate init(_ refusal: BinarySection.Refusal) {
        self =
            switch refusal {
            case .unknownEncoding: .no(.unknownCTE, "The encoding of a part is not known")
            case .notLeaf: .no(.cannot, "BINARY is for parts that have no parts of their own")
            }
    }
}
