public import SMTPCodec

/// A refusal of a sender, a recipient or a message, in the words that the client is told.
public struct Refusal: Error, Hashable, Sendable {
    /// 400 to 499 for what may pass later, 500 to 599 for good.
    public let code: UInt16
    public let status: SMTPEnhancedStatus
    public let text: String

    /// Makes a refusal; the class of the status is the first digit of the code.
    public init(_ code: UInt16, subject: UInt16, detail: UInt16, _ text: String) {
        precondition((400...599).contains(code), "not the code of a refusal")
        self.code = code
        status = SMTPEnhancedStatus(UInt8(code / 100), subject, detail)
        self.text = text
    }

    public var isTemporary: Bool { code < 500 }

    public var reply: SMTPReply { SMTPReply(code, status, text) }
}

extension Refusal {
    // Of a sender.
    static let notYourAddress = Refusal(553, subject: 7, detail: 1, "The sender address is not one of yours")

    // Of a recipient.
    static let unknownUser = Refusal(550, subject: 1, detail: 1, "No such user here")
    static let disabled = Refusal(550, subject: 2, detail: 1, "The mailbox is disabled")
    static let mailboxFull = Refusal(452, subject: 2, detail: 2, "The mailbox is full")
    static let relayNotPermitted = Refusal(550, subject: 7, detail: 1, "Relay not permitted")
    static let tooManyRecipients = Refusal(450, subject: 7, detail: 1, "Too many recipients, try again later")
    static let cannotCheckRecipient = Refusal(
        451, subject: 3, detail: 0, "The recipient cannot be checked for the moment")

    // Of a message.
    static let aMailboxFull = Refusal(452, subject: 2, detail: 2, "A recipient's mailbox is full")
    static let noSpace = Refusal(452, subject: 3, detail: 1, "Not enough storage")
    static let tooManyMessages = Refusal(451, subject: 7, detail: 1, "Too many messages, try again later")
    static let cannotStore = Refusal(451, subject: 3, detail: 0, "The message cannot be stored for the moment")
}

/// The end of a message for one of its recipients.
public enum RecipientOutcome: Hashable, Sendable {
    /// The message is durable in every place of the recipient.
    case delivered
    /// The message is in none of them that it was not in already.
    case refused(Refusal)
}
