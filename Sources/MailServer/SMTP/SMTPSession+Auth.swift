import MailAccounts
import MailDelivery
import NIOCore
import SMTPCodec
import ShardFS

/// The AUTH command (RFC 4954), with the mechanisms of ``SASLServer``.
extension SMTPSession {
    mutating func auth(_ mechanism: String, _ response: SMTPAuthResponse?) -> [SMTPSessionAction] {
        guard isExtended else { return refuseWaiting(.helloFirst) }
        guard user == nil else { return refuseWaiting(.alreadyAuthenticated) }
        guard case .idle = state else { return refuseWaiting(.badSequence) }
        guard !isAuthHidden else { return refuseWaiting(.authNeedsTLS) }
        guard let mechanism = SASLMechanism(rawValue: mechanism) else { return refuseWaiting(.unknownMechanism) }
        var server = SASLServer(mechanism, credentials: .text, nonce: configuration.makeNonce())
        guard let response else {
            let step = server.begin(nil)
            return take(step, of: server)
        }
        state = .authenticating(server)
        return handleAuthResponse(response)
    }

    mutating func handleAuthResponse(_ response: SMTPAuthResponse) -> [SMTPSessionAction] {
        guard case .authenticating(var server) = state else { return refuseWaiting(.badSequence) }
        state = .idle
        switch response {
        case .cancel: return refuseWaiting(.authCancelled)
        case .malformed: return refuseWaiting(.authMalformed)
        case .data(let message):
            let step = server.receive(message)
            return take(step, of: server)
        }
    }

    mutating func completeSCRAMLookup(_ found: SCRAMLookup, _ server: SASLServer) -> [SMTPSessionAction] {
        state = .idle
        switch found {
        case .credentials(let credentials):
            var server = server
            let step = server.found(credentials)
            return take(step, of: server)
        case .lockedOut: return completeAuthentication(.lockedOut)
        case .unavailable(let reason): return completeAuthentication(.unavailable(reason: reason))
        }
    }

    mutating func completeAuthentication(_ outcome: LoginOutcome) -> [SMTPSessionAction] {
        state = .idle
        switch outcome {
        case .accepted(let account):
            guard let address = SMTPAddress(account.address.description) else { return authUnavailable }
            user = SMTPUser(addresses: [address])
            return [.reply(.authenticated), .directive(.readCommands)]
        case .refused, .disabled:
            loginFailureCount += 1
            guard loginFailureCount < configuration.maxLoginFailures else {
                return [.reply(.badCredentials)] + end(with: .tooManyLoginFailures)
            }
            return [.reply(.badCredentials), .directive(.readCommands)]
        case .tooManyConnections: return end(with: .tooManyConnectionsOfAccount)
        case .lockedOut: return end(with: .lockedOut)
        case .unavailable: return authUnavailable
        }
    }

    private var authUnavailable: [SMTPSessionAction] { [.reply(.authUnavailable), .directive(.readCommands)] }

    /// Performs the session's part of a SASL step.
    private mutating func take(_ step: SASLServer.Step, of server: SASLServer) -> [SMTPSessionAction] {
        switch step {
        case .challenge(let message):
            state = .authenticating(server)
            return [.reply(.authChallenge(message)), .directive(.readAuthResponse)]
        case .lookUp(let user):
            state = .waiting(.scramCredentials(server))
            return [.findSCRAMCredentials(user: user)]
        case .decide(let attempt):
            state = .waiting(.authentication)
            return [.authenticate(attempt)]
        case .failed(let failure):
            switch failure.kind {
            case .malformed: return refuseWaiting(.authMalformed)
            case .unsupported: return refuseWaiting(.unknownMechanism)
            case .authorization, .refused: return completeAuthentication(.refused)
            }
        }
    }
}
