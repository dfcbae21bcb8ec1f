import IMAPCodec

// COMPRESS. RFC 4978.

extension IMAPSession {
    func compress(_ tag: String, _ algorithm: String) async throws(IMAPFailure) -> IMAPSessionStep {
        var begins = false
        try await answer(tag) { session throws(IMAPFailure) in
            guard algorithm == "DEFLATE" else { throw .bad("This compression algorithm is not supported") }
            guard !session.isCompressed else { throw .no(.compressionActive, "DEFLATE is already active") }
            session.isCompressed = true
            begins = true
            return Completion("DEFLATE active")
        }
        return begins ? .compress : .resolve(.resume)
    }
}
