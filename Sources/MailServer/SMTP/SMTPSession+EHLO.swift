import MailAccounts
import SMTPCodec

/// EHLO and HELO, and the extensions in the EHLO reply.
extension SMTPSession {
    /// The client's name, and the command that gave it.
    struct Hello {
        var name: String
        /// True for EHLO: the client supports extensions.
        var isExtended: Bool
    }

    /// True once the client has sent EHLO.
    var isExtended: Bool { hello?.isExtended ?? false }

    /// Handles either command, which also ends a transaction (RFC 5321 section 4.1.4).
    mutating func greet(_ hello: Hello) -> [SMTPSessionAction] {
        let discard = endTransaction()
        self.hello = hello
        let lines = hello.isExtended ? [configuration.hostname] + extensions : [configuration.hostname]
        return discard + [.reply(SMTPReply(250, lines: lines))]
    }

    /// The extensions offered in the current state.
    private var extensions: [String] {
        var lines = ["PIPELINING", "SIZE \(configuration.maxMessageSize)"]
        if !isAuthHidden { lines.append("AUTH \(SASLMechanism.preferred.map(\.rawValue).joined(separator: " "))") }
        lines.append("8BITMIME")
        if offersSTARTTLS { lines.append("STARTTLS") }
        return lines + ["CHUNKING", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
    }
}
