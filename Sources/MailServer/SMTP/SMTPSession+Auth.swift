import NIOCore
import SMTPCodec

/// AUTH with PLAIN (RFC 4616) and LOGIN, as RFC 4954 frames them.
extension SMTPSession {
    mutating func auth(_ mechanism: String, _ response: SMTPAuthResponse?) -> [SMTPSessionAction] {
        guard isExtended else { return refuseWaiting(.helloFirst) }
        guard user == nil else { return refuseWaiting(.alreadyAuthenticated) }
        guard case .idle = phase else { return refuseWaiting(.badSequence) }
        guard mayAuthenticate else { return refuseWaiting(.authNeedsTLS) }
        switch mechanism {
        case "PLAIN": exchange = .plain
        case "LOGIN": exchange = .loginUser
        default: return refuseWaiting(.unknownMechanism)
        }
        if let response { return handleAuthResponse(response) }
        return challenge(mechanism == "PLAIN" ? "" : "Username:")
    }

    mutating func handleAuthResponse(_ response: SMTPAuthResponse) -> [SMTPSessionAction] {
        guard let exchange else { return refuseWaiting(.badSequence) }
        self.exchange = nil
        switch response {
        case .cancel: return refuseWaiting(.authCancelled)
        case .malformed: return refuseWaiting(.authMalformed)
        case .data(let data):
            switch exchange {
            case .plain: return plain(data)
            case .loginUser:
                guard let user = Self.text(data), !user.isEmpty else { return refuseWaiting(.authMalformed) }
                self.exchange = .loginPassword(user: user)
                return challenge("Password:")
            case .loginPassword(let user):
                guard let password = Self.text(data) else { return refuseWaiting(.authMalformed) }
                return verify(user: user, password: password)
            }
        }
    }

    mutating func completeAuthentication(_ outcome: SMTPAuthenticationOutcome) -> [SMTPSessionAction] {
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
        pending = .authentication
        return [.authenticate(user: user, password: password)]
    }

    private func challenge(_ text: String) -> [SMTPSessionAction] {
        [.reply(.authChallenge(Array(text.utf8))), .directive(.readAuthResponse)]
    }

    private static func text(_ bytes: [UInt8]) -> String? {
        guard !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
