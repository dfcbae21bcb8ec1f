import MailAccounts
package import SMTPCodec
package import ShardFS

/// A place that mail for a recipient goes to.
package enum Destination: Hashable, Sendable {
    /// A mailbox of an account of this host, and the system flags that the message has there.
    case local(AccountAddress, MailboxName, MessageFlags)
    /// An address elsewhere.
    case remote(SMTPAddress)

    /// The same place without flags, by which duplicates are told.
    fileprivate var place: Destination {
        switch self {
        case .local(let account, let mailbox, _): .local(account, mailbox, [])
        case .remote: self
        }
    }
}

extension Sequence<Destination> {
    /// Each place once, in the order of its first mention, with the flags that it has there.
    package func unique() -> [Destination] {
        var seen: Set<Destination> = []
        return filter { seen.insert($0.place).inserted }
    }
}

extension Destination: CustomStringConvertible {
    /// The address, with the mailbox where that is not INBOX.
    package var description: String {
        switch self {
        case .local(let account, .inbox, _): "\(account)"
        case .local(let account, let mailbox, _): "\(account)/\(mailbox)"
        case .remote(let address): "\(address)"
        }
    }
}
