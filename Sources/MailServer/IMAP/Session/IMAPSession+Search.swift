import IMAPCodec
import MIME
import ShardFS

// SEARCH and UID SEARCH. RFC 9051 section 6.4.4, RFC 4731, RFC 5182.

extension IMAPSession {
    func search(_ command: IMAPSearchCommand, tag: String) async throws(IMAPFailure) -> Completion {
        let view = try selected()
        if command.returnOptions?.partial != nil { throw .bad("PARTIAL is not offered") }
        // A search that fails saves nothing: `$` is empty then (RFC 5182 section 2.1).
        let before = savedSearch
        if command.returnOptions?.save == true { savedSearch = [] }
        let charset = try charset(named: command.charset)
        let asksModSeq = command.key.asksModSeq
        if asksModSeq { enableModSeq() }
        let compiler = SearchCompiler(view: view, charset: charset, savedResult: before, now: now())
        var run = SearchRun(compiler.compile(command.key), in: view, limits: configuration.parseLimits)
        while true {
            let current = run
            let (after, isDone) = try await blocking { () throws(StoreError) in
                var run = current
                let isDone = try run.step()
                return (run, isDone)
            }
            run = after
            if isDone { break }
        }
        let modSeq = asksModSeq && !run.numbers.isEmpty ? run.highestModSeq : nil
        let found = command.byUID ? run.uids : run.numbers
        if let options = command.returnOptions {
            if options.save { savedSearch = Self.saved(options, run.uids) }
            answer(options, found, modSeq: modSeq, byUID: command.byUID, tag: tag)
        } else {
            respond(.search(found, modSeq: modSeq))
        }
        return Completion("SEARCH completed")
    }

    private func answer(
        _ options: IMAPSearchReturn, _ found: [UInt32], modSeq: ModSeq?, byUID: Bool, tag: String
    ) {
        let isAsked = options.min || options.max || options.all || options.count
        // SAVE alone answers nothing (RFC 5182 section 2.1).
        guard isAsked || !options.save else { return }
        respond(
            .esearch(
                IMAPExtendedSearchResult(
                    tag: tag, byUID: byUID, min: options.min ? found.first : nil, max: options.max ? found.last : nil,
                    all: options.all || !isAsked ? .init(ascending: found) : nil,
                    count: options.count ? UInt32(clamping: found.count) : nil, modSeq: modSeq)))
    }

    /// What `$` stands for from here on: with MIN or MAX alone these, else everything found.
    private static func saved(_ options: IMAPSearchReturn, _ uids: [UInt32]) -> [ClosedRange<UInt32>] {
        guard options.min || options.max, !options.all, !options.count else { return .init(ascending: uids) }
        var kept: [UInt32] = []
        if options.min, let first = uids.first { kept.append(first) }
        if options.max, let last = uids.last, kept.last != last { kept.append(last) }
        return .init(ascending: kept)
    }

    private func charset(named name: String?) throws(IMAPFailure) -> Charset {
        guard let name else { return .utf8 }
        let charset = Charset(named: Array(name.utf8))
        guard charset.isKnown else {
            throw .no(.badCharset(["UTF-8", "US-ASCII"]), "This charset is not known")
        }
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
