import IMAPCodec

/// What belongs to one command. It is made when the command begins and gone when it ends, so nothing of one command
/// reaches the next.
struct CommandContext {
    let tag: String
    let policy: CommandPolicy
    /// The client is to hear what this command changes in the selected mailbox, whatever NOTIFY hides from it.
    var isTellingOwn = false
    /// Expunged messages have been told of.
    var hasToldExpunges = false
    /// What happened meanwhile has been told as the last thing that the command did.
    var hasToldNews = false
    /// What the command found out on its last turn on the pool, to be told behind its answers.
    var newsAtHand: (news: IMAPSession.News, view: SelectedMailbox)?
    /// How far the command is, if it goes over many messages.
    var progress: Progress?

    init(_ tag: String, _ policy: CommandPolicy) {
        self.tag = tag
        self.policy = policy
    }
}

extension IMAPSession {
    /// The command under way may be answered with EXPUNGE.
    var mayTellExpunges: Bool { context?.policy.allowsExpunge ?? false }

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
