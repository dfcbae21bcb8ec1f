import NIOCore
import SMTPCodec

extension SMTPSession {
    mutating func handle(_ command: SMTPCommand) -> [SMTPSessionAction] {
        switch command {
        case .ehlo(let name): return hello(name, isExtended: true)
        case .helo(let name): return hello(name, isExtended: false)
        case .mail(let sender, let parameters): return mail(sender, parameters)
        case .rcpt(let path, let parameters): return rcpt(path, parameters)
        case .data: return data()
        case .bdat(let size, let last): return chunk(size, last: last)
        case .rset: return endTransaction() + [.reply(.ok)]
        case .noop: return [.reply(.ok)]
        case .quit: return end(with: .closing(configuration.hostname), draining: false)
        case .vrfy: return [.reply(.cannotVerify)]
        case .help: return [.reply(.help)]
        case .startTLS: return startTLS()
        case .auth(let mechanism, let response): return auth(mechanism, response)
        case .expn: return refuse(.notImplemented)
        case .lhlo, .unknown: return refuse(.unknownCommand)
        }
    }

    /// EHLO and HELO, which also end a transaction (RFC 5321 section 4.1.4).
    private mutating func hello(_ name: String, isExtended: Bool) -> [SMTPSessionAction] {
        let discard = endTransaction()
        clientName = name
        self.isExtended = isExtended
        let lines = isExtended ? [configuration.hostname] + extensions : [configuration.hostname]
        return discard + [.reply(SMTPReply(250, lines: lines))]
    }

    /// The extensions offered in the present state. AUTH waits for TLS where TLS is configured.
    private var extensions: [String] {
        var lines = ["PIPELINING", "SIZE \(configuration.maxMessageSize)"]
        if mayAuthenticate { lines.append("AUTH SCRAM-SHA-256 PLAIN LOGIN") }
        lines.append("8BITMIME")
        if configuration.offersTLS && !isTLS { lines.append("STARTTLS") }
        return lines + ["CHUNKING", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
    }

    /// True when credentials would not travel in clear, or TLS is turned off altogether.
    var mayAuthenticate: Bool { isTLS || !configuration.offersTLS }

    // MARK: - STARTTLS (RFC 3207)

    private mutating func startTLS() -> [SMTPSessionAction] {
        guard !isTLS else { return refuseWaiting(.tlsActive) }
        guard configuration.offersTLS else { return refuseWaiting(.noTLS) }
        pending = .tls
        return endTransaction() + [.prepareTLS]
    }

    mutating func completeTLS(_ readiness: SMTPTLSReadiness) -> [SMTPSessionAction] {
        switch readiness {
        case .plaintextBehind: return end(with: .plaintextBehindTLS)
        case .unavailable: return [.reply(.tlsUnavailable), .directive(.readCommands)]
        case .ready:
            // What was said in clear is forgotten (section 4.2).
            isTLS = true
            clientName = nil
            isExtended = false
            user = nil
            return [.reply(.readyForTLS), .startTLS, .directive(.restartForTLS)]
        }
    }
}
