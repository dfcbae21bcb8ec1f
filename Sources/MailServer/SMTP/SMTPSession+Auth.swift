import NIOCore
import SMTPCodec

/// AUTH with PLAIN (RFC 4616), LOGIN and SCRAM-SHA-256 (RFC 7677), as RFC 4954 frames them.
extension SMTPSession {
    mutating func auth(_ mechanism: String, _ response: SMTPAuthResponse?) -> [SMTPSessionAction] {
        guard isExtended else { return refuseWaiting(.helloFirst) }
        guard user == nil else { return refuseWaiting(.alreadyAuthenticated) }
        guard case .idle = state else { return refuseWaiting(.badSequence) }
        guard !isAuthHidden else { return refuseWaiting(.authNeedsTLS) }
        switch mechanism {
        case "PLAIN": state = .authenticating(.plain)
        case "LOGIN": state = .authenticating(.loginUser)
        case "SCRAM-SHA-256": state = .authenticating(.scramFirst)
        default: return refuseWaiting(.unknownMechanism)
        }
        if let response { return handleAuthResponse(response) }
        return challenge(mechanism == "LOGIN" ? "Username:" : "")
    }

    mutating func handleAuthResponse(_ response: SMTPAuthResponse) -> [SMTPSessionAction] {
        guard case .authenticating(let exchange) = state else { return refuseWaiting(.badSequence) }
        state = .idle
        switch response {
        case .cancel: return refuseWaiting(.authCancelled)
        case .malformed: return refuseWaiting(.authMalformed)
        case .data(let data):
            switch exchange {
            case .plain: return plain(data)
            case .loginUser:
                guard let user = Self.text(data), !user.isEmpty else { return refuseWaiting(.authMalformed) }
                state = .authenticating(.loginPassword(user: user))
                return challenge("Password:")
            case .loginPassword(let user):
                guard let password = Self.text(data) else { return refuseWaiting(.authMalformed) }
                return verify(user: user, password: password)
            case .scramFirst: return beginSCRAM(data)
            case .scramProof(let user, let scram): return judgeSCRAM(user, scram, data)
            case .scramEnd(let user):
                guard data.isEmpty else { return refuseWaiting(.authMalformed) }
                return endSCRAM(user, isProven: true)
            }
        }
    }

    mutating func completeAuthentication(_ outcome: SMTPAuthenticationOutcome) -> [SMTPSessionAction] {
        state = .idle
        switch outcome {
        case .accepted(let user):
            self.user = user
            return [.reply(.authenticated), .directive(.readCommands)]
        case .refused:
            loginFailureCount += 1
            guard loginFailureCount < configuration.maxLoginFailures else {
                return [.reply(.badCredentials)] + end(with: .tooManyLoginFailures)
            }
            return [.reply(.badCredentials), .directive(.readCommands)]
        case .lockedOut: return end(with: .lockedOut)
        case .unavailable: return [.reply(.authUnavailable), .directive(.readCommands)]
        }
    }

    /// `[authzid] NUL authcid NUL passwd`; nobody may act for another, so the first is empty or the second once more.
    private mutating func plain(_ data: [UInt8]) -> [SMTPSessionAction] {
        let parts = data.split(separator: 0, omittingEmptySubsequences: false).map { Self.text(Array($0)) }
        guard parts.count == 3, let authorization = parts[0], let user = parts[1], let password = parts[2],
            !user.isEmpty
        else { return refuseWaiting(.authMalformed) }
        guard authorization.isEmpty || authorization == user else {
            return completeAuthentication(.refused)
        }
        return verify(user: user, password: password)
    }

    private mutating func verify(user: String, password: String) -> [SMTPSessionAction] {
        state = .waiting(.authentication)
        return [.authenticate(user: user, password: password)]
    }

    // MARK: - SCRAM

    private mutating func beginSCRAM(_ message: [UInt8]) -> [SMTPSessionAction] {
        var scram = SCRAMExchange()
        do throws(SCRAMExchange.Failure) {
            let user = try scram.first(message, serverNonce: configuration.makeNonce())
            state = .waiting(.scramCredentials(user: user, scram))
            return [.findSCRAMCredentials(user: user)]
        } catch {
            return refuse(error)
        }
    }

    mutating func completeSCRAMLookup(
        _ found: SCRAMLookup, _ user: String, _ scram: SCRAMExchange
    ) -> [SMTPSessionAction] {
        switch found {
        case .credentials(let credentials):
            var scram = scram
            let message = scram.challenge(credentials)
            state = .authenticating(.scramProof(user: user, scram))
            return challenge(message)
        case .lockedOut: return completeAuthentication(.lockedOut)
        case .unavailable: return completeAuthentication(.unavailable)
        }
    }

    private mutating func judgeSCRAM(
        _ user: String, _ scram: SCRAMExchange, _ message: [UInt8]
    ) -> [SMTPSessionAction] {
        do throws(SCRAMExchange.Failure) {
            // A 235 has no room for the server's own proof (RFC 4954 section 4).
            let proof = try scram.last(message)
            state = .authenticating(.scramEnd(user: user))
            return challenge(proof)
        } catch {
            return error.kind == .refused ? endSCRAM(user, isProven: false) : refuse(error)
        }
    }

    private mutating func endSCRAM(_ user: String, isProven: Bool) -> [SMTPSessionAction] {
        state = .waiting(.authentication)
        return [.endSCRAM(user: user, isProven: isProven)]
    }

    private mutating func refuse(_ failure: SCRAMExchange.Failure) -> [SMTPSessionAction] {
        switch failure.kind {
        case .malformed: refuseWaiting(.authMalformed)
        case .unsupported: refuseWaiting(.unknownMechanism)
        case .authorization, .refused: completeAuthentication(.refused)
        }
    }

    private func challenge(_ text: String) -> [SMTPSessionAction] { challenge(Array(text.utf8)) }

    private func challenge(_ message: [UInt8]) -> [SMTPSessionAction] {
        [.reply(.authChallenge(message)), .directive(.readAuthResponse)]
    }

    private static func text(_ bytes: [UInt8]) -> String? {
        guard !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
