/// What is wrong with a command line, together with the reply that says so.
public struct SMTPSyntaxError: Error, Hashable, Sendable {
    /// The kinds of fault; equality of errors is equality of kind, reply and ``endsSession``.
    public enum Kind: Hashable, Sendable {
        /// The line is longer than the limit; it was skipped to its end.
        case lineTooLong
        /// The line holds NUL, a CR or LF that is not part of its CRLF, or bytes that are not UTF-8.
        case forbiddenBytes
        /// The verb is known, its arguments are not what the grammar allows.
        case arguments
        /// The address of MAIL or RCPT does not follow RFC 5321 section 4.1.2.
        case address
        /// An ESMTP parameter is malformed, given twice, or not known.
        case parameter
        /// The peer does not speak SMTP (an HTTP request), or framing was lost.
        case protocolViolation
    }

    public var kind: Kind
    /// The reply to send, with its enhanced status.
    public var reply: SMTPReply
    /// True when the connection has to end after the reply, as what follows cannot be told apart from commands.
    public var endsSession: Bool

    init(_ kind: Kind, _ reply: SMTPReply, endsSession: Bool = false) {
        self.kind = kind
        self.reply = reply
        self.endsSession = endsSession
    }
}

extension SMTPSyntaxError {
    static let lineTooLong = SMTPSyntaxError(.lineTooLong, SMTPReply(500, .init(5, 5, 2), "Line too long"))

    static let endlessLine = SMTPSyntaxError(
        .lineTooLong, SMTPReply(500, .init(5, 5, 2), "Line without end, closing connection"), endsSession: true)

    static let bareLineEnding = SMTPSyntaxError(
        .forbiddenBytes, SMTPReply(500, .init(5, 5, 2), "Lines end with CR LF; a bare CR or LF is refused"))

    static let nulByte = SMTPSyntaxError(.forbiddenBytes, SMTPReply(500, .init(5, 5, 2), "NUL is refused"))

    static let notUTF8 = SMTPSyntaxError(.forbiddenBytes, SMTPReply(500, .init(5, 5, 2), "The line is not UTF-8"))

    static let notSMTP = SMTPSyntaxError(
        .protocolViolation, SMTPReply(554, .init(5, 5, 1), "This is an SMTP server, closing connection"),
        endsSession: true)

    /// The size of the chunk is unknown, so its bytes could be taken for commands: the session ends.
    static let chunkSize = SMTPSyntaxError(
        .protocolViolation, SMTPReply(501, .init(5, 5, 4), "Syntax: BDAT size [LAST], closing connection"),
        endsSession: true)

    static func arguments(_ text: String) -> SMTPSyntaxError {
        SMTPSyntaxError(.arguments, SMTPReply(501, .init(5, 5, 4), text))
    }

    static func command(_ text: String) -> SMTPSyntaxError {
        SMTPSyntaxError(.arguments, SMTPReply(501, .init(5, 5, 2), text))
    }

    /// 5.1.7 names the sender's address, 5.1.3 the recipient's (RFC 3463 section 3.2).
    static func address(_ text: String, isSender: Bool) -> SMTPSyntaxError {
        SMTPSyntaxError(.address, SMTPReply(501, .init(5, 1, isSender ? 7 : 3), text))
    }

    static func parameter(_ text: String) -> SMTPSyntaxError {
        SMTPSyntaxError(.parameter, SMTPReply(501, .init(5, 5, 4), text))
    }

    static let unknownParameter = SMTPSyntaxError(
        .parameter, SMTPReply(555, .init(5, 5, 4), "Parameter not recognized or not implemented"))
}
