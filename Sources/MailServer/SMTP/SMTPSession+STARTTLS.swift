import SMTPCodec

/// STARTTLS (RFC 3207).
extension SMTPSession {
    /// True while the EHLO reply offers STARTTLS.
    var offersSTARTTLS: Bool { configuration.offersTLS && !isTLS }

    mutating func startTLS() -> [SMTPSessionAction] {
        guard !isTLS else { return refuseWaiting(.tlsActive) }
        guard configuration.offersTLS else { return refuseWaiting(.noTLS) }
        let discard = endTransaction()
        state = .waiting(.tls)
        return discard + [.prepareTLS]
    }

    mutating func completeTLS(_ readiness: SMTPTLSReadiness) -> [SMTPSessionAction] {
        switch readiness {
        case .plaintextBehind: return end(with: .plaintextBehindTLS)
        case .unavailable:
            state = .idle
            return [.reply(.tlsUnavailable), .directive(.readCommands)]
        case .ready:
            // All knowledge from the clear-text phase is discarded (section 4.2).
            state = .idle
            isTLS = true
            hello = nil
            user = nil
            return [.reply(.readyForTLS), .startTLS, .directive(.restartForTLS)]
        }
    }
}
