/// A command that was not understood or is over a limit.
public struct IMAPRejection: Error, Sendable, Equatable {
    public enum Reason: Sendable, Equatable {
        /// An unknown command, its name in upper case (at most 32 bytes).
        case unknownCommand(String)
        /// Wrong arguments, with a short English text that contains nothing the client sent.
        case syntax(String)
        /// Nothing is wrong with the command, but it is more than this server takes.
        case limit(String)
        /// No legal tag at the start of the line.
        case badTag
        case lineTooLong
        /// A literal argument over the limit.
        case literalTooLarge
        /// A message over `maximumAppendSize`, refused before its bytes are read.
        case messageTooLarge
        /// A mailbox name in broken modified UTF-7 or UTF-8, or with control characters.
        case badMailboxName
    }

    /// The tag, if it could be read.
    public var tag: String?
    public var reason: Reason
    /// The byte stream can no longer be parsed: send BYE and close.
    public var isFatal: Bool

    public init(tag: String?, reason: Reason, isFatal: Bool = false) {
        self.tag = tag
        self.reason = reason
        self.isFatal = isFatal
    }

    /// The text of the response.
    public var text: String {
        switch reason {
        case .unknownCommand(let name): "Unknown command \(name)"
        case .syntax(let text), .limit(let text): text
        case .badTag: "Missing or invalid tag"
        case .lineTooLong: "Command line too long"
        case .literalTooLarge: "Literal too large"
        case .messageTooLarge: "Message too large"
        case .badMailboxName: "Mailbox name is not valid modified UTF-7 or UTF-8"
        }
    }

    /// The response a server should send: tagged BAD or NO, untagged when there is no tag, BYE when fatal.
    public var response: IMAPResponse {
        let tooBig = reason == .messageTooLarge || reason == .literalTooLarge
        if isFatal { return .bye(code: tooBig ? .tooBig : nil, text: text) }
        switch reason {
        case .messageTooLarge: return .status(tag: tag, .no, code: .tooBig, text: text)
        case .limit: return .status(tag: tag, .no, code: .limit, text: text)
        case .badMailboxName: return .status(tag: tag, .no, code: .cannot, text: text)
        case .literalTooLarge: return .status(tag: tag, .bad, code: .tooBig, text: text)
        case .lineTooLong: return .status(tag: tag, .bad, code: .limit, text: text)
        default: return .status(tag: tag, .bad, text: text)
        }
    }
}
