package import SMTPCodec

/// A refusal of a sender, a recipient or a message, as sent to the client.
package struct Refusal: Error, Hashable, Sendable {
    /// 400 to 499 for a temporary refusal, 500 to 599 for a permanent one.
    package let code: UInt16
    package let status: SMTPEnhancedStatus
    package let text: String

    /// Makes a refusal; the status class is the code's first digit.
    package init(_ code: UInt16, subject: UInt16, detail: UInt16, _ text: String) {
        precondition((400...599).contains(code), "not the code of a refusal")
        self.code = code
        status = SMTPEnhancedStatus(UInt8(code / 100), subject, detail)
        self.text = text
    }

    package var isTemporary: Bool { code < 500 }

    package var reply: SMTPReply { SMTPReply(code, status, text) }
}

extension Refusal {
    // Refusals of a sender.
    package static let notYourAddress = Refusal(553, subject: 7, detail: 1, "The sender address is not one of yours")

    // Refusals of a recipient.
    package static let unknownUser = Refusal(550, subject: 1, detail: 1, "No such user here")
    package static let mailboxFull = Refusal(452, subject: 2, detail: 2, "The mailbox is full")
    package static let relayNotPermitted = Refusal(550, subject: 7, detail: 1, "Relay not permitted")
    package static let tooManyRecipients = Refusal(450, subject: 7, detail: 1, "Too many recipients, try again later")
    package static let cannotCheckRecipient = Refusal(
        451, subject: 3, detail: 0, "The recipient cannot be checked at the moment")

    // Refusals of a message.
    package static let aMailboxFull = Refusal(452, subject: 2, detail: 2, "A recipient's mailbox is full")
    /// Names the recipients without room; the message was delivered to nobody.
    package static func mailboxesFull(_ paths: [SMTPForwardPath]) -> Refusal {
        Refusal(452, subject: 2, detail: 2, "\(list(paths)): the mailbox is full; nobody got the message")
    }
    /// Names the recipients whose mailboxes failed; the message was delivered to nobody.
    package static func mailboxesFail(_ paths: [SMTPForwardPath]) -> Refusal {
        Refusal(451, subject: 2, detail: 0, "\(list(paths)): the mailbox takes no mail now; nobody got the message")
    }
    /// Lists as many paths as fit a reply line.
    private static func list(_ paths: [SMTPForwardPath]) -> String {
        var text = ""
        for (index, path) in paths.enumerated() {
            let next = (index > 0 ? ", " : "") + "\(path)"
            guard text.utf8.count + next.utf8.count <= 380 else { return text + " and \(paths.count - index) more" }
            text += next
        }
        return text
    }
    package static let noSpace = Refusal(452, subject: 3, detail: 1, "Not enough storage")
    package static let tooManyMessages = Refusal(451, subject: 7, detail: 1, "Too many messages, try again later")
    package static let cannotStore = Refusal(451, subject: 3, detail: 0, "The message cannot be stored at the moment")
}

/// The outcome of a message for one of its recipients.
package enum RecipientOutcome: Hashable, Sendable {
    /// The message is durable in all of the recipient's destinations.
    case delivered
    /// The message was not added to any of them; one shared with an earlier recipient may already hold it.
    case refused(Refusal)
}
