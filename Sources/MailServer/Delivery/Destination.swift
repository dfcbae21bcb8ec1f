import MailAccounts
package import SMTPCodec
package import ShardFS

/// A destination of mail for a recipient.
package enum Destination: Hashable, Sendable {
    /// A mailbox of a local account, and the system flags of the message there.
    case local(AccountAddress, MailboxName, MessageFlags)
    /// An address on another host.
    case remote(SMTPAddress)

    /// The destination without flags, used to find duplicates.
    fileprivate var place: Destination {
        switch self {
        case .local(let account, let mailbox, _): .local(account, mailbox, [])
        case .remote: self
        }
    }
}

extension Sequence<Destination> {
    /// Removes duplicates, keeping the order and the flags of each first occurrence.
    package func unique() -> [Destination] {
        var seen: Set<Destination> = []
        return filter { seen.insert($0.place).inserted }
    }
}

extension Destination: CustomStringConvertible {
    /// The address, with the mailbox name unless it is INBOX.
    package var description: String {
        switch self {
        case .local(let account, .inbox, _): "\(account)"
        case .local(let account, let mailbox, _): "\(account)/\(mailbox)"
        case .remote(let address): "\(address)"
        }
    }
}
