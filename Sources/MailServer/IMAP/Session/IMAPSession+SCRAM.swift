import IMAPCodec

// AUTHENTICATE SCRAM-SHA-256. RFC 7677; the messages are those of `SCRAMExchange`.

extension IMAPSession {
    func beginSCRAM(_ tag: String, _ message: [UInt8]) async throws(IMAPFailure) -> IMAPSessionStep {
        var scram = SCRAMExchange()
        let user: String
        do throws(SCRAMExchange.Failure) {
            user = try scram.first(message, serverNonce: configuration.makeNonce())
        } catch {
            return try await refuse(tag, error)
        }
        switch await backend.scramCredentials(user: user, from: remoteAddress) {
        case .credentials(let credentials):
            respond(.challenge(scram.challenge(credentials)))
            exchange = AuthExchange(tag: tag, step: .scramProof(user: user, scram))
            return .resolve(.continueAuthentication)
        case .lockedOut: return try await finish(tag, .lockedOut)
        case .unavailable: return try await finish(tag, .unavailable)
        }
    }

    func judgeSCRAM(
        _ tag: String, _ user: String, _ scram: SCRAMExchange, _ message: [UInt8]
    ) async throws(IMAPFailure) -> IMAPSessionStep {
        do throws(SCRAMExchange.Failure) {
            // IMAP's OK has no room for the server's own proof.
            respond(.challenge(try scram.last(message)))
            exchange = AuthExchange(tag: tag, step: .scramEnd(user: user))
            return .resolve(.continueAuthentication)
        } catch {
            guard error.kind == .refused else { return try await refuse(tag, error) }
        }
        return try await finish(
            tag, await backend.scramLogin(user: user, isProven: false, from: remoteAddress))
    }

    func endSCRAM(_ tag: String, _ user: String, _ message: [UInt8]) async throws(IMAPFailure) -> IMAPSessionStep {
        guard message.isEmpty else {
            return try await refuse(tag, .init(kind: .malformed, text: "The exchange is over"))
        }
        return try await finish(tag, await backend.scramLogin(user: user, isProven: true, from: remoteAddress))
    }

    private func finish(
        _ tag: String, _ outcome: IMAPAuthenticationOutcome
    ) async throws(IMAPFailure) -> IMAPSessionStep {
        try await answer(tag) { session throws(IMAPFailure) in try session.enter(outcome, "AUTHENTICATE") }
        return resumeCommands()
    }

    private func refuse(_ tag: String, _ failure: SCRAMExchange.Failure) async throws(IMAPFailure) -> IMAPSessionStep {
        let failure: IMAPFailure =
            switch failure.kind {
            case .malformed: .bad(failure.text)
            case .unsupported: .no(.cannot, failure.text)
            case .authorization: .no(.authorizationFailed, failure.text)
            case .refused: .no(.authenticationFailed, failure.text)
            }
        try await answer(tag) { _ throws(IMAPFailure) in throw failure }
        return .resolve(.resume)
    }
}
