import IMAPCodec

// COMPRESS. RFC 4978.

extension IMAPSession {
    func compress(_ tag: String, _ algorithm: String) async throws(IMAPFailure) -> IMAPSessionStep {
        var begins = false
        try await answer(tag) { session throws(IMAPFailure) in
            guard algorithm == "DEFLATE" else { throw .bad("This compression is not offered") }
            guard !session.isCompressed else { throw .no(.compressionActive, "DEFLATE is in use already") }
            session.isCompressed = true
            begins = true
            return Completion("DEFLATE begins now")
        }
        return begins ? .compress : .resolve(.resume)
    }
}
