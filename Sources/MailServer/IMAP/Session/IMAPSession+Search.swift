import IMAPCodec
import MIME
import MailAccess
import Primitives
import ShardFS

// SEARCH and UID SEARCH. RFC 9051 section 6.4.4, RFC 4731, RFC 5182, RFC 9394.

extension IMAPSession {
    func search(_ command: IMAPSearchCommand) async throws(IMAPFailure) -> Completion {
        // RFC 9755 section 3: strings are UTF-8 already, a second word on it could contradict.
        if command.charset != nil, enabled.contains(.utf8) { throw .bad("No CHARSET with UTF8=ACCEPT") }
        let criteria = SearchCriteria(
            key: command.key, charset: command.charset, saves: command.returnOptions?.save == true)
        let found = try await find(criteria, into: FoundMessages())
        // IMAP4rev2 has no SEARCH answer any more (RFC 9051 section 6.4.4).
        if let options = command.returnOptions ?? (isRev2 ? IMAPSearchReturn(all: true) : nil) {
            let answer = SearchAnswer(options: options, numbers: found.numbers, uids: found.uids)
            try await respond(answer, to: command.key, byUID: command.byUID)
        } else {
            let modSeq = try await highestModSeq(of: found.uids, for: command.key)
            respond(.search(command.byUID ? found.uids : found.numbers, modSeq: modSeq))
        }
        return Completion("SEARCH completed")
    }

    /// Which messages a command is about.
    struct SearchCriteria {
        var key: IMAPSearchKey
        /// Nil is UTF-8.
        var charset: String?
        /// The result is to become what `$` stands for.
        var saves = false
    }

    /// Looks through the selected mailbox and gives what the harvest keeps of the messages found.
    func find<Collector: SearchCollector>(
        _ criteria: SearchCriteria, into collector: Collector
    ) async throws(IMAPFailure) -> Collector {
        let view = try selected()
        let before = savedSearch
        // A search that fails saves nothing: `$` is empty then (RFC 5182 section 2.1).
        if criteria.saves { savedSearch = [] }
        let charset = try charset(named: criteria.charset)
        if criteria.key.asksModSeq { enableModSeq() }
        let compiler = SearchCompiler(view: view, charset: charset, savedResult: before, now: now())
        // In a box: what is found so far would be copied with every turn.
        let box = Locked(
            SearchRun(
                compiler.compile(criteria.key), in: view, limits: configuration.parseLimits, into: collector))
        beginProgress(goal: box.withLock { $0.goal })
        let asked = updateScope(expunges: mayReportExpunges)
        while true {
            let (isDone, update) = try await blocking { () throws(StoreError) -> (Bool, MailboxUpdate?) in
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
        return box.withLock { $0.collector }
    }

    /// Answers a search or sort that has return options, and saves its result if it is asked to.
    func respond(_ answer: SearchAnswer, to key: IMAPSearchKey, byUID: Bool) async throws(IMAPFailure) {
        let meant = answer.meant
        if answer.options.save { savedSearch = .init(ascending: meant.sorted()) }
        let modSeq = try await highestModSeq(of: meant, for: key)
        guard let tag = context?.tag else { return }
        if let result = answer.result(tag: tag, byUID: byUID, modSeq: modSeq) { respond(.esearch(result)) }
    }

    /// The highest mod-sequence of messages in the view, for a search that asks for mod-sequences; nil without messages.
    func highestModSeq(of uids: [UInt32], for key: IMAPSearchKey) async throws(IMAPFailure) -> ModSeq? {
        guard key.asksModSeq else { return nil }
        let view = try selected()
        return try await blocking { () throws(StoreError) in uids.lazy.compactMap { view.entry(of: $0)?.modSeq }.max() }
    }

    private func charset(named name: String?) throws(IMAPFailure) -> Charset {
        guard let name else { return .utf8 }
        let charset = Charset(named: Array(name.utf8))
        guard charset.isKnown else { throw .no(.badCharset(Charset.preferredNames), "This charset is not known") }
        return charset
    }
}

extension IMAPSearchKey {
    /// Whether a MODSEQ criterion is in it (RFC 7162 section 3.1.5).
    var asksModSeq: Bool {
        switch self {
        case .modSeq: true
        case .not(let key): key.asksModSeq
        case .or(let left, let right): left.asksModSeq || right.asksModSeq
        case .and(let keys): keys.contains(where: \.asksModSeq)
        default: false
        }
    }
}
