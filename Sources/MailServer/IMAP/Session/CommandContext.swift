import IMAPCodec
import MailAccess

/// What belongs to one command. It is made when the command begins and gone when it ends, so nothing of one command
/// reaches the next.
struct CommandContext {
    /// What a command waits for.
    enum Stage {
        /// Nothing: it ends with the input that it came in.
        case immediate
        /// AUTHENTICATE: the client's next line.
        case authenticating(IMAPSession.AuthExchange)
        /// APPEND or REPLACE: the rest of its messages.
        case appending(IMAPSession.AppendCommand)
        /// IDLE: DONE. The observer is of the selected mailbox; nil without one.
        case idling(MailboxObservation?)
    }

    let tag: String
    let policy: CommandPolicy
    var stage = Stage.immediate
    /// The client is to hear what this command changes in the selected mailbox, whatever NOTIFY hides from it.
    private(set) var isTellingOwn = false
    /// Expunged messages have been told of.
    var hasSentExpunges = false
    /// What happened meanwhile has been told as the last thing that the command did.
    var hasSentUpdates = false
    /// What the command found out on its last turn on the pool, to be told behind its answers.
    var pendingUpdate: (update: IMAPSession.MailboxUpdate, view: SelectedMailbox)?
    /// How far the command is, if it goes over many messages.
    var progress: Progress?

    init(_ tag: String, _ policy: CommandPolicy) {
        self.tag = tag
        self.policy = policy
    }

    /// From here on the client hears what the command changes in the selected mailbox, if it is one that changes it.
    mutating func beginTellingOwn() { isTellingOwn = policy.changesSelected }
}

extension IMAPSession {
    /// The AUTHENTICATE exchange under way.
    var exchange: AuthExchange? {
        get { if case .authenticating(let exchange)? = context?.stage { exchange } else { nil } }
        set { context?.stage = newValue.map(CommandContext.Stage.authenticating) ?? .immediate }
    }

    /// The APPEND or REPLACE whose messages come in.
    var appending: AppendCommand? {
        get { if case .appending(let command)? = context?.stage { command } else { nil } }
        set { context?.stage = newValue.map(CommandContext.Stage.appending) ?? .immediate }
    }

    /// The client idles.
    var isIdling: Bool { if case .idling? = context?.stage { true } else { false } }

    /// Forgets a command that waits for nothing more.
    func endCommand() { if case .immediate? = context?.stage { context = nil } }

    /// The command under way may be answered with EXPUNGE.
    var mayReportExpunges: Bool { context?.policy.allowsExpunge ?? false }

    /// The command under way changes the selected mailbox, of which its client must hear.
    var isTellingOwn: Bool { context?.isTellingOwn ?? false }

    /// Begins to follow how far the command is with its messages.
    func beginProgress(goal: Int) { context?.progress = Progress(goal: goal, now: now()) }

    /// Between two pieces of a command that takes long: a sign of life now and then (RFC 9585 section 4).
    ///
    /// - Throws: `disconnected` when there is nobody left to work for.
    func goOn(done: Int) async throws(IMAPFailure) {
        guard output.isOpen else { throw .disconnected }
        guard let tag = context?.tag, let code = context?.progress?.sign(tag: tag, done: done, now: now()) else {
            return
        }
        respond(.status(tag: nil, .ok, code: code, text: "Still working"))
        try await flush()
    }
}
