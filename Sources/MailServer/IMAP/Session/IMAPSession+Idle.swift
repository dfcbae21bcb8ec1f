import IMAPCodec
import MailAccess
import ShardFS

// IDLE. RFC 2177.

extension IMAPSession {
    /// The observation of the selected mailbox during IDLE.
    var idleObservation: MailboxObservation? {
        if case .idling(let observation)? = context?.stage { observation } else { nil }
    }

    func beginIdle() async throws(IMAPFailure) -> IMAPSessionStep {
        var observation: MailboxObservation?
        if case .selected(_, let view) = state {
            // The watch begins before the update, so that no change is missed.
            let (mailbox, onChange) = (view.mailbox, onChange)
            observation = try? await blocking { () throws(StoreError) in
                MailboxObservation(mailbox, onChange)
            }
        }
        context?.stage = .idling(observation)
        respond(.continuation(text: "idling"))
        try await sendUpdates(expunges: mayReportExpunges)
        return .resolve(.beginIdle)
    }

    func endIdle(wellFormed: Bool) async throws(IMAPFailure) {
        guard let context, isIdling else { return }
        self.context?.stage = .immediate
        try await answer(context.tag) { session throws(IMAPFailure) in
            guard wellFormed else { throw .bad("Expected DONE") }
            try await session.sendUpdates(expunges: session.mayReportExpunges)
            return Completion("IDLE completed")
        }
    }
}
