/// A syntax error in a command line, with its reply.
public struct SMTPSyntaxError: Error, Hashable, Sendable {
    /// The kind of error.
    public enum Kind: Hashable, Sendable {
        /// A line longer than the limit; skipped to its end unless ``endsSession`` is set.
        case lineTooLong
        /// A line with NUL, with a CR or LF outside its CRLF, or with bytes that are not UTF-8.
        case forbiddenBytes
        /// An empty line, or one that begins with white space.
        case emptyCommand
        /// An empty command, or a known verb with invalid arguments.
        case arguments
        /// An address of MAIL or RCPT that violates RFC 5321 section 4.1.2.
        case address
        /// A malformed, repeated or unknown ESMTP parameter, or too many of them.
        case parameter
        /// A peer that does not speak SMTP (an HTTP request), or lost framing.
        case protocolViolation
    }

    public var kind: Kind
    /// The reply to send, with its enhanced status.
    public var reply: SMTPReply
    /// True if the connection must end after the reply, because commands can no longer be told from other data.
    public var endsSession: Bool
    /// The size of the chunk that follows a malformed BDAT, or nil. The decoder delivers the chunk; the reply is due at
    /// its end.
    public internal(set) var chunkSize: Int?

    init(_ kind: Kind, _ reply: SMTPReply, endsSession: Bool = false) {
        self.kind = kind
        self.reply = reply
        self.endsSession = endsSession
    }
}

extension SMTPSyntaxError {
    static let lineTooLong = SMTPSyntaxError(.lineTooLong, SMTPReply(500, .init(5, 5, 2), "Line too long"))

    static let endlessLine = SMTPSyntaxError(
        .lineTooLong, SMTPReply(500, .init(5, 5, 2), "Unterminated line, closing connection"), endsSession: true)

    static let bareLineEnding = SMTPSyntaxError(
        .forbiddenBytes, SMTPReply(500, .init(5, 5, 2), "Lines end with CR LF; a bare CR or LF is not allowed"))

    static let nulByte = SMTPSyntaxError(.forbiddenBytes, SMTPReply(500, .init(5, 5, 2), "NUL is not allowed"))

    static let emptyCommand = SMTPSyntaxError(.emptyCommand, SMTPReply(501, .init(5, 5, 2), "Empty command"))

    static let notUTF8 = SMTPSyntaxError(.forbiddenBytes, SMTPReply(500, .init(5, 5, 2), "The line is not UTF-8"))

    static let notSMTP = SMTPSyntaxError(
        .protocolViolation, SMTPReply(554, .init(5, 5, 1), "This is an SMTP server, closing connection"),
        endsSession: true)

    /// Ends the session: with the chunk size unknown, its bytes could be mistaken for commands.
    static let chunkSize = SMTPSyntaxError(
        .protocolViolation, SMTPReply(421, .init(4, 5, 4), "Syntax: BDAT size [LAST], closing connection"),
        endsSession: true)

    /// A malformed BDAT of known size; its chunk is read and dropped.
    static func chunkArguments(size: Int) -> SMTPSyntaxError {
        var error = arguments("Syntax: BDAT size [LAST]")
        error.chunkSize = size
        return error
    }

    /// Ends the session: the client sends content although its DATA was refused.
    static let contentBehindRefusedData = SMTPSyntaxError(
        .protocolViolation,
        SMTPReply(421, .init(4, 5, 1), "No command behind a refused DATA, closing connection"), endsSession: true)

    static func arguments(_ text: String) -> SMTPSyntaxError {
        SMTPSyntaxError(.arguments, SMTPReply(501, .init(5, 5, 4), text))
    }

    static func command(_ text: String) -> SMTPSyntaxError {
        SMTPSyntaxError(.arguments, SMTPReply(501, .init(5, 5, 2), text))
    }

    /// Uses status 5.1.7 for the sender's address and 5.1.3 for the recipient's (RFC 3463 section 3.2).
    static func address(_ text: String, isSender: Bool) -> SMTPSyntaxError {
        SMTPSyntaxError(.address, SMTPReply(501, .init(5, 1, isSender ? 7 : 3), text))
    }

    static func parameter(_ text: String) -> SMTPSyntaxError {
        SMTPSyntaxError(.parameter, SMTPReply(501, .init(5, 5, 4), text))
    }

    static let unknownParameter = SMTPSyntaxError(
        .parameter, SMTPReply(555, .init(5, 5, 4), "Parameter not recognized or not implemented"))
}
