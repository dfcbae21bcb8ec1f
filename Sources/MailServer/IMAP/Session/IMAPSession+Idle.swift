import IMAPCodec
import ShardFS

// IDLE. RFC 2177.

extension IMAPSession {
    /// An IDLE under way.
    struct IdleCommand {
        var tag: String
        /// Of the mailbox that is watched; nil when none is selected.
        var observation: MailboxObservation?
    }

    func beginIdle(_ tag: String) async throws(IMAPFailure) -> IMAPSessionStep {
        var command = IdleCommand(tag: tag)
        if case .selected(_, let view) = state {
            // Watched first, then brought up to date: nothing falls between.
            let (mailbox, onChange) = (view.mailbox, onChange)
            command.observation = try? await blocking { () throws(StoreError) in
                MailboxObservation(mailbox, onChange)
            }
        }
        idle = command
        respond(.continuation(text: "idling"))
        try await tellNews(expunges: mayTellExpunges)
        return .resolve(.beginIdle)
    }

    func endIdle(wellFormed: Bool) async throws(IMAPFailure) {
        guard let idle else { return }
        self.idle = nil
        try await answer(idle.tag) { session throws(IMAPFailure) in
            guard wellFormed else { throw .bad("Expected DONE") }
            try await session.tellNews(expunges: true)
            return Completion("IDLE completed")
        }
    }
}
