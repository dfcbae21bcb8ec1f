import IMAPCodec
import MIME
import MailAccess
import Primitives
import ServerRuntime
import ShardFS

// SEARCH and UID SEARCH. RFC 9051 section 6.4.4, RFC 4731, RFC 5182, RFC 9394.

extension IMAPSession {
    func search(_ command: IMAPSearchCommand) async throws(IMAPFailure) -> Completion {
        // RFC 9755 section 3: strings are UTF-8 already, and CHARSET could contradict that.
        if command.charset != nil, enabled.contains(.utf8) { throw .bad("CHARSET is not allowed with UTF8=ACCEPT") }
        let criteria = SearchCriteria(
            program: command.program, charset: command.charset, saves: command.returnOptions?.save == true)
        let found = try await find(criteria, into: FoundMessages())
        // IMAP4rev2 no longer has a SEARCH response (RFC 9051 section 6.4.4).
        if let options = command.returnOptions ?? (isRev2 ? IMAPSearchReturn(all: true) : nil) {
            let answer = SearchAnswer(options: options, numbers: found.numbers, uids: found.uids)
            try await respond(answer, to: command.program, byUID: command.byUID)
        } else {
            let modSeq = try await highestModSeq(of: found.uids, for: command.program)
            let numbers = command.byUID ? found.uids : found.numbers
            try await respond(.search(numbers, modSeq: modSeq), ofNumbers: numbers.count)
        }
        return Completion("SEARCH completed")
    }

    /// Terms of a program that is prepared without a turn on the pool.
    private static let shortProgram = 16

    /// The search criteria of a command.
    struct SearchCriteria {
        var program: IMAPSearchProgram
        /// Nil for UTF-8.
        var charset: String?
        /// The result is saved as `$`.
        var saves = false
    }

    /// Searches the selected mailbox and returns the collector with the messages found.
    func find<Collector: SearchCollector>(
        _ criteria: SearchCriteria, into collector: Collector
    ) async throws(IMAPFailure) -> Collector {
        let view = try selected()
        let before = savedSearch
        // A failed search leaves `$` empty (RFC 5182 section 2.1).
        if criteria.saves { savedSearch = [] }
        let charset = try charset(named: criteria.charset)
        if criteria.program.asksModSeq { enableModSeq() }
        let compiler = SearchCompiler(view: view, charset: charset, savedResult: before, now: now())
        // Boxed, so that the results so far are not copied in every turn.
        let (key, limits) = (criteria.program, configuration.parseLimits)
        let kind: InlineWork.Kind? = key.terms.count <= Self.shortProgram ? .reading : nil
        let box = try await blocking(inline: kind) { () throws(StoreError) in
            Locked(SearchRun(compiler.compile(key), in: view, limits: limits, into: collector))
        }
        let (goal, isShort) = box.withLock { ($0.goal, $0.isShort) }
        beginProgress(goal: goal)
        let asked = updateScope(expunges: mayReportExpunges)
        while true {
            let (isDone, update) = try await blocking(inline: isShort ? .reading : nil) {
                () throws(StoreError) -> (Bool, MailboxUpdate?) in
                let result: Result<Bool, StoreError> = box.withLock { run in
                    do throws(StoreError) { return .success(try run.step()) } catch { return .failure(error) }
                }
                guard try result.get() else { return (false, nil) }
                return (true, try? asked.look(at: view, known: [:]))
            }
            if isDone {
                context?.pendingUpdate = update.map { ($0, view) }
                break
            }
            try await goOn(done: box.withLock { $0.done })
        }
        let (found, unreadable) = box.withLock { ($0.collector as? Collector ?? collector, $0.unreadable) }
        if !unreadable.isEmpty {
            report(unreadable, "SEARCH", in: view)
            // A warning: the search itself has succeeded (RFC 9051 section 7.1.2).
            let failure = IMAPFailure.unreadable(unreadable)
            respond(.status(tag: nil, .no, code: failure.code, text: failure.text))
        }
        return found
    }

    /// Sends the response to a search or sort with return options, and saves the result if requested.
    func respond(_ answer: SearchAnswer, to program: IMAPSearchProgram, byUID: Bool) async throws(IMAPFailure) {
        let meant = answer.meant
        if answer.options.save { savedSearch = .init(ascending: meant.sorted()) }
        let modSeq = try await highestModSeq(of: meant, for: program)
        guard let tag = context?.tag else { return }
        if let result = answer.result(tag: tag, byUID: byUID, modSeq: modSeq) { respond(.esearch(result)) }
    }

    /// Returns the highest mod-sequence of messages in the view; nil without messages, or if the key has no MODSEQ.
    func highestModSeq(of uids: [UInt32], for program: IMAPSearchProgram) async throws(IMAPFailure) -> ModSeq? {
        guard program.asksModSeq else { return nil }
        let view = try selected()
        return try await blocking { () throws(StoreError) in uids.lazy.compactMap { view.entry(of: $0)?.modSeq }.max() }
    }

    private func charset(named name: String?) throws(IMAPFailure) -> Charset {
        guard let name else { return .utf8 }
        let charset = Charset(named: Array(name.utf8))
        guard charset.isKnown else { throw .no(.badCharset(Charset.preferredNames), "Unknown charset") }
        return charset
    }
}

extension IMAPSearchProgram {
    /// Whether it has a MODSEQ criterion (RFC 7162 section 3.1.5).
    var asksModSeq: Bool {
        keys.contains { if case .modSeq = $0 { true } else { false } }
    }
}
