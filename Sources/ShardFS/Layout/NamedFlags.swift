/// Flags to be stored: system flags as bits, keywords by name.
///
/// A keyword's letter is given to another name once no message has it, so that a letter is good only under the
/// mailbox's lock, and a name always. Letters outside of a lock are for reading what a snapshot shows.
public struct NamedFlags: Hashable, Sendable {
    public var flags: MessageFlags
    public var keywords: [String]

    public init(_ flags: MessageFlags = [], keywords: [String] = []) {
        self.flags = flags
        self.keywords = keywords
    }
}

/// How a change treats the flags that a message has.
public enum FlagOperation: Hashable, Sendable {
    case add, remove
    /// The known flags become exactly those given; letters that nobody knows are kept.
    case replace
}

extension FlagChange {
    init(_ operation: FlagOperation, _ flags: MessageFlags) {
        self =
            switch operation {
            case .add: .add(flags)
            case .remove: .remove(flags)
            case .replace: .replace(with: flags)
            }
    }
}
