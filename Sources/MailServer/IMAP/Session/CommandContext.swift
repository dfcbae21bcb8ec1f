import IMAPCodec
import MailAccess
import NIOCore

/// The state of one command. It is created when the command begins and dropped when it ends, so nothing carries over
/// to the next command.
///
/// A class, because a session looks into it many times in a command and must not copy it each time. Its session alone
/// refers to it.
final class CommandContext {
    /// The input that a command waits for.
    enum Stage {
        /// None: the command ends with the input that it arrived in.
        case immediate
        /// AUTHENTICATE: the client's next line.
        case authenticating(IMAPSession.AuthExchange)
        /// APPEND or REPLACE: the rest of the command's messages.
        case appending(IMAPSession.AppendCommand)
        /// IDLE: DONE. The observation is of the selected mailbox; nil without one.
        case idling(MailboxObservation?)
    }

    let tag: String
    let policy: CommandPolicy
    var stage = Stage.immediate
    /// The command's own changes to the selected mailbox are reported, even if NOTIFY excludes them.
    private(set) var isTellingOwn = false
    /// Expunges have been reported.
    var hasSentExpunges = false
    /// The command has sent the pending mailbox updates itself, as its last step.
    var hasSentUpdates = false
    /// The update found in the command's last turn on the pool, to be sent after its responses.
    var pendingUpdate: (update: IMAPSession.MailboxUpdate, view: SelectedMailbox)?
    /// The command's progress, if it goes through many messages.
    var progress: Progress?

    init(_ tag: String, _ policy: CommandPolicy) {
        self.tag = tag
        self.policy = policy
    }

    /// From now on reports the command's own changes to the selected mailbox, if its policy says that it makes any.
    func beginTellingOwn() { isTellingOwn = policy.changesSelected }
}

extension IMAPSession {
    /// The AUTHENTICATE exchange under way.
    var exchange: AuthExchange? {
        get { if case .authenticating(let exchange)? = context?.stage { exchange } else { nil } }
        set { context?.stage = newValue.map(CommandContext.Stage.authenticating) ?? .immediate }
    }

    /// The APPEND or REPLACE whose messages are being received.
    var appending: AppendCommand? {
        get { if case .appending(let command)? = context?.stage { command } else { nil } }
        set { context?.stage = newValue.map(CommandContext.Stage.appending) ?? .immediate }
    }

    /// Whether the client is in IDLE.
    var isIdling: Bool { if case .idling? = context?.stage { true } else { false } }

    /// Drops a command that waits for no more input.
    func endCommand() { if case .immediate? = context?.stage { context = nil } }

    /// Whether EXPUNGE may be sent in response to the current command.
    var mayReportExpunges: Bool { context?.policy.allowsExpunge ?? false }

    /// Whether the current command's own changes to the selected mailbox must be reported.
    var isTellingOwn: Bool { context?.isTellingOwn ?? false }

    /// Starts tracking the command's progress through its messages.
    func beginProgress(goal: Int) { context?.progress = Progress(goal: goal, now: now()) }

    /// Sends a progress report if one is due, between two pieces of a long command (RFC 9585 section 4).
    ///
    /// - Throws: `disconnected` when the client is gone.
    func goOn(done: Int) async throws(IMAPFailure) {
        guard output.isOpen else { throw .disconnected }
        guard let tag = context?.tag, let code = context?.progress?.sign(tag: tag, done: done, now: now()) else {
            return
        }
        respond(.status(tag: nil, .ok, code: code, text: "Still working"))
        try await flush()
    }

    /// Writes to a client that has closed its side of the connection while a long command is under way: one that is gone
    /// altogether resets the connection then, so that nobody works on for it.
    func probe() {
        guard let context, context.progress != nil else { return }
        var line = ByteBuffer()
        encoder.encode(.status(tag: nil, .ok, text: "Still working"), into: &line)
        output.post(line)
    }
}
