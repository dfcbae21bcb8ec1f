import MailAccess
package import SMTPCodec

/// A user who has authenticated.
package struct SMTPUser: Hashable, Sendable {
    /// The addresses the user may send from, without regard to the case and the detail of the local part.
    package var addresses: [SMTPAddress]

    package init(addresses: [SMTPAddress]) {
        self.addresses = addresses
    }

    /// True when mail from `address` is this user's own.
    package func owns(_ address: SMTPAddress) -> Bool {
        addresses.contains { $0.domain == address.domain && $0.accountName == address.accountName }
    }
}

/// One accepted recipient.
package struct SMTPRecipient: Hashable, Sendable {
    package var path: SMTPForwardPath
    /// The places that mail for it goes to, at least one.
    package var destinations: [Destination]

    package init(path: SMTPForwardPath, destinations: [Destination]) {
        self.path = path
        self.destinations = destinations
    }
}

/// Everything about a message that is not its content.
package struct SMTPEnvelope: Hashable, Sendable {
    package var sender: SMTPReversePath
    /// The accepted recipients, one for each RCPT: several may lead to the same places.
    package var recipients: [SMTPRecipient] = []
    package var parameters: SMTPMailParameters
    /// The authenticated user, if there is one.
    package var user: SMTPUser?
    /// The client's IP address as text, without brackets.
    package var remoteAddress: String
    /// The name that the client gave in EHLO or HELO.
    package var clientName: String

    package init(
        sender: SMTPReversePath, parameters: SMTPMailParameters = SMTPMailParameters(), user: SMTPUser? = nil,
        remoteAddress: String, clientName: String
    ) {
        self.sender = sender
        self.parameters = parameters
        self.user = user
        self.remoteAddress = remoteAddress
        self.clientName = clientName
    }

    /// The places that the message goes to, each once.
    package var destinations: [Destination] { recipients.flatMap(\.destinations).unique() }
}
