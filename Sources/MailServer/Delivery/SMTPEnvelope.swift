public import SMTPCodec

/// A user who has authenticated.
public struct SMTPUser: Hashable, Sendable {
    /// The addresses the user may send from, without regard to the case and the detail of the local part.
    public var addresses: [SMTPAddress]

    public init(addresses: [SMTPAddress]) {
        self.addresses = addresses
    }

    /// True when mail from `address` is this user's own.
    public func owns(_ address: SMTPAddress) -> Bool {
        addresses.contains { $0.domain == address.domain && $0.accountName == address.accountName }
    }
}

/// One accepted recipient.
public struct SMTPRecipient: Hashable, Sendable {
    public var path: SMTPForwardPath
    /// The places that mail for it goes to, at least one.
    public var destinations: [Destination]

    public init(path: SMTPForwardPath, destinations: [Destination]) {
        self.path = path
        self.destinations = destinations
    }
}

/// Everything about a message that is not its content.
public struct SMTPEnvelope: Hashable, Sendable {
    public var sender: SMTPReversePath
    /// The accepted recipients, one for each RCPT: several may lead to the same places.
    public var recipients: [SMTPRecipient] = []
    public var parameters: SMTPMailParameters
    /// The authenticated user, if there is one.
    public var user: SMTPUser?
    /// The client's IP address as text, without brackets.
    public var remoteAddress: String
    /// The name that the client gave in EHLO or HELO.
    public var clientName: String

    public init(
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
    public var destinations: [Destination] { recipients.flatMap(\.destinations).unique() }
}
