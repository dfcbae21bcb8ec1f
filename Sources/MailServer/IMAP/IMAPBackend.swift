public import ShardFS
public import ShardIndex

/// The accounts behind an IMAP server. Calls come from many connections at once.
public protocol IMAPBackend: Sendable {
    /// Verifies credentials. `user` is what the client sent, mostly an address; nothing about it is known to be true.
    func authenticate(user: String, password: [UInt8], from remoteAddress: String) async -> IMAPAuthenticationOutcome

    /// What a proof of `user`'s password is judged by; made up for a name that nobody has.
    func scramCredentials(user: String, from remoteAddress: String) async -> SCRAMLookup

    /// The end of a login that ``scramCredentials(user:from:)`` began.
    func scramLogin(user: String, isProven: Bool, from remoteAddress: String) async -> IMAPAuthenticationOutcome
}

/// The answer to a login.
public enum IMAPAuthenticationOutcome: Sendable {
    case accepted(IMAPAccount)
    /// No such account or not its password; the two are not told apart.
    case refused
    /// The password is right, but the account may not log in.
    case disabled
    /// Too many failures came from this address; the client must wait.
    case lockedOut
    /// The check could not be made now.
    case unavailable
}

/// Whom a session belongs to.
public struct IMAPAccount: Sendable {
    public let address: AccountAddress
    public let mail: Account
    /// What was worked out about its messages before; nil without a read cache.
    public var index: AccountIndex?
    /// Not told to this account's programs.
    public var suppressedCapabilities = CapabilityNames([])

    public init(address: AccountAddress, mail: Account) {
        self.address = address
        self.mail = mail
    }
}
