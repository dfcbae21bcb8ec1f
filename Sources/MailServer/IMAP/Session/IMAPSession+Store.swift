import IMAPCodec
import ShardFS

// STORE and UID STORE. RFC 9051 section 6.4.6, RFC 7162 section 3.1.3.

extension IMAPSession {
    func store(_ command: IMAPStoreCommand) async throws(IMAPFailure) -> Completion {
        let view = try writable()
        let ranges = try uidRanges(command.set, byUID: command.byUID, in: view)
        try command.flags.checkStorable()
        if command.unchangedSince != nil { enableModSeq() }
        let asked = newsAsked(expunges: command.byUID)
        let (known, result, look) = try await blocking { () throws(StoreError) in
            let bits = try view.mailbox.bits(of: command.flags, create: command.operation != .remove)
            let change: FlagChange =
                switch command.operation {
                case .replace: .replace(with: bits)
                case .add: .add(bits)
                case .remove: .remove(bits)
                }
            let uids = view.uids(in: ranges)
            let result = try view.mailbox.changeFlags(uids, change, unchangedSince: command.unchangedSince)
            let known = result.changed.map { entry in
                // A silent client works the flags out by itself; only what others did beside it is news.
                let before = view.entry(of: entry.uid.rawValue)?.flags ?? []
                return command.silent && before.subtracting(change.remove).union(change.add) == entry.flags
            }
            let own = Dictionary(result.changed.map { ($0.uid.rawValue, $0.modSeq) }) { $1 }
            return (known, result, try asked.look(at: view, known: own))
        }
        try await take(look, after: view)
        hasToldNews = true
        let current = try selected()
        for (entry, isKnown) in zip(result.changed, known) where !isKnown || usesModSeq {
            guard let now = current.entry(of: entry.uid.rawValue) else { continue }
            // Another change may have come behind this one and been told: what was in between would undo that.
            let isOld = now.modSeq > entry.modSeq
            if !isKnown {
                tellFlags(of: isOld ? now : entry, in: current, withUID: command.byUID)
            } else if !isOld {
                tellModSeq(of: entry, in: current)
            }
            try await flushIfLarge()
        }
        let isIncomplete = !result.missing.isEmpty && !command.byUID
        guard result.modified.isEmpty else {
            let modified = result.modified.map { command.byUID ? $0.rawValue : view.sequenceNumber(of: $0.rawValue) }
            let code = IMAPResponseCode.modified(.init(ascending: modified.sorted()))
            // RFC 7162 section 3.1.3, example 11.
            if isIncomplete { throw .no(code, "Some of the messages no longer exist") }
            return Completion("Conditional STORE failed", code: code)
        }
        // Nobody waits for an answer of the missing ones (RFC 2180 section 4.2.1).
        if isIncomplete, command.silent { return Completion("STORE completed", code: .expungeIssued) }
        if isIncomplete { throw .expungeIssued }
        return Completion("STORE completed")
    }

    /// What a silent client that follows mod-sequences still has to hear.
    private func tellModSeq(of entry: MessageEntry, in view: SelectedMailbox) {
        let uid = entry.uid.rawValue
        var writer = IMAPFetchWriter(sequenceNumber: view.sequenceNumber(of: uid), utf8: encoder.utf8, into: &buffer)
        writer.write(.uid(uid), into: &buffer)
        writer.write(.modSeq(entry.modSeq), into: &buffer)
        writer.end(into: &buffer)
    }
}
