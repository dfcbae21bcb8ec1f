import MailDelivery
import SMTPCodec

/// All replies of a session, with the codes of RFC 5321 section 4.2.3 and the status codes of RFC 3463 and RFC 5248.
extension SMTPReply {
    static func greeting(_ hostname: String) -> SMTPReply { SMTPReply(220, nil, "\(hostname) ESMTP rmail") }
    static func closing(_ hostname: String) -> SMTPReply {
        SMTPReply(221, .init(2, 0, 0), "\(hostname) closing connection")
    }
    static let readyForTLS = SMTPReply(220, .init(2, 0, 0), "Ready to start TLS")
    static let ok = SMTPReply(250, .init(2, 0, 0), "OK")
    static let senderOK = SMTPReply(250, .init(2, 1, 0), "OK")
    static let recipientOK = SMTPReply(250, .init(2, 1, 5), "OK")
    static let accepted = SMTPReply(250, .init(2, 0, 0), "OK: message accepted for delivery")
    static func chunkReceived(_ size: Int) -> SMTPReply { SMTPReply(250, .init(2, 0, 0), "\(size) octets received") }
    static let authenticated = SMTPReply(235, .init(2, 7, 0), "Authentication successful")
    static let help = SMTPReply(214, .init(2, 0, 0), "See RFC 5321")
    static let cannotVerify = SMTPReply(252, .init(2, 5, 0), "Cannot verify the address; try sending mail to it")
    static let startInput = SMTPReply(354, nil, "End data with <CR><LF>.<CR><LF>")

    static func shuttingDown(_ hostname: String) -> SMTPReply {
        SMTPReply(421, .init(4, 3, 2), "\(hostname) is shutting down, closing connection")
    }
    static func timedOut(_ hostname: String) -> SMTPReply {
        SMTPReply(421, .init(4, 4, 2), "\(hostname) timed out waiting for input, closing connection")
    }
    static func tooManyConnections(_ hostname: String) -> SMTPReply {
        SMTPReply(421, .init(4, 3, 2), "\(hostname) has too many connections, try again later")
    }
    static let contentNotRead = SMTPReply(421, .init(4, 3, 4), "Too much content to read it all, closing connection")
    static let tooManyConnectionsOfAccount = SMTPReply(
        421, .init(4, 7, 0), "The account has too many connections, closing this one")
    static let accountDisabled = SMTPReply(421, .init(4, 7, 0), "The account is disabled, closing connection")
    static let tooManyErrors = SMTPReply(421, .init(4, 7, 0), "Too many errors, closing connection")
    static let tooManyMessages = SMTPReply(421, .init(4, 7, 0), "Too many messages in one connection")
    static let tooManyLoginFailures = SMTPReply(421, .init(4, 7, 0), "Too many failed logins, closing connection")

    static let badSequence = SMTPReply(503, .init(5, 5, 1), "Bad sequence of commands")
    static let helloFirst = SMTPReply(503, .init(5, 5, 1), "Send EHLO first")
    static let mailFirst = SMTPReply(503, .init(5, 5, 1), "Send MAIL first")
    static let recipientFirst = SMTPReply(503, .init(5, 5, 1), "Send RCPT first")
    static let noValidRecipients = SMTPReply(554, .init(5, 5, 1), "No valid recipients")
    static let unknownCommand = SMTPReply(500, .init(5, 5, 1), "Command not recognized")
    static let notImplemented = SMTPReply(502, .init(5, 5, 1), "Command not implemented")
    static let unknownParameter = SMTPReply(555, .init(5, 5, 4), "Parameter not recognized or not implemented")
    static let needsSMTPUTF8 = SMTPReply(553, .init(5, 6, 7), "An address with non-ASCII characters needs SMTPUTF8")

    static let noTLS = SMTPReply(502, .init(5, 5, 1), "TLS is not available here")
    static let tlsActive = SMTPReply(503, .init(5, 5, 1), "TLS is already active")
    static let tlsUnavailable = SMTPReply(454, .init(4, 7, 0), "TLS is not available at the moment")
    static let plaintextBehindTLS = SMTPReply(554, .init(5, 5, 1), "Data sent after STARTTLS, closing connection")

    static let authNeedsTLS = SMTPReply(538, .init(5, 7, 11), "Encryption is required: send STARTTLS first")
    static let alreadyAuthenticated = SMTPReply(503, .init(5, 5, 1), "Already authenticated")
    static let unknownMechanism = SMTPReply(504, .init(5, 5, 4), "Mechanism not recognized")
    static let authCancelled = SMTPReply(501, .init(5, 7, 0), "Authentication cancelled")
    static let authMalformed = SMTPReply(501, .init(5, 5, 2), "Malformed authentication response")
    static let badCredentials = SMTPReply(535, .init(5, 7, 8), "Authentication credentials invalid")
    static let authUnavailable = SMTPReply(454, .init(4, 7, 0), "Temporary authentication failure")
    static let lockedOut = SMTPReply(454, .init(4, 7, 0), "Too many failed logins, try again later")
    static let authRequired = SMTPReply(530, .init(5, 7, 0), "Authentication required")
    static let tlsRequired = SMTPReply(530, .init(5, 7, 0), "Send STARTTLS first")

    static let notYourFrom = SMTPReply(553, .init(5, 7, 1), "The From field contains an address that is not yours")
    static let tooLarge = SMTPReply(552, .init(5, 3, 4), "Message is too large")
    static let headerTooLarge = SMTPReply(554, .init(5, 6, 0), "The header of the message is too large")
    static let loopDetected = SMTPReply(554, .init(5, 4, 6), "Too many Received fields: mail loop")
    static let tooManyRecipients = SMTPReply(452, .init(4, 5, 3), "Too many recipients")

    static func faultyContent(_ fault: SMTPContentFault) -> SMTPReply {
        let text =
            switch fault {
            case .bareLF: "The message contains a bare LF; lines end with CR LF"
            case .bareCR: "The message contains a bare CR; lines end with CR LF"
            case .nul: "The message contains NUL"
            }
        return SMTPReply(554, .init(5, 6, 0), text)
    }

    /// Makes the single reply to a message: accepted for all recipients, or the first refusal.
    init(_ outcomes: [RecipientOutcome]) {
        for case .refused(let refusal) in outcomes {
            self = refusal.reply
            return
        }
        self = .accepted
    }
}
