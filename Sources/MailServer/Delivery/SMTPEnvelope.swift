import MailAccess
package import SMTPCodec

/// An authenticated user.
package struct SMTPUser: Hashable, Sendable {
    /// The addresses the user may send from. Case and detail (`+…`) of the local part are ignored.
    package var addresses: [SMTPAddress]

    package init(addresses: [SMTPAddress]) {
        self.addresses = addresses
    }

    /// True if the user may send from `address`.
    package func owns(_ address: SMTPAddress) -> Bool {
        addresses.contains { $0.domain == address.domain && $0.accountName == address.accountName }
    }
}

/// One accepted recipient.
package struct SMTPRecipient: Hashable, Sendable {
    package var path: SMTPForwardPath
    /// The destinations of its mail, at least one.
    package var destinations: [Destination]

    package init(path: SMTPForwardPath, destinations: [Destination]) {
        self.path = path
        self.destinations = destinations
    }
}

/// The envelope of a message: sender, recipients and the session they came from.
package struct SMTPEnvelope: Hashable, Sendable {
    package var sender: SMTPReversePath
    /// The accepted recipients, one for each RCPT; several may share destinations.
    package var recipients: [SMTPRecipient] = []
    package var parameters: SMTPMailParameters
    /// The authenticated user, if any.
    package var user: SMTPUser?
    /// The client's IP address as text, without brackets.
    package var remoteAddress: String
    /// The client's name from EHLO or HELO.
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

    /// The destinations of the message, without duplicates.
    package var destinations: [Destination] { recipients.flatMap(\.destinations).unique() }
}
